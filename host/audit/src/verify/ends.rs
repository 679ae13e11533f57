//! What is known of the log beside the log, `head`, `synced` and checkpoints that were kept, against what the log says.

use packhost_keyring::PublicKeys;

use super::report::{Finding, Proven, Report, What};
use super::snapshot::Snapshot;
use crate::log::{Checkpoint, HEAD, Head, LAST, Position, SYNCED};
use crate::moment::Moment;

/// What a checkpoint is called that the caller has.
const KEPT: &str = "kept checkpoint";

/// What the log has to fit.
pub(super) struct Ends {
    head: Option<Head>,
    synced: Option<Position>,
    /// What the ring of keys remembers.
    last: Option<Checkpoint>,
    kept: Vec<Checkpoint>,
    /// What the log has at the places that they speak of.
    seen: Vec<(Position, Option<Seen>)>,
    /// The newest checkpoint in the log that `head` may not be older than.
    covered: Option<u64>,
}

/// A record that was looked for.
#[derive(Clone, Copy)]
struct Seen {
    position: Position,
    segment: u64,
    end: u64,
    time: Moment,
    is_checkpoint: bool,
}

/// A record as it stands in the log.
pub(super) struct Record<'a> {
    pub(super) position: Position,
    pub(super) segment: u64,
    /// The byte behind it.
    pub(super) end: u64,
    pub(super) time: Moment,
    pub(super) kind: &'a str,
}

impl Ends {
    /// What stands beside the log, and the signatures on it.
    pub(super) fn of(
        snapshot: &Snapshot,
        keys: &PublicKeys,
        kept: &[Checkpoint],
        report: &mut Report,
    ) -> Self {
        let (mut head, mut synced) = (None, None);
        match &snapshot.head {
            Err(why) => report.add(whole(What::Head, HEAD, None, "a checkpoint", why)),
            Ok(None) => {}
            Ok(Some(found)) => match found.checkpoint.verify(keys) {
                Ok(()) => head = Some(found.clone()),
                Err(error) => {
                    let n = Some(found.checkpoint.n);
                    report.add(whole(What::Head, HEAD, n, "a checkpoint that is signed", &error.to_string()));
                }
            },
        }
        match &snapshot.synced {
            Err(why) => report.add(whole(What::Synced, SYNCED, None, "the last record on the disk", why)),
            Ok(None) => {
                report.add(whole(What::Synced, SYNCED, None, "the last record on the disk", "no file"))
            }
            Ok(Some(found)) => synced = Some(*found),
        }
        let mut signed = |checkpoint: &Checkpoint, what, name| {
            let verified = checkpoint.verify(keys).map_err(|error| error.to_string());
            let wrong = |found: &String| {
                report.add(whole(what, name, Some(checkpoint.n), "a checkpoint that is signed", found));
            };
            verified.inspect_err(wrong).is_ok()
        };
        let last = snapshot.last.clone().filter(|last| signed(last, What::Last, LAST));
        let kept = kept.iter().filter(|kept| signed(kept, What::Kept, KEPT));
        let kept: Vec<Checkpoint> = kept.cloned().collect();
        let places = head.iter().map(|head| head.checkpoint.position()).chain(synced);
        let places = places.chain(last.iter().chain(&kept).map(Checkpoint::position));
        let seen = places.map(|position| (position, None)).collect();
        Self { head, synced, last, kept, seen, covered: None }
    }

    /// Takes note of a record, whatever is wrong with it.
    pub(super) fn see(&mut self, record: &Record<'_>) {
        let is_checkpoint = record.kind == crate::log::CheckpointBody::KIND;
        let Record { position, segment, end, time, .. } = *record;
        for (place, seen) in &mut self.seen {
            if place.n == position.n && seen.is_none_or(|seen| seen.position != *place) {
                *seen = Some(Seen { position, segment, end, time, is_checkpoint });
            }
        }
        if is_checkpoint && self.synced.is_some_and(|synced| position.n <= synced.n) {
            self.covered = Some(position.n);
        }
    }

    fn seen(&self, position: Position) -> Option<Seen> {
        self.seen.iter().find(|(place, _)| *place == position).and_then(|(_, seen)| *seen)
    }

    /// Holds the log to all of it.
    pub(super) fn check(&self, file: &str, report: &mut Report) {
        self.check_head(file, report);
        if let Some(synced) = self.synced {
            self.check_place(What::Synced, SYNCED, synced, file, report);
        }
        if let Some(last) = &self.last
            && self.check_place(What::Last, LAST, last.position(), file, report)
        {
            self.prove(last, report);
        }
        for checkpoint in &self.kept {
            let position = checkpoint.position();
            if report.removed.is_some_and(|removed| position.n < removed.n)
                && report.first.is_none_or(|first| position.n < first)
            {
                report.kept_removed.push(position.n);
            } else if self.check_place(What::Kept, KEPT, position, file, report) {
                report.kept.push(position.n);
                self.prove(checkpoint, report);
            }
        }
    }

    fn check_head(&self, file: &str, report: &mut Report) {
        let Some(head) = &self.head else {
            let known = report.findings.iter().any(|finding| finding.what == What::Head);
            if !known && (self.covered.is_some() || report.segments > 1) {
                report.add(whole(What::Head, HEAD, self.covered, "the newest checkpoint", "no file"));
            }
            return;
        };
        let position = head.checkpoint.position();
        if !self.check_place(What::Head, HEAD, position, file, report) {
            return;
        }
        if let Some(seen) = self.seen(position)
            && (seen.segment, seen.end, seen.is_checkpoint) != (head.segment, head.end, true)
        {
            let expected =
                format!("the checkpoint that ends at byte {} of segment {}", seen.end, seen.segment);
            let found = format!("byte {} of segment {}", head.end, head.segment);
            report.add(whole(What::Head, HEAD, Some(position.n), &expected, &found));
        }
        if let Some(n) = self.covered.filter(|n| *n > position.n) {
            let (expected, found) =
                (format!("the checkpoint at {n}"), format!("an older one, at {}", position.n));
            report.add(whole(What::Head, HEAD, Some(n), &expected, &found));
        }
        self.prove(&head.checkpoint, report);
    }

    /// Whether the log has this record.
    fn check_place(&self, what: What, name: &str, place: Position, file: &str, report: &mut Report) -> bool {
        let Position { n, hash } = place;
        let last = report.last.or(report.removed).map_or(0, |last| last.n);
        match self.seen(place) {
            Some(seen) if seen.position.hash == hash => true,
            Some(seen) => {
                let found = format!("{} with hash {}", n, seen.position.hash);
                report.add(whole(
                    what,
                    name,
                    Some(n),
                    &format!("record {n} with hash {hash}, as it says"),
                    &found,
                ));
                false
            }
            None if n > last => {
                let found = format!("an end behind record {last}");
                report.add(whole(
                    What::Truncated,
                    file,
                    Some(last + 1),
                    &format!("record {n}, which {name} has"),
                    &found,
                ));
                false
            }
            // Removed, or before the first record of all.
            None if report.removed == Some(place) || place == super::nothing() => true,
            None if report.removed.is_some_and(|removed| n < removed.n) => what != What::Kept,
            None => {
                report.add(whole(
                    what,
                    name,
                    Some(n),
                    &format!("record {n} with hash {hash}, as it says"),
                    "none",
                ));
                false
            }
        }
    }

    /// What a checkpoint beside the log proves of it.
    fn prove(&self, checkpoint: &Checkpoint, report: &mut Report) {
        let newer = report.proven.as_ref().is_none_or(|proven| proven.n < checkpoint.n);
        if let Some(seen) = self.seen(checkpoint.position()).filter(|_| newer && report.is_intact()) {
            report.proven = Some(Proven {
                n: checkpoint.n,
                hash: checkpoint.hash,
                key_id: checkpoint.signature.key_id,
                time: seen.time,
            });
        }
    }
}

/// A finding about a file as a whole.
pub(super) fn whole(what: What, file: &str, n: Option<u64>, expected: &str, found: &str) -> Finding {
    let (expected, found) = (expected.to_owned(), found.to_owned());
    Finding { what, file: file.to_owned(), line: 0, byte: 0, n, expected, found }
}
