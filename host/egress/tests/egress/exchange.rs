//! What passes in both directions, and when.

use super::support::*;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use packhost_egress::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

#[tokio::test]
async fn hop_by_hop_and_proxy_headers_stay_behind() {
    let response = "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop\r\nkeep-alive: timeout=5\r\n\
        x-hop: 1\r\nupgrade: h2c\r\nproxy-authenticate: Basic\r\nx-kept: yes\r\n\
        transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let mut server = Server::answering(response).await;
    let request = Request::get(server.url("127.0.0.1"))
        .header("host", "elsewhere.test")
        .header("connection", "keep-alive, X-Nominated, content-length")
        .header("x-nominated", "1")
        .header("proxy-authorization", "Basic xyz")
        .header("proxy-connection", "keep-alive")
        .header("te", "trailers")
        .header("upgrade", "websocket")
        .header("transfer-encoding", "chunked")
        .header("x-kept", "yes")
        .body(Full::<Bytes>::default())
        .unwrap();
    let response = plain().send(request, &loopback(), Waits::default()).await.unwrap();
    let left: Vec<_> = response.headers().keys().map(|name| name.as_str().to_owned()).collect();
    assert_eq!(left, ["x-kept"]);
    assert_eq!(text(response).await.unwrap(), "hello");

    let head = server.heads().remove(0);
    let mut lines: Vec<_> = head.trim_end().lines().skip(1).collect();
    lines.sort_unstable();
    let host = format!("host: 127.0.0.1:{}", server.port());
    assert_eq!(lines, ["connection: close", host.as_str(), "x-kept: yes"]);
}

#[tokio::test]
async fn bodies_stream_both_ways_at_the_same_time() {
    // Echoes chunked pieces as raw chunks, as they come.
    let server = Server::start(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.ok();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.ok();
    })
    .await;
    let (feed, body) = mpsc::channel(1);
    let request = Request::post(server.url("127.0.0.1")).body(Fed(body)).unwrap();
    let response = plain().send(request, &loopback(), Waits::default()).await.unwrap();
    let mut body = response.into_body();
    for piece in ["one", "two", "three"] {
        feed.send(Bytes::from(piece)).await.unwrap();
        let back = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(back, piece);
    }
    drop(feed);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_compressed_body_is_not_touched() {
    let body = b"\x1f\x8b\x08\x00not really gzip";
    let mut response =
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len())
            .into_bytes();
    response.extend_from_slice(body);
    let server = Server::answering(response).await;
    let response = get(&plain(), &loopback(), &server.url("127.0.0.1")).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body.as_slice());
}

#[tokio::test]
async fn dropping_the_response_closes_the_connection() {
    let (closed, mut seen) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream, _| {
        let closed = closed.clone();
        async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhello").await.ok();
            stream.read_to_end(&mut Vec::new()).await.ok();
            closed.send(()).ok();
        }
    })
    .await;
    let response = get(&plain(), &loopback(), &server.url("127.0.0.1")).await.unwrap();
    assert!(seen.try_recv().is_err());
    drop(response);
    seen.recv().await.unwrap();
}

#[tokio::test]
async fn a_request_body_that_fails_ends_the_exchange() {
    let server = Server::stalling_after(b"").await;
    let (feed, body) = mpsc::channel(1);
    feed.send(Bytes::from("x")).await.unwrap();
    let body = Fed(body).map_err(|never| match never {});
    let body = body.map_frame(|frame| frame).with_trailers(async { Some(Err("the guest's stream broke")) });
    let request = Request::post(server.url("127.0.0.1")).body(body).unwrap();
    drop(feed);
    let error = plain().send(request, &loopback(), Waits::default()).await.unwrap_err();
    assert_eq!(error, EgressError::Protocol("the request's body ended with an error before it was complete"));
}
