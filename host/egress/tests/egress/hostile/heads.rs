//! Heads that are no heads, and heads that two readers could take for two things.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use packhost_egress::*;

use super::super::support::*;
use super::against;

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
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101));
    for response in [large, endless, many] {
        let error = against(response).await.unwrap_err();
        assert_eq!(error, EgressError::TooLarge { limit: 64 * 1024, fields: 100 });
    }
    let just = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(99));
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

#[tokio::test]
async fn a_head_that_two_readers_could_read_differently_is_refused() {
    for head in [
        "HTTP/1.1 200 OK\r\nx: a\r\n folded: b",
        "HTTP/1.1 200 OK\r\nx: a\r\n\tb",
        "HTTP/1.1 200 OK\r\n folded: b",
        "HTTP/1.1 200 OK\r\nx: a\0b",
        "HTTP/1.1 200 OK\r\nx\0: a",
        "HTTP/1.1 200 OK\r\nx: a\rcontent-length: 0",
        "HTTP/1.1 200 OK\r\nx : a",
        "HTTP/1.1 200 OK\r\n: a",
        "HTTP/1.1 200 OK\r\nx",
        "HTTP/1.1 200 O\0K",
        "HTTP/1.1 200OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 -20 OK",
        "HTTP/1.2 200 OK",
        "HTTP/2 200 OK",
        "HTTP/0.9 200 OK",
        "ICY 200 OK",
        "http/1.1 200 OK",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked",
    ] {
        let response = format!("{head}\r\ncontent-length: 5\r\n\r\nhello");
        let error = against(response).await.expect_err(head);
        assert!(matches!(error, EgressError::Protocol(_)), "{head}: {error:?}");
    }
}

#[tokio::test]
async fn what_a_lenient_reader_may_take_is_read_in_the_one_way_there_is() {
    for response in [
        "HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 \r\ncontent-length: 5\r\n\r\nhello",
        // RFC 9112 section 2.2: a line may end with LF alone.
        "HTTP/1.1 200 OK\ncontent-length: 5\n\nhello",
        "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length:5 \t\r\n\r\nhello",
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    ] {
        assert_eq!(against(response).await.as_deref(), Ok("hello"), "{response}");
    }
}

/// HTTP/0.9 has no head: all of it is body.
#[tokio::test]
async fn an_answer_without_a_head_is_none() {
    for response in ["<html>hello</html>", "<html>\r\n\r\nhello", "\r\n\r\n\r\n", "\0\0\0\0"] {
        let error = against(response).await.unwrap_err();
        assert!(matches!(error, EgressError::Protocol(_)), "{response}: {error:?}");
    }
}

#[tokio::test]
async fn what_an_interim_response_says_is_not_handed_over() {
    let early = "HTTP/1.1 103 Early\r\nx-early: 1\r\ncontent-length: 500\r\nset-cookie: a=b\r\n\r\n";
    let response = format!("{early}{early}HTTP/1.1 200 OK\r\nx-late: 1\r\ncontent-length: 5\r\n\r\nhello");
    let server = Server::answering(response).await;
    let response = get(&plain(), &loopback(), &server.url("127.0.0.1")).await.unwrap();
    let names: Vec<_> = response.headers().keys().map(|name| name.as_str().to_owned()).collect();
    assert_eq!(names, ["x-late", "content-length"]);
    assert_eq!(text(response).await.unwrap(), "hello");
}
