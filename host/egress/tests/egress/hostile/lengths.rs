//! Bodies whose length is a lie, and lengths that are none.

use packhost_egress::*;

use super::super::support::*;
use super::against;

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
async fn a_length_that_is_no_one_number_is_refused() {
    for lengths in [
        &["1", "2"][..],
        &["5", "5", "6"],
        &["5, 6"],
        &["5", "5, 6"],
        &["-1"],
        &["+5"],
        &["5.0"],
        &["0x5"],
        &["5 5"],
        &["5;"],
        &["five"],
        &[""],
        &["5,"],
        &["18446744073709551616"],
        &["99999999999999999999999999"],
    ] {
        let fields: String = lengths.iter().map(|length| format!("content-length: {length}\r\n")).collect();
        let error = against(format!("HTTP/1.1 200 OK\r\n{fields}\r\nhello")).await.expect_err(&fields);
        assert!(matches!(error, EgressError::Protocol(_)), "{fields}: {error:?}");
    }
}

/// RFC 9112 section 6.3: the same number twice is that number.
#[tokio::test]
async fn a_length_that_is_said_twice_is_that_length() {
    for fields in ["content-length: 5\r\ncontent-length: 5\r\n", "content-length: 5, 5\r\n"] {
        let response = format!("HTTP/1.1 200 OK\r\n{fields}\r\nhello and more");
        assert_eq!(against(response).await.as_deref(), Ok("hello"), "{fields}");
    }
}

/// RFC 9112 section 6.3: the chunks count, and the length is not passed on.
#[tokio::test]
async fn a_length_beside_chunks_is_not_believed_and_not_told() {
    for length in ["3", "500", "-1", "5"] {
        for fields in [
            format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
            format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"),
        ] {
            let response = format!("HTTP/1.1 200 OK\r\n{fields}\r\n5\r\nhello\r\n0\r\n\r\n");
            let server = Server::answering(response).await;
            let response = get(&plain(), &loopback(), &server.url("127.0.0.1")).await.unwrap();
            assert!(response.headers().is_empty(), "{fields}: {:?}", response.headers());
            assert_eq!(text(response).await.as_deref(), Ok("hello"), "{fields}");
        }
    }
}

#[tokio::test]
async fn a_chunk_whose_size_is_none_is_an_error() {
    for chunk in [
        "-5\r\nhello",
        "+5\r\nhello",
        "0x5\r\nhello",
        "5 5\r\nhello",
        "\r\nhello",
        ";a=b\r\nhello",
        "5\nhello",
        "5\r\nhelloXX",
        "5\r\nhello5\r\nhello",
        "8000000000000000\r\nhello",
        "fffffffffffffff0\r\nhello",
        "10000000000000005\r\nhello",
        "5\r\nhello\r\n0\r\nno-trailer\r\n\r\n",
    ] {
        let response = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}\r\n");
        let error = against(response).await.expect_err(chunk);
        assert_eq!(error, EgressError::Protocol("the response ended before it was complete"), "{chunk}");
    }
}

#[tokio::test]
async fn a_body_of_which_the_last_coding_is_not_chunks_goes_to_the_end_of_the_connection() {
    for coding in ["chunked, gzip", "identity", "x", "chunked, chunked, y"] {
        let response =
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        assert_eq!(against(response).await.as_deref(), Ok("5\r\nhello\r\n0\r\n\r\n"), "{coding}");
    }
}
