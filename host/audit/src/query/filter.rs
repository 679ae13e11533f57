//! Which records are wanted.

use std::borrow::Cow;

use serde::Deserialize;

use crate::log::Line;
use crate::moment::Moment;

/// Which records are wanted: those that fit all that is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Of one of these kinds; of any, where there are none.
    pub kinds: Vec<String>,
    /// About this pack.
    pub pack: Option<String>,
    /// By this caller; for sandboxes their owner, for acts who did them.
    pub caller: Option<String>,
    /// With this outcome, such as `ok` or `egress_denied`.
    pub outcome: Option<String>,
    /// Of this run.
    pub run: Option<String>,
    /// At this time or later.
    pub from: Option<Moment>,
    /// Before this time.
    pub until: Option<Moment>,
    /// With a smaller number than this.
    pub before: Option<u64>,
    /// The last so many of those, up to [`Filter::MOST`]; all of them, where nothing is said.
    pub limit: Option<usize>,
}

/// What of a body can be asked for.
#[derive(Deserialize)]
struct Facets<'a> {
    #[serde(borrow, default)]
    pack: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "owner", alias = "actor")]
    caller: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    outcome: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    run: Option<Cow<'a, str>>,
}

impl Filter {
    /// The largest limit.
    pub const MOST: usize = 100_000;

    pub(super) fn lets_through(&self, line: &Line<'_>) -> bool {
        let envelope = &line.envelope;
        let kind = self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == envelope.kind);
        let early = self.before.is_none_or(|before| envelope.n < before);
        let late = self.from.is_none_or(|from| from <= envelope.time);
        if !kind || !early || !late || self.until.is_some_and(|until| until <= envelope.time) {
            return false;
        }
        if [&self.pack, &self.caller, &self.outcome, &self.run].iter().all(|wanted| wanted.is_none()) {
            return true;
        }
        serde_json::from_str::<Facets<'_>>(envelope.body).is_ok_and(|facets| {
            let fits = |wanted: &Option<String>, found: &Option<Cow<'_, str>>| {
                wanted.as_deref().is_none_or(|wanted| found.as_deref() == Some(wanted))
            };
            fits(&self.pack, &facets.pack)
                && fits(&self.caller, &facets.caller)
                && fits(&self.outcome, &facets.outcome)
                && fits(&self.run, &facets.run)
        })
    }
}
