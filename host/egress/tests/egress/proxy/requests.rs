//! Requests that two readers could read differently, and those that are meant for a server.

use super::super::support::*;
use super::support::*;
use packhost_egress::*;

/// Sends this and returns all that comes back; the stream has to be closed by the proxy.
async fn refused(request: &str) -> (String, CallEgress) {
    let call = loopback();
    let mut client = proxied(&named(), &call);
    client.send(request).await;
    let (answer, _) = client.rest().await;
    (String::from_utf8(answer).unwrap(), call)
}

#[tokio::test]
async fn a_request_that_two_readers_could_read_differently_goes_nowhere() {
    let mut server = Server::answering(OK).await;
    let url = server.url("granted.test");
    let port = server.port();
    let next = get_of(&url);
    for (request, status) in [
        // Framing: what follows must not become a request.
        (
            format!(
                "POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello{next}"
            ),
            400,
        ),
        (format!("POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello{next}"), 400),
        (format!("POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello{next}"), 400),
        (format!("POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nhello{next}"), 400),
        (
            format!(
                "POST {url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{next}"
            ),
            501,
        ),
        (
            format!(
                "POST {url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n{next}"
            ),
            400,
        ),
        (
            format!("POST {url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{next}"),
            400,
        ),
        (
            format!(
                "POST {url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{next}"
            ),
            501,
        ),
        (format!("POST {url} HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{next}"), 400),
        // Fields: folded, with a bare CR, with a space before the colon, without a name.
        (format!("GET {url} HTTP/1.1\r\nHost: x\r\nX-A: b\r\n folded\r\n\r\n{next}"), 400),
        (format!("GET {url} HTTP/1.1\r\nHost: x\r\nX-A: b\rX-B: c\r\n\r\n{next}"), 400),
        (format!("GET {url} HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello{next}"), 400),
        (format!("GET {url} HTTP/1.1\r\nHost: x\r\nX-A: b\0\r\n\r\n{next}"), 400),
        (format!("GET {url} HTTP/1.1\r\n Host: x\r\n\r\n{next}"), 400),
        // The line.
        (format!("GET {url}\rHTTP/1.1\r\nHost: x\r\n\r\n{next}"), 400),
        (format!("GET  {url} HTTP/1.1\r\nHost: x\r\n\r\n{next}"), 400),
        (format!("GET {url} HTTP/1.2\r\nHost: x\r\n\r\n{next}"), 400),
        // Where to.
        (format!("GET {url} HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n{next}"), 400),
        (format!("GET {url} HTTP/1.1\r\n\r\n{next}"), 400),
        (format!("GET / HTTP/1.1\r\nHost: granted.test:{port}\r\n\r\n{next}"), 400),
        (format!("GET //granted.test:{port}/ HTTP/1.1\r\nHost: granted.test:{port}\r\n\r\n{next}"), 400),
        (format!("GET granted.test:{port} HTTP/1.1\r\nHost: granted.test:{port}\r\n\r\n{next}"), 400),
        (format!("OPTIONS * HTTP/1.1\r\nHost: granted.test:{port}\r\n\r\n{next}"), 400),
    ] {
        let (answer, call) = refused(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer:?}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{request:?}: {answer:?}");
        assert_eq!(call.contacts(), Contacts::default(), "{request:?}");
    }
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn a_request_for_a_server_is_told_how_to_ask_a_proxy() {
    let mut client = proxied(&plain(), &loopback());
    let read = client.ask("GET /path HTTP/1.1\r\nHost: granted.test\r\n\r\n").await;
    let problem = read.problem();
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["title"], "Bad Request");
    assert_eq!(problem["code"], "invalid_input");
    assert_eq!(problem["retry"], false);
    assert_eq!(problem["detail"], "This is a proxy: a request names the whole URL, and not its path alone.");
    assert!(problem["fix"].as_str().unwrap().contains("absolute form"), "{problem}");
    assert!(read.closes());
    assert_eq!(client.rest().await, (Vec::new(), Ok(())));
}

/// RFC 9112 section 6.1: by the transfer coding alone, and nothing more is read from such a client.
#[tokio::test]
async fn a_body_with_a_length_and_a_coding_is_framed_once_and_ends_the_stream() {
    let (server, mut requests) = super::super::credentials::echo().await;
    let url = server.url("127.0.0.1");
    let (length, coding) = ("Content-Length: 7", "Transfer-Encoding: chunked");
    for fields in [format!("{length}\r\n{coding}"), format!("{coding}\r\n{length}")] {
        let mut client = proxied(&plain(), &loopback());
        client
            .send(format!("POST {url} HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n0\r\n\r\n{}", get_of(&url)))
            .await;
        let (answer, _) = client.rest().await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close"), "{answer}");
        let request = requests.recv().await.unwrap().to_lowercase();
        assert!(!request.contains("content-length"), "{request}");
        assert!(requests.try_recv().is_err(), "what followed was taken for a request");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let egress = Egress::new(Settings { max_head: 8192, ..settings(&names()) }).unwrap();
    let fields = "X-A: b\r\n".repeat(257);
    for (request, status) in [
        (format!("GET http://granted.test/ HTTP/1.1\r\nHost: x\r\nX-A: {}\r\n\r\n", "b".repeat(8192)), 431),
        (format!("GET http://granted.test/{} HTTP/1.1\r\nHost: x\r\n\r\n", "b".repeat(8192)), 431),
        (format!("GET http://granted.test/ HTTP/1.1\r\nHost: x\r\n{fields}\r\n"), 431),
    ] {
        let call = loopback();
        let mut client = proxied(&egress, &call);
        client.send(request).await;
        let (answer, ended) = client.rest().await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert_eq!(ended, Err(ProxyError::NotHttp));
        assert_eq!(call.contacts(), Contacts::default());
    }
}
