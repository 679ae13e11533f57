//! How fast values are taken out of a stream, beside a plain copy of it. Run it with `--release`.
#![allow(clippy::print_stdout, reason = "it prints what it measures")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use packhost_redact::Redactor;

const TOTAL: usize = 100 << 20;
const CHUNK: usize = 16 << 10;

fn main() {
    let values: Vec<(String, Vec<u8>)> = (0..20).map(|index| (format!("S{index}"), value(index))).collect();
    let make = || {
        let values = values.iter().map(|(label, value)| (label.as_str(), value.as_slice()));
        Redactor::new(values).expect("good values")
    };
    let since = Instant::now();
    for _ in 0..100 {
        std::hint::black_box(make());
    }
    println!("to make a redactor of 20 values: {:?}", since.elapsed() / 100);
    let redactor = make();
    let texts = [("prose", prose()), ("JSON in JSON", json()), ("base64", noise(64)), ("bytes", noise(256))];
    for (name, text) in texts {
        let chunks: Vec<Bytes> = text.chunks(CHUNK).map(Bytes::copy_from_slice).collect();
        let copy = best(|| chunks.iter().map(|chunk| std::hint::black_box(chunk.to_vec()).len()).sum());
        let redacted = best(|| {
            let mut stream = redactor.stream();
            let passed: usize = chunks.iter().map(|chunk| stream.push(chunk.clone()).len()).sum();
            passed + stream.finish().len()
        });
        let speed = |took: Duration| TOTAL as f64 / took.as_secs_f64() / 1e9;
        println!("{name:>12}: copy {:5.2} GB/s, redactor {:5.2} GB/s", speed(copy), speed(redacted));
    }
}

/// The fastest of five.
fn best(mut run: impl FnMut() -> usize) -> Duration {
    let times = (0..5).map(|_| {
        let since = Instant::now();
        assert_eq!(run(), TOTAL, "nothing is in it");
        since.elapsed()
    });
    times.min().expect("five times")
}

/// Numbers that look random, each time the same (xorshift, Marsaglia 2003).
fn numbers(mut state: u64) -> impl FnMut(usize) -> usize {
    move |bound| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % bound
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn value(index: usize) -> Vec<u8> {
    let mut number = numbers(index as u64 + 1_234_567);
    (0..20 + 2 * index).map(|_| DIGITS[number(64)]).collect()
}

fn filled(mut more: impl FnMut(&mut Vec<u8>)) -> Vec<u8> {
    let mut text = Vec::with_capacity(TOTAL + 64);
    while text.len() < TOTAL {
        more(&mut text);
    }
    text.truncate(TOTAL);
    text
}

fn words(number: &mut impl FnMut(usize) -> usize) -> &'static str {
    const WORDS: [&str; 12] = [
        "the",
        "request",
        "of",
        "a",
        "repository",
        "is",
        "answered",
        "with",
        "every",
        "Commit",
        "that",
        "changes",
    ];
    WORDS[number(WORDS.len())]
}

fn prose() -> Vec<u8> {
    let mut number = numbers(7);
    filled(|text| {
        text.extend_from_slice(words(&mut number).as_bytes());
        text.push(if number(12) == 0 { b'\n' } else { b' ' });
    })
}

/// Escapes every ten bytes or so.
fn json() -> Vec<u8> {
    let mut number = numbers(7);
    filled(|text| {
        let line = format!("\\\"{}\\\":\\\"{}\\\",", words(&mut number), words(&mut number));
        text.extend_from_slice(line.as_bytes());
    })
}

fn noise(alphabet: usize) -> Vec<u8> {
    let mut number = numbers(7);
    filled(|text| {
        let byte = number(alphabet);
        text.push(if alphabet == 64 { DIGITS[byte] } else { byte as u8 });
    })
}
