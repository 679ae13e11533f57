//! How much memory it takes. Each in a process of its own, of which the kernel knows the most that it ever had.

use async_compression::tokio::bufread::{BrotliDecoder, BrotliEncoder, GzipEncoder, ZstdDecoder};
use http_body_util::BodyExt;
use packhost_egress::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::credentials::{everywhere, request};
use super::super::support::*;
use super::child::in_process;

const MIB: usize = 1 << 20;

/// The most memory that this process ever had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// Runs this, and holds what it takes against a bound.
fn within(bound: usize, run: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = peak();
    runtime.block_on(run);
    let took = peak() - before;
    assert!(took < bound, "it took {} KiB", took >> 10);
}

async fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    GzipEncoder::new(text).read_to_end(&mut out).await.unwrap();
    out
}

/// A gibibyte of zeros as about one of a thousand of that: members of a mebibyte, one after the other.
async fn gibibyte() -> Vec<u8> {
    gzip(&vec![0; MIB]).await.repeat(1024)
}

/// Asks with a credential for what is in these codings, and reads to the error that ends it.
async fn read(codings: &'static str, body: Vec<u8>) -> (usize, EgressError) {
    let server = Server::start(move |mut stream, _| {
        let body = body.clone();
        async move {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-encoding: {codings}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.ok();
            stream.write_all(&body).await.ok();
        }
    })
    .await;
    let (call, ..) = everywhere();
    let sent = request(&server.url("127.0.0.1"), &[("authorization", "Bearer ${vault:TOKEN}")], "");
    let mut body = plain().send(sent, &call, Waits::default()).await.unwrap().into_body();
    let mut count = 0;
    loop {
        match body.frame().await.expect("an error at the end") {
            Ok(frame) => count += frame.into_data().unwrap().len(),
            Err(error) => return (count, error),
        }
    }
}

const LIMIT: EgressError = EgressError::Decoded { limit: 64 << 20 };

#[test]
fn a_bomb_of_a_gibibyte_takes_little_memory() {
    if in_process("hostile::memory::a_bomb_of_a_gibibyte_takes_little_memory") {
        return;
    }
    within(24 * MIB, async {
        let bomb = gibibyte().await;
        assert!(bomb.len() < 2 * MIB, "{} bytes", bomb.len());
        let (count, error) = read("gzip", bomb).await;
        assert!(error == LIMIT && count <= 64 * MIB, "{count}: {error:?}");
    });
}

#[test]
fn a_bomb_in_a_bomb_takes_little_memory() {
    if in_process("hostile::memory::a_bomb_in_a_bomb_takes_little_memory") {
        return;
    }
    within(48 * MIB, async {
        let inner = gzip(&gibibyte().await).await;
        let mut outer = Vec::new();
        BrotliEncoder::new(&inner[..]).read_to_end(&mut outer).await.unwrap();
        assert!(outer.len() < 64 << 10, "{} bytes", outer.len());
        let (count, error) = read("gzip, gzip, br", outer).await;
        assert!(error == LIMIT && count <= 64 * MIB, "{count}: {error:?}");
    });
}

/// As many blocks of zeros, in a frame that says how much of what came before has to be kept.
fn zstd(window: u8, blocks: usize) -> Vec<u8> {
    // RFC 8878 section 3.1.1: magic, a descriptor without options, the window; a run of 128 KiB of one byte per block.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, window];
    for left in (0..blocks).rev() {
        let header = u32::from(left == 0) | 1 << 1 | (128 << 10) << 3;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

/// Nothing, in a window of a gibibyte.
const LARGE_BROTLI: &[u8] = &[0x11, 0xde];

/// Left to themselves, the decoders take these.
#[tokio::test]
async fn a_large_window_is_nothing_that_a_decoder_refuses_by_itself() {
    let mut out = Vec::new();
    BrotliDecoder::new(LARGE_BROTLI).read_to_end(&mut out).await.unwrap();
    assert!(out.is_empty());
    ZstdDecoder::new(&zstd(17 << 3, 1)[..]).read_to_end(&mut out).await.unwrap();
    assert_eq!(out.len(), 128 << 10);
}

/// RFC 9659: a window of more than 8 MiB is no `zstd` of HTTP.
#[test]
fn a_bomb_that_wants_a_large_window_is_refused() {
    if in_process("hostile::memory::a_bomb_that_wants_a_large_window_is_refused") {
        return;
    }
    let damaged = EgressError::Protocol("the response's compression is damaged or incomplete");
    within(48 * MIB, async {
        // 8 MiB, which is decoded; a bit more, 16 MiB, 128 MiB, and more than there is.
        assert_eq!(read("zstd", zstd(13 << 3, 8192)).await.1, LIMIT);
        for window in [13 << 3 | 1, 14 << 3, 17 << 3, 0xff] {
            assert_eq!(read("zstd", zstd(window, 8192)).await, (0, damaged.clone()), "{window:#x}");
        }
        // RFC 7932 section 9.1: windows of more than 16 MiB are not `br`, but an extension that its decoders know.
        assert_eq!(read("br", LARGE_BROTLI.to_vec()).await, (0, damaged));
    });
}
