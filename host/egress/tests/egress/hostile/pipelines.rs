//! What a server sends beyond its answer is nobody's answer.

use http::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::super::support::*;
use super::{Lasting, send};

const EVIL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";

#[tokio::test]
async fn a_second_response_behind_the_first_answers_no_other_request() {
    for (method, head, body) in [
        (Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"),
        (Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", ""),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "hello",
        ),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\ncontent-length: 500\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "hello",
        ),
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n", ""),
        (Method::GET, "HTTP/1.1 204 No Content\r\ncontent-length: 45\r\n\r\n", ""),
        (Method::GET, "HTTP/1.1 304 Not Modified\r\ncontent-length: 45\r\n\r\n", ""),
        (Method::GET, "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n2d\r\n", ""),
        (Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 45\r\n\r\n", ""),
        (Method::HEAD, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2d\r\n", ""),
        (Method::HEAD, "HTTP/1.1 404 Not Found\r\n\r\n", ""),
    ] {
        let mut server = Lasting::start("127.0.0.1:0", move |request| {
            if request.contains(" /first ") { format!("{head}{EVIL}{EVIL}").into() } else { OK.to_vec() }
        })
        .await;
        let (egress, call) = (plain(), loopback());
        let first = send(&egress, &call, method.clone(), &server.url("/first")).await.unwrap();
        assert_eq!(text(first).await.as_deref(), Ok(body), "{method} {head}");
        for next in [&call, &loopback(), &call] {
            let answer = send(&egress, next, Method::GET, &server.url("/next")).await.unwrap();
            assert_eq!(text(answer).await.as_deref(), Ok("hello"), "{method} {head}");
        }
        assert_eq!(server.count(), 4, "{method} {head}");
    }
}

/// On a connection that is idle, after the first answer was read to its end.
#[tokio::test]
async fn a_response_that_nobody_asked_for_answers_no_later_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (go, mut may_go) = mpsc::channel::<()>(1);
    let (sent, mut was_sent) = mpsc::channel::<()>(1);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        may_go.recv().await.unwrap();
        // Nobody may be there any more.
        stream.write_all(EVIL.as_bytes()).await.ok();
        sent.send(()).await.unwrap();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            stream.write_all(OK).await.ok();
        }
    });
    let (egress, call) = (plain(), loopback());
    assert_eq!(text(get(&egress, &call, &url).await.unwrap()).await.unwrap(), "hello");
    go.send(()).await.unwrap();
    was_sent.recv().await.unwrap();
    for next in [&call, &loopback()] {
        assert_eq!(text(get(&egress, next, &url).await.unwrap()).await.unwrap(), "hello");
    }
}

/// What was left of a body that was given up is not the head of another answer.
#[tokio::test]
async fn the_rest_of_a_body_that_was_dropped_answers_no_other_request() {
    let rest = format!("hello{EVIL}");
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{rest}", rest.len());
    let server = Lasting::start("127.0.0.1:0", move |request| {
        if request.contains(" /first ") { answer.clone().into() } else { OK.to_vec() }
    })
    .await;
    let (egress, call) = (plain(), loopback());
    drop(send(&egress, &call, Method::GET, &server.url("/first")).await.unwrap());
    for next in [&call, &loopback()] {
        let answer = send(&egress, next, Method::GET, &server.url("/next")).await.unwrap();
        assert_eq!(text(answer).await.as_deref(), Ok("hello"));
    }
}

#[tokio::test]
async fn an_answer_before_the_request_is_no_answer_of_a_later_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Two at once, before anything was read.
            stream.write_all(EVIL.repeat(2).as_bytes()).await.ok();
            tokio::spawn(async move { while read_head(&mut stream).await.ends_with("\r\n\r\n") {} });
        }
    });
    let (egress, call) = (plain(), loopback());
    for _ in 0..3 {
        // It may be refused, or be taken for the answer of the one request that opened the connection.
        if let Ok(answer) = get(&egress, &call, &url).await {
            assert_eq!(text(answer).await.as_deref(), Ok("evil"));
        }
    }
    assert_eq!(call.spent().requests, 3);
}
