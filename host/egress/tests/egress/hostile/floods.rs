//! Servers that do not stop. What the client takes of it has an end, and the server is told by a closed connection.

use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use packhost_egress::*;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::super::support::*;

/// What lies in the sockets of both sides and in buffers, at most, beyond what was asked for.
const SLACK: u64 = 16 << 20;

/// Sends `prefix` and then `piece` for ever. Says how much was taken when its connection is closed.
async fn endless(prefix: &'static str, piece: &[u8]) -> (String, mpsc::UnboundedReceiver<u64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (tell, taken) = mpsc::unbounded_channel();
    let (length, pieces) = (piece.len(), piece.repeat((16 << 10) / piece.len() + 1));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_head(&mut stream).await;
            let mut count = 0;
            if stream.write_all(prefix.as_bytes()).await.is_ok() {
                while let Ok(more) = stream.write(&pieces[count as usize % length..]).await {
                    count += more as u64;
                }
            }
            tell.send(count).ok();
        }
    });
    (url, taken)
}

/// Reads to the error that ends it; how much came before.
async fn drained(mut body: impl Body<Data = Bytes, Error = EgressError> + Unpin) -> (u64, EgressError) {
    let mut read = 0;
    loop {
        match body.frame().await {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len) as u64,
            Some(Err(error)) => return (read, error),
            None => panic!("it ended after {read} bytes"),
        }
    }
}

async fn failed(egress: &Egress, call: &CallEgress, url: &str) -> EgressError {
    match get(egress, call, url).await {
        Ok(response) => drained(response.into_body()).await.1,
        Err(error) => error,
    }
}

#[tokio::test]
async fn what_has_no_end_before_the_body_begins_is_cut_off() {
    let large = EgressError::TooLarge { limit: 64 << 10, fields: 100 };
    let incomplete = EgressError::Protocol("the response ended before it was complete");
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for (prefix, piece, expected) in [
        ("HTTP/1.1 200 ", &b"x"[..], &large),
        ("HTTP/1.1 200 OK\r\n", b"x: y\r\n", &large),
        ("HTTP/1.1 200 OK\r\n", b"x", &large),
        ("HTTP/1.1 200 OK\r\nx: ", b"y", &large),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", b"x", &incomplete),
        (chunked, b"1;aaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n", &incomplete),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n", &incomplete),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ", b"y", &incomplete),
    ] {
        let (url, mut taken) = endless(prefix, piece).await;
        let error = failed(&plain(), &loopback(), &url).await;
        let shown = format!("{prefix} {}", String::from_utf8_lossy(piece));
        assert_eq!(error, *expected, "{shown}");
        let taken = taken.recv().await.unwrap();
        assert!(taken < SLACK, "{shown}: {taken} bytes were taken");
    }
}

/// A size of which the zeros never end is no progress.
#[tokio::test]
async fn a_chunk_size_without_end_is_cut_off_in_time() {
    let settings = Settings { between_bytes: SHORT, ..settings(&Names::new(&[])) };
    let (url, mut taken) = endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"0").await;
    let error = failed(&Egress::new(settings).unwrap(), &loopback(), &url).await;
    assert_eq!(error, EgressError::Timeout { wait: Wait::BetweenBytes, limit: SHORT });
    taken.recv().await.unwrap();
}

/// They are not the first byte of an answer, however many there are.
#[tokio::test]
async fn interim_responses_without_end_are_cut_off_in_time() {
    let settings = Settings { first_byte: SHORT, ..settings(&Names::new(&[])) };
    let egress = Egress::new(settings).unwrap();
    for piece in [&b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"[..], b"HTTP/1.1 100 Continue\r\n\r\n"] {
        let (url, mut taken) = endless("", piece).await;
        let error = get(&egress, &loopback(), &url).await.unwrap_err();
        assert_eq!(error, EgressError::Timeout { wait: Wait::FirstByte, limit: SHORT });
        taken.recv().await.unwrap();
    }
}

#[tokio::test]
async fn ten_gibibytes_are_taken_up_to_the_calls_limit() {
    const LIMIT: u64 = 8 << 20;
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    for (prefix, piece) in [(whole, "x"), (chunked, &chunk), ("HTTP/1.1 200 OK\r\n\r\n", "x")] {
        let (url, mut taken) = endless(prefix, piece.as_bytes()).await;
        let rules = Arc::new(Hosts(vec!["*"], vec!["127.0.0.0/8"]));
        let call = CallEgress::new(rules, Allowance { bytes: LIMIT, ..Allowance::default() });
        let response = get(&plain(), &call, &url).await.unwrap();
        let (read, error) = drained(response.into_body()).await;
        assert_eq!(error, EgressError::Budget { resource: Resource::Bytes, limit: LIMIT });
        assert!(read <= LIMIT && call.spent().bytes <= LIMIT, "{read} bytes came through");
        let taken = taken.recv().await.unwrap();
        assert!(taken < LIMIT + SLACK, "{prefix}: {taken} bytes were taken");
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_not_read_ahead() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n").await.unwrap();
        let (piece, mut taken, mut full) = (vec![b'x'; 64 << 10], 0, 0);
        // Until nothing goes any more, however often the client had its turn.
        while full < 1000 {
            match stream.try_write(&piece) {
                Ok(more) => (taken, full) = (taken + more as u64, 0),
                Err(_) => full += 1,
            }
            tokio::task::yield_now().await;
        }
        (taken, stream)
    };
    let (egress, call) = (plain(), loopback());
    let (response, (taken, stream)) = tokio::join!(get(&egress, &call, &url), server);
    assert!(taken < SLACK, "{taken} bytes were taken");
    let received = call.contacts().list[0].received;
    assert!(received < 1024, "{received} bytes were counted");
    drop((response.unwrap(), stream));
}
