//! Servers that do not play by the rules.

use super::support::*;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use packhost_egress::*;

async fn against(response: impl Into<Bytes>) -> Result<String, EgressError> {
    let server = Server::answering(response).await;
    text(get(&plain(), &loopback(), &server.url("127.0.0.1")).await?).await
}

#[tokio::test]
async fn a_body_shorter_than_it_says_is_an_error() {
    let incomplete = EgressError::Protocol("the response ended before it was complete");
    for response in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello",
    ] {
        assert_eq!(against(response).await, Err(incomplete.clone()), "{response}");
    }
}

#[tokio::test]
async fn bytes_after_the_body_are_not_read() {
    let response =
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    assert_eq!(against(response).await.as_deref(), Ok("hello"));
}

#[tokio::test]
async fn what_is_not_http_is_told_so_without_quoting_it() {
    for response in [
        "SSH-2.0-OpenSSH_9.2\r\nmarker-of-the-server\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header: marker-of-the-server\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: marker-of-the-server\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nhi",
        "HTTP/2.0 200 OK\r\n\r\n",
        "",
    ] {
        let error = against(response).await.unwrap_err();
        assert!(matches!(error, EgressError::Protocol(_)), "{response}: {error:?}");
        assert!(!error.to_string().contains("marker"), "{error}");
    }
}

#[tokio::test]
async fn a_switch_of_protocols_is_refused() {
    let response = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
    let error = against(response).await.unwrap_err();
    assert_eq!(error, EgressError::Protocol("the server switched to a protocol nobody asked for"));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let large = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(70 * 1024));
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "x: y\r\n".repeat(100_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(257));
    for response in [large, endless, many] {
        let error = against(response).await.unwrap_err();
        assert_eq!(error, EgressError::TooLarge { limit: 64 * 1024, fields: 256 });
    }
    let just = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(255));
    assert_eq!(against(just).await.as_deref(), Ok(""));
}

#[tokio::test]
async fn a_request_that_two_readers_could_frame_differently_is_not_sent() {
    let mut server = Server::answering(OK).await;
    for lengths in [&["5", "6"][..], &["5", "5"], &["5, 6"], &["+5"], &["-1"], &["0x5"], &[""]] {
        let mut request = Request::post(server.url("127.0.0.1"));
        for length in lengths {
            request = request.header("content-length", *length);
        }
        let request = request.body(Full::new(Bytes::from("hello"))).unwrap();
        let error = plain().send(request, &loopback(), Waits::default()).await.unwrap_err();
        assert_eq!(
            error,
            EgressError::Protocol("the request's Content-Length is not one plain number"),
            "{lengths:?}"
        );
    }
    assert!(server.heads().is_empty());
}
