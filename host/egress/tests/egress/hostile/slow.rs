//! Servers that take their time. Those that are silent are in `limits`.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use packhost_egress::*;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Mutex, mpsc};

use super::super::support::*;

fn with(change: impl FnOnce(&mut Settings)) -> Egress {
    let mut settings = settings(&Names::new(&[]));
    change(&mut settings);
    Egress::new(settings).unwrap()
}

/// A byte of this at each tick, and the last byte for ever.
async fn dripping(text: &'static [u8]) -> Server {
    Server::start(move |mut stream, _| async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        for byte in text.iter().chain(std::iter::repeat(&text[text.len() - 1])) {
            ticks.tick().await;
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off_when_it_is_late() {
    let egress = with(|s| s.first_byte = SHORT);
    for head in
        [&b"H"[..], b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nx: y", b"HTTP/1.1 103 Wait\r\n\r\nHTTP/1.1 1"]
    {
        let server = dripping(head).await;
        let error = get(&egress, &loopback(), &server.url("127.0.0.1")).await.unwrap_err();
        let shown = String::from_utf8_lossy(head);
        let late = EgressError::Timeout { wait: Wait::FirstByte, limit: SHORT };
        // What cannot become a head is refused before that.
        let refused = matches!(error, EgressError::Protocol(_)) && !shown.contains("x: y");
        assert!(error == late || refused, "{shown}: {error:?}");
    }
}

/// Each byte is sent when the one before was read, so that nothing but the reader decides how long it takes.
#[tokio::test]
async fn a_body_of_single_bytes_is_whole_as_long_as_they_come() {
    let (read, may_go_on) = mpsc::channel::<()>(1);
    let may_go_on = std::sync::Arc::new(Mutex::new(may_go_on));
    let server = Server::start(move |mut stream, _| {
        let may_go_on = may_go_on.clone();
        async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 300\r\n\r\n").await.ok();
            let mut may_go_on = may_go_on.lock().await;
            while may_go_on.recv().await.is_some() && stream.write_all(b"x").await.is_ok() {}
        }
    })
    .await;
    let mut body = get(&plain(), &loopback(), &server.url("127.0.0.1")).await.unwrap().into_body();
    for _ in 0..300 {
        read.send(()).await.unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "x");
    }
    assert!(body.frame().await.is_none());
}

/// Chunk framing is not the body: a server cannot keep a reader waiting with sizes and extensions.
#[tokio::test]
async fn chunk_framing_that_drips_is_no_progress() {
    let egress = with(|s| s.between_bytes = SHORT);
    let server = dripping(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1;a").await;
    let mut body = get(&egress, &loopback(), &server.url("127.0.0.1")).await.unwrap().into_body();
    let mut read = Vec::new();
    let error = loop {
        match body.frame().await.unwrap() {
            Ok(frame) => read.extend_from_slice(&frame.into_data().unwrap()),
            Err(error) => break error,
        }
    };
    assert_eq!(String::from_utf8_lossy(&read), "hello");
    assert_eq!(error, EgressError::Timeout { wait: Wait::BetweenBytes, limit: SHORT });
}

#[tokio::test]
async fn a_server_that_does_not_read_the_request_is_not_waited_for_longer_than_the_whole_may_take() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (feed, body) = mpsc::channel(1);
    let request = Request::post(&url).body(Fed(body)).unwrap();
    let egress = with(|s| s.total = SHORT);
    let (call, piece) = (loopback(), Bytes::from(vec![b'x'; 1 << 20]));
    let feeding = async { while feed.send(piece.clone()).await.is_ok() {} };
    let (sent, ()) = tokio::join!(egress.send(request, &call, Waits::default()), feeding);
    assert_eq!(sent.unwrap_err(), EgressError::Timeout { wait: Wait::Total, limit: SHORT });
}
