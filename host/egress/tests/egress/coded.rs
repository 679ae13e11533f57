//! Values inside compressed responses.

use async_compression::tokio::bufread::{
    BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder,
};
use packhost_core::ErrorCode;
use packhost_egress::*;
use tokio::io::AsyncReadExt;

use super::credentials::{VALUE, answered};

pub(crate) async fn coded(coding: &str, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        "gzip" => GzipEncoder::new(text).read_to_end(&mut out).await,
        "deflate" => ZlibEncoder::new(text).read_to_end(&mut out).await,
        "bare deflate" => DeflateEncoder::new(text).read_to_end(&mut out).await,
        "br" => BrotliEncoder::new(text).read_to_end(&mut out).await,
        "zstd" => ZstdEncoder::new(text).read_to_end(&mut out).await,
        other => panic!("{other} is no coding"),
    }
    .unwrap();
    out
}

fn page() -> String {
    let line = "It is a long text, so that a coding has something to do.\n";
    format!("{}<{VALUE}>{}{VALUE}", line.repeat(2000), line.repeat(2000))
}

#[tokio::test]
async fn in_every_content_coding() {
    let expected = page().replace(VALUE, "[redacted:TOKEN]");
    for coding in ["gzip", "deflate", "bare deflate", "br", "zstd"] {
        let body = coded(coding, page().as_bytes()).await;
        let name = coding.rsplit(' ').next().unwrap();
        let head = format!("content-encoding: {name}\r\n");
        let (headers, body) = answered(&head, &body, Settings::default()).await.unwrap();
        assert!(String::from_utf8_lossy(&body) == expected, "{coding} came back otherwise");
        assert!(
            !headers.contains_key("content-encoding") && !headers.contains_key("content-length"),
            "{coding}"
        );
    }
    let body = coded("br", &coded("gzip", page().as_bytes()).await).await;
    let (_, body) = answered("content-encoding: gzip, br\r\n", &body, Settings::default()).await.unwrap();
    assert!(String::from_utf8_lossy(&body) == expected, "one over the other");
}

#[tokio::test]
async fn what_cannot_be_looked_into_does_not_come_back() {
    let error = answered("content-encoding: compress\r\n", b"x", Settings::default()).await.unwrap_err();
    assert_eq!(error, EgressError::Opaque("compress".into()));
    for coding in ["gzip", "br", "zstd"] {
        let whole = coded(coding, page().as_bytes()).await;
        let head = format!("content-encoding: {coding}\r\n");
        for body in [&whole[..whole.len() / 2], b"this is not compressed at all"] {
            let error = answered(&head, body, Settings::default()).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::HandlerFailed, "{coding}: {error}");
        }
    }
    let error = answered("content-encoding: gzip, gzip, gzip, gzip\r\n", b"x", Settings::default()).await;
    assert!(matches!(error, Err(EgressError::Protocol(_))), "{error:?}");
}

#[tokio::test]
async fn a_bomb_is_stopped_at_the_limit() {
    for coding in ["gzip", "br", "zstd", "deflate"] {
        let bomb = coded(coding, &vec![0; 8 << 20]).await;
        assert!(bomb.len() < 64 << 10, "{coding}: {} bytes", bomb.len());
        let settings = Settings { max_decoded: 1 << 20, ..Settings::default() };
        let head = format!("content-encoding: {coding}\r\n");
        let error = answered(&head, &bomb, settings).await.unwrap_err();
        assert_eq!(error, EgressError::Decoded { limit: 1 << 20 }, "{coding}");
    }
}

/// Nothing, a hundred thousand times over: little arrives, nothing comes of it, and in between there is much to read.
#[tokio::test]
async fn a_bomb_of_which_nothing_comes_is_stopped_as_well() {
    let nothing = coded("gzip", b"").await;
    let between = nothing.repeat((2 << 20) / nothing.len());
    let head = "content-encoding: gzip, gzip\r\n";
    let limited = || Settings { max_decoded: 1 << 20, ..Settings::default() };
    let bomb = coded("gzip", &between).await;
    assert!(bomb.len() < 64 << 10, "{} bytes", bomb.len());
    let error = answered(head, &bomb, limited()).await.unwrap_err();
    assert_eq!(error, EgressError::Decoded { limit: 1 << 20 });
    let few = coded("gzip", &between[..nothing.len() * 1000]).await;
    let (_, body) = answered(head, &few, limited()).await.unwrap();
    assert!(body.is_empty());
}
