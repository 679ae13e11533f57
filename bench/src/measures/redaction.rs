//! Values taken out of a stream, against a plain copy of it.

use std::hint::black_box;
use std::time::Instant;

use hyper::body::Bytes;
use packhost_egress::Redactor;

use super::Bench;
use crate::Outcome;
use crate::report::{Goal, Report, Row};
use crate::rounds::rounds;

pub(crate) const GROUP: &str = "Redaction of 20 values";

/// Either of these is enough: so much of a copy's speed, or so many gigabytes a second.
const OF_A_COPY: f64 = 0.5;
const SPEED: f64 = 1.0;
const VALUES: usize = 20;
const CHUNK: usize = 16 << 10;

pub(super) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let values: Vec<String> = (0..VALUES).map(|index| noise(index as u64 + 1, 20 + 2 * index)).collect();
    let named: Vec<String> = (0..VALUES).map(|index| format!("VALUE_{index}")).collect();
    let redactor =
        Redactor::new(named.iter().zip(&values).map(|(name, value)| (name.as_str(), value.as_bytes())))?;
    let size = bench.effort.stream;
    for (what, text) in [("a stream of English", prose(size)), ("a stream of JSON", json(size))] {
        let chunks: Vec<Bytes> = text.as_bytes().chunks(CHUNK).map(Bytes::copy_from_slice).collect();
        let redacted = || {
            let since = Instant::now();
            let mut stream = redactor.stream();
            let passed: usize = chunks.iter().map(|chunk| black_box(stream.push(chunk.clone())).len()).sum();
            speed(passed + stream.finish().len(), size, since)
        };
        let copied = || {
            let since = Instant::now();
            speed(chunks.iter().map(|chunk| black_box(chunk.to_vec()).len()).sum(), size, since)
        };
        let pairs = rounds(what, bench.effort.rounds, redacted, copied)?;
        let row = Row::new(GROUP, what, "GB/s", "a copy", &pairs);
        report.rows.push(row.goal(Goal::AtLeastOr { ratio: OF_A_COPY, host: SPEED }));
    }
    Ok(())
}

fn speed(passed: usize, size: usize, since: Instant) -> Outcome<f64> {
    let took = since.elapsed().as_secs_f64();
    if passed == size { Ok(size as f64 / took / 1e9) } else { Err("something was found".into()) }
}

/// Characters that look random, each time the same (xorshift, Marsaglia 2003).
fn noise(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(digits[(state % 64) as usize])
    };
    std::iter::repeat_with(next).take(length).collect()
}

const SENTENCE: &str =
    "Every request of a repository is answered with the commit that changes it, and a line says why. ";

fn prose(size: usize) -> String {
    filled(size, |_| SENTENCE.to_owned())
}

fn json(size: usize) -> String {
    filled(size, |number| {
        format!(
            "{{\"id\":{number},\"title\":\"{}\",\"url\":\"https://example.com/a/{number}\"}},\n",
            SENTENCE.trim()
        )
    })
}

fn filled(size: usize, line: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(size + 256);
    for number in 0.. {
        if text.len() >= size {
            break;
        }
        text.push_str(&line(number));
    }
    text.truncate(size);
    text
}
