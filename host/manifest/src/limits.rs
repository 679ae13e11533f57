//! How much of everything one pack may use.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What a limit counts, which decides how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Milliseconds; written `500ms`, `20s`, `2m`, `1h`.
    Time,
    /// Bytes; written `4096B`, `64KiB`, `10MiB`, `1GiB`.
    Size,
    /// Things; written as a whole number.
    Count,
}

/// One limit of the table: its name, its bounds, and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The key in a manifest.
    pub name: &'static str,
    /// What it counts.
    pub kind: LimitKind,
    /// What holds where an entry does not say. In milliseconds, bytes or things.
    pub default: u64,
    /// The least that an entry may say.
    pub min: u64,
    /// The most that an entry may say, whatever the ceiling.
    pub max: u64,
    /// What is limited, and what happens to the call that goes beyond.
    pub doc: &'static str,
}

macro_rules! limits {
    ($( $(#[doc = $doc:literal])+ $name:ident: $type:ty = $kind:ident, default $default:expr, min $min:expr, max $max:expr; )+) => {
        /// The limits of one pack's calls. Every field has a default, a least and a most: see [`Limits::TABLE`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        pub struct Limits { $( $(#[doc = $doc])+ pub $name: $type, )+ }

        impl Limits {
            /// Every limit, in the order of the reference.
            pub const TABLE: &'static [Limit] = &[ $( Limit {
                name: stringify!($name),
                kind: LimitKind::$kind,
                default: $default,
                min: $min,
                max: $max,
                doc: concat!($($doc),+).trim_ascii(),
            }, )+ ];

            /// The value of a limit of the table, in milliseconds, bytes or things.
            pub fn value(&self, name: &str) -> Option<u64> {
                match name { $( stringify!($name) => Some(Unit::raw(self.$name)), )+ _ => None }
            }

            /// Sets a limit of the table; the caller has checked the bounds.
            pub(crate) fn set(&mut self, name: &str, value: u64) {
                match name { $( stringify!($name) => self.$name = Unit::of(value), )+ _ => {} }
            }
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $( $name: Unit::of($default), )+ }
            }
        }
    };
}

limits! {
    /// Wall-clock time of a call, from the start of its instance to its answer, without the wait for answers to its
    /// questions. Beyond it the call ends with `timeout`.
    time: Duration = Time, default 10_000, min 1, max 600_000;
    /// Linear memory of the call's instance, over all its memories. Growing beyond it fails inside the guest.
    /// Tables are counted apart: each has at most 100,000 elements.
    memory: u64 = Size, default 64 * MIB, min 64 * KIB, max 4 * GIB;
    /// The answer of a call as the pack hands it over: JSON text and content blocks, before anything is encoded for the wire.
    /// A larger one ends the call with `resource_exhausted`.
    output: u64 = Size, default MIB, min KIB, max 64 * MIB;
    /// What a call may log, with its standard output and standard error. The rest is dropped, and the log says so.
    logs: u64 = Size, default 64 * KIB, min 0, max 16 * MIB;
    /// Host resources (files, streams, requests, timers) that a call may hold at once.
    handles: u32 = Count, default 64, min 1, max 65_536;
    /// Calls of the pack at the same time, over all callers. More of them wait in a bounded queue.
    concurrency: u32 = Count, default 8, min 1, max 1_024;
    /// HTTP requests that one call may send. Each hop of a redirect is one.
    requests: u32 = Count, default 8, min 0, max 10_000;
    /// HTTP requests a minute that the pack may send on behalf of one caller, over all of that caller's calls. They may come at
    /// once; the next one fails with `rate_limited` and says when it may be tried again.
    requests_per_minute: u32 = Count, default 600, min 0, max 1_000_000;
    /// Connections that the pack may have open at the same time, over all callers. A request that needs one more waits, within
    /// its time to connect.
    connections: u32 = Count, default 32, min 1, max 1_024;
    /// Bytes that the HTTP requests of one call may send and receive together.
    transfer: u64 = Size, default 10 * MIB, min 0, max 16 * GIB;
    /// Random bytes that a guest may ask for in one request.
    random: u64 = Size, default 64 * KIB, min 0, max 16 * MIB;
    /// Bytes that one call from the guest into the host may carry.
    hostcall: u64 = Size, default 16 * MIB, min 4 * KIB, max 128 * MIB;
    /// Processes and threads in one sandbox, the supervisor's own not counted. Starting one more fails inside.
    processes: u32 = Count, default 64, min 1, max 4_096;
    /// Memory of everything in one sandbox together, files that are kept in memory included. Beyond it the kernel ends a program
    /// inside. (`memory` is that of the component.)
    sandbox_memory: u64 = Size, default 512 * MIB, min 16 * MIB, max 256 * GIB;
    /// Files that may be written in one sandbox, outside of its workspace. Writing more fails inside.
    disk: u64 = Size, default 256 * MIB, min MIB, max 256 * GIB;
    /// Thousandths of a processor that one sandbox may use: 1000 is one processor. Beyond it its programs wait.
    cpu_millis: u32 = Count, default 1_000, min 10, max 1_024_000;
    /// Open files of each process in a sandbox. Opening one more fails inside.
    open_files: u32 = Count, default 1_024, min 16, max 1_048_576;
    /// Files in one workspace. Writing more fails, in a sandbox and in a component.
    workspace: u64 = Size, default 256 * MIB, min MIB, max 1_024 * GIB;
    /// How long what a call makes stays, as artifacts. Then it is removed.
    keep: Duration = Time, default 604_800_000, min 60_000, max 7_776_000_000;
    /// Programs that one call may start in sandboxes. Starting one more fails with `resource_exhausted`.
    execs: u32 = Count, default 64, min 1, max 100_000;
    /// Sandboxes that the pack may have at the same time for one caller, those that are kept for the next call included. For
    /// one more the one that was unused longest is ended; where all are in use, the call ends with `resource_exhausted`.
    sessions: u32 = Count, default 4, min 1, max 1_024;
}

trait Unit {
    fn of(value: u64) -> Self;
    fn raw(self) -> u64;
}

impl Unit for u64 {
    fn of(value: u64) -> Self {
        value
    }
    fn raw(self) -> u64 {
        self
    }
}

impl Unit for u32 {
    fn of(value: u64) -> Self {
        Self::try_from(value).unwrap_or(Self::MAX)
    }
    fn raw(self) -> u64 {
        self.into()
    }
}

impl Unit for Duration {
    fn of(value: u64) -> Self {
        Self::from_millis(value)
    }
    fn raw(self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Limit {
    /// The limit of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Limits::TABLE.iter().find(|limit| limit.name == name)
    }

    /// A value of this limit as a manifest writes it.
    pub fn show(&self, value: u64) -> String {
        match self.kind {
            LimitKind::Time => largest_unit(value, TIMES),
            LimitKind::Size => largest_unit(value, SIZES),
            LimitKind::Count => value.to_string(),
        }
    }

    /// Reads a value and holds it against the bounds. Counts come as numbers, the rest as a number and its unit.
    pub(crate) fn read(&self, text: &str) -> Result<u64, String> {
        let units = match self.kind {
            LimitKind::Time => TIMES,
            LimitKind::Size => SIZES,
            LimitKind::Count => &[("", 1)],
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start_matches(' ');
        let scale =
            units.iter().find(|(name, _)| *name == unit && !number.is_empty()).map(|(_, scale)| *scale);
        let scale = scale.ok_or_else(|| format!("\"{}\" is not {}", shorten(text), self.grammar()))?;
        let value = number.parse::<u64>().ok().and_then(|n| n.checked_mul(scale)).unwrap_or(u64::MAX);
        if (self.min..=self.max).contains(&value) {
            return Ok(value);
        }
        Err(format!("{} is between {} and {}", self.name, self.show(self.min), self.show(self.max)))
    }

    /// How a value of this limit is written, for people.
    pub(crate) fn grammar(&self) -> &'static str {
        match self.kind {
            LimitKind::Time => "a time: a whole number and ms, s, m, h or d, such as 20s",
            LimitKind::Size => "a size: a whole number and B, KiB, MiB or GiB, such as 64MiB",
            LimitKind::Count => "a whole number",
        }
    }
}

const TIMES: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: &[(&str, u64)] = &[("B", 1), ("KiB", KIB), ("MiB", MIB), ("GiB", GIB)];

fn largest_unit(value: u64, units: &[(&str, u64)]) -> String {
    let unit =
        units.iter().rev().find(|(_, scale)| value > 0 && value.is_multiple_of(*scale)).or(units.first());
    unit.map_or_else(|| value.to_string(), |(name, scale)| format!("{}{name}", value / scale))
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, limit) in Self::TABLE.iter().enumerate() {
            let value = self.value(limit.name).unwrap_or(limit.default);
            write!(f, "{}{} {}", if index == 0 { "" } else { ", " }, limit.name, limit.show(value))?;
        }
        Ok(())
    }
}

impl Serialize for LimitKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Time => "time",
            Self::Size => "size",
            Self::Count => "count",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<u64, String> {
        Limit::named(name).expect("a limit of the table").read(text)
    }

    #[test]
    fn values_have_units_and_bounds() {
        assert_eq!(read("time", "20s"), Ok(20_000));
        assert_eq!(read("time", "2m"), Ok(120_000));
        assert_eq!(read("memory", "64MiB"), Ok(64 << 20));
        assert_eq!(read("memory", "1 GiB"), Ok(1 << 30));
        assert_eq!(read("requests", "0"), Ok(0));
        assert_eq!(read("cpu_millis", "1500"), Ok(1_500));
        for (name, bad) in [
            ("time", "20"),
            ("time", "0s"),
            ("time", "s"),
            ("time", "11m"),
            ("time", "1h"),
            ("time", "-1s"),
            ("time", "1.5s"),
            ("time", "99999999999999999999s"),
            ("memory", "64"),
            ("memory", "64MB"),
            ("memory", "64M"),
            ("memory", "8GiB"),
            ("memory", "1KiB"),
            ("handles", "0"),
            ("handles", "1s"),
            ("handles", ""),
            ("cpu_millis", "1.5"),
            ("sandbox_memory", "1MiB"),
            ("sessions", "0"),
        ] {
            assert!(read(name, bad).is_err(), "{name}: {bad} was taken");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for limit in Limits::TABLE {
            for value in [limit.default, limit.min, limit.max] {
                assert_eq!(limit.read(&limit.show(value)), Ok(value), "{}", limit.name);
            }
            assert_eq!(Limits::default().value(limit.name), Some(limit.default));
        }
    }
}
