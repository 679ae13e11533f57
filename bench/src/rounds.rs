//! Rounds: the host and what it is held against take turns, so that whatever else the machine does hits both. What counts
//! is the median over rounds.

use std::time::{Duration, Instant};

use crate::Outcome;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds of what takes a second or less.
    pub(crate) rounds: usize,
    /// Rounds of what takes seconds.
    pub(crate) slow_rounds: usize,
    /// Calls in one round.
    pub(crate) calls: usize,
    /// Bytes of a stream.
    pub(crate) stream: usize,
}

impl Effort {
    /// Enough for numbers that two runs agree on.
    pub(crate) const FULL: Self = Self { rounds: 15, slow_rounds: 5, calls: 3000, stream: 100_000_000 };
    /// Enough to see that everything runs.
    pub(crate) const QUICK: Self = Self { rounds: 3, slow_rounds: 1, calls: 300, stream: 10_000_000 };
    /// For what looked wrong at first.
    pub(crate) const AGAIN: Self = Self { rounds: 9, slow_rounds: 3, calls: 300, stream: 10_000_000 };
}

/// One round: the host's number and the other's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair<T> {
    pub(crate) host: T,
    pub(crate) reference: T,
}

impl<T> Pair<T> {
    pub(crate) fn map<U>(&self, of: impl Fn(&T) -> U) -> Pair<U> {
        Pair { host: of(&self.host), reference: of(&self.reference) }
    }
}

/// Measures both sides so many times, in turns; who begins changes with every round.
pub(crate) fn rounds<T>(
    what: &str,
    rounds: usize,
    mut host: impl FnMut() -> Outcome<T>,
    mut reference: impl FnMut() -> Outcome<T>,
) -> Outcome<Vec<Pair<T>>> {
    eprintln!("  {what}");
    let mut pairs = Vec::with_capacity(rounds);
    for round in 0..rounds {
        pairs.push(if round % 2 == 0 {
            let host = host()?;
            Pair { host, reference: reference()? }
        } else {
            let reference = reference()?;
            Pair { host: host()?, reference }
        });
    }
    Ok(pairs)
}

/// What many calls of one round took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// The median call, in microseconds.
    pub(crate) p50: f64,
    /// Calls a second, over all callers.
    pub(crate) per_second: f64,
}

impl Sample {
    /// From the time that each call took, and the time since the first began.
    pub(crate) fn of(took: &[Duration], since: Instant) -> Self {
        let all = since.elapsed().as_secs_f64();
        let micros: Vec<f64> = took.iter().map(|took| took.as_secs_f64() * 1e6).collect();
        Self { p50: median(&micros), per_second: took.len() as f64 / all }
    }
}

/// The middle one; 0 of none.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
