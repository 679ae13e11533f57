//! The table: one row per ratio, as text for people and as JSON for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::rounds::{Pair, median};
use crate::{Outcome, proc};

/// What a ratio should be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    /// The ratio is at most this.
    AtMost(f64),
    /// The ratio is at least this.
    AtLeast(f64),
    /// The ratio is more than this.
    Above(f64),
    /// The host's own number is below this, in the row's unit.
    HostBelow(f64),
    /// The host's own number is at most so much more than the other, in the row's unit.
    Adds(f64),
    /// The ratio is at most one in so many, and the host's own number below the other, in the row's unit.
    Faster { times: f64, host: f64 },
    /// The ratio is at least the one, or the host's own number at least the other, in the row's unit.
    AtLeastOr { ratio: f64, host: f64 },
}

impl Goal {
    /// The ratio that it asks for, where it asks for one alone.
    pub(crate) fn ratio(self) -> Option<f64> {
        match self {
            Self::AtMost(ratio) | Self::AtLeast(ratio) | Self::Above(ratio) => Some(ratio),
            Self::Faster { times, .. } => Some(1.0 / times),
            Self::HostBelow(_) | Self::Adds(_) | Self::AtLeastOr { .. } => None,
        }
    }
}

/// One ratio: the host's number divided by the other's.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// What the row belongs to.
    pub(crate) group: &'static str,
    /// What was measured.
    pub(crate) what: String,
    unit: &'static str,
    /// What it is held against.
    pub(crate) against: &'static str,
    host: f64,
    reference: f64,
    /// The median of the rounds' ratios.
    pub(crate) ratio: f64,
    /// The smallest and the largest ratio of a round.
    pub(crate) spread: [f64; 2],
    pub(crate) goal: Option<Goal>,
    /// Beyond this ratio something is broken, whatever the machine.
    #[serde(skip)]
    guard: Option<f64>,
    /// Whether the goal is met, where there is one.
    pub(crate) met: Option<bool>,
    rounds: usize,
}

/// Something that could not be measured here.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Missing {
    pub(crate) group: &'static str,
    pub(crate) what: String,
    pub(crate) why: String,
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Logical processors.
    pub(crate) processors: usize,
    /// The kernel's name and release.
    pub(crate) kernel: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) missing: Vec<Missing>,
}

impl Row {
    /// `unit` is that of both numbers.
    pub(crate) fn new(
        group: &'static str,
        what: impl Into<String>,
        unit: &'static str,
        against: &'static str,
        pairs: &[Pair<f64>],
    ) -> Self {
        let ratios: Vec<f64> = pairs.iter().map(|pair| pair.host / pair.reference).collect();
        let of = |side: fn(&Pair<f64>) -> f64| median(&pairs.iter().map(side).collect::<Vec<_>>());
        Self {
            group,
            what: what.into(),
            unit,
            against,
            host: of(|pair| pair.host),
            reference: of(|pair| pair.reference),
            ratio: median(&ratios),
            spread: [
                ratios.iter().copied().fold(f64::INFINITY, f64::min),
                ratios.iter().copied().fold(0.0, f64::max),
            ],
            goal: None,
            guard: None,
            met: None,
            rounds: pairs.len(),
        }
    }

    /// The same row, with a goal.
    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.met = Some(match goal {
            Goal::AtMost(most) => self.ratio <= most,
            Goal::AtLeast(least) => self.ratio >= least,
            Goal::Above(bound) => self.ratio > bound,
            Goal::HostBelow(bound) => self.host < bound,
            Goal::Adds(bound) => self.host - self.reference <= bound,
            Goal::Faster { times, host } => self.ratio <= 1.0 / times && self.host < host,
            Goal::AtLeastOr { ratio, host } => self.ratio >= ratio || self.host >= host,
        });
        self.goal = Some(goal);
        self
    }

    /// The same row, with a ratio that no machine explains.
    pub(crate) fn guard(mut self, most: f64) -> Self {
        self.guard = Some(most);
        self
    }

    /// The goal in words, with whether it is met.
    fn verdict(&self) -> String {
        let goal = match self.goal {
            None => return String::new(),
            Some(Goal::AtMost(most)) => format!("at most {most}×"),
            Some(Goal::AtLeast(least)) => format!("at least {least}×"),
            Some(Goal::Above(bound)) => format!("above {bound}×"),
            Some(Goal::HostBelow(bound)) => format!("under {bound} {}", self.unit),
            Some(Goal::Adds(bound)) => format!("at most {bound} {} more", self.unit),
            Some(Goal::Faster { times, host }) => format!("{times} times faster, under {host} {}", self.unit),
            Some(Goal::AtLeastOr { ratio, host }) => format!("at least {ratio}× or {host} {}", self.unit),
        };
        format!("{goal}: {}", if self.met == Some(true) { "met" } else { "MISSED" })
    }
}

impl Report {
    /// Of this machine, and empty.
    pub(crate) fn new() -> Self {
        let (processors, kernel) = (proc::processors(), proc::kernel());
        Self { processors, kernel, rows: Vec::new(), missing: Vec::new() }
    }

    /// Says that something cannot be measured here, and why.
    pub(crate) fn misses(
        &mut self,
        group: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Outcome<()> {
        self.missing.push(Missing { group, what: what.into(), why: why.into() });
        Ok(())
    }

    /// The rows that are beyond what any machine explains.
    pub(crate) fn far_off(&self) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.guard.is_some_and(|most| row.ratio > most)).collect()
    }

    /// The table as text, a line a ratio.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{} processors, {}. Ratio: packhost divided by the other, both measured in turns in this run;\n\
             medians over rounds, and the smallest and largest ratio of a round. Take the ratios, not the times.\n",
            self.processors, self.kernel
        );
        let mut group = "";
        for row in &self.rows {
            if row.group != group {
                group = row.group;
                // Writing to a String cannot fail.
                let _ = writeln!(text, "\n{group}\n{}", "─".repeat(group.chars().count()));
            }
            let _ = writeln!(
                text,
                "  {:<30} {:>8} {:<7} against {:>8} {:<22} {:>8} {:>16}  {}",
                row.what,
                number(row.host),
                row.unit,
                number(row.reference),
                row.against,
                format!("{}×", number(row.ratio)),
                format!("({}–{})", number(row.spread[0]), number(row.spread[1])),
                row.verdict(),
            );
        }
        for missing in &self.missing {
            let _ = writeln!(text, "\n{}: {}: not measured, {}", missing.group, missing.what, missing.why);
        }
        text
    }
}

/// Three digits that mean something.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 10_000.0 => format!("{:.1}k", value / 1000.0),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
