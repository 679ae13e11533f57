//! The records of a log, one after the other.

use std::io::{self, Read};

use packhost_keyring::PublicKeys;
use sha2::{Digest as _, Sha256};

use super::ends::{Ends, Record};
use super::expect::Expect;
use super::report::{Finding, Proven, Report, What};
use super::snapshot::Snapshot;
use crate::error::{AuditError, failed};
use crate::log::{
    CheckpointBody, Found, Hash, Ledger, Line, Lines, Position, Recovered, Removed, SegmentBody, TORN,
};
use crate::moment::Moment;

/// What has been read, and what is to come.
pub(super) struct Records<'a> {
    snapshot: &'a Snapshot,
    keys: &'a PublicKeys,
    ledger: &'a Ledger,
    ends: Ends,
    report: Report,
    expect: Expect,
    /// The time of the last record.
    time: Moment,
    /// Which log it is of.
    chain: Option<String>,
    /// Which key signed the last checkpoint, in the order of their use.
    generation: usize,
    /// The last record closes its segment.
    closed: bool,
    at: Place,
}

/// Where the line stands that is being looked at.
#[derive(Default)]
struct Place {
    segment: u64,
    file: String,
    line: u64,
    byte: u64,
}

impl<'a> Records<'a> {
    pub(super) fn new(
        snapshot: &'a Snapshot,
        keys: &'a PublicKeys,
        ledger: &'a Ledger,
        ends: Ends,
        report: Report,
    ) -> Self {
        let first = snapshot.segments.first().map_or(u64::MAX, |(number, _)| *number);
        // Segments that were sealed and not yet removed are read like all others.
        let before = ledger.entries.iter().rfind(|sealed| sealed.segment < first);
        let before = before.map(|sealed| Position { n: sealed.last, hash: sealed.hash });
        let expect = Expect::behind(before.unwrap_or_else(super::nothing));
        Self {
            snapshot,
            keys,
            ledger,
            ends,
            report,
            expect,
            time: Moment::default(),
            chain: None,
            generation: 0,
            closed: true,
            at: Place::default(),
        }
    }

    fn add(&mut self, what: What, n: Option<u64>, expected: impl Into<String>, found: impl Into<String>) {
        let Place { file, line, byte, .. } = &self.at;
        let (expected, found) = (expected.into(), found.into());
        self.report.add(Finding { what, file: file.clone(), line: *line, byte: *byte, n, expected, found });
    }

    /// Segments that are not there, from the first to before the second.
    pub(super) fn missing_segments(&mut self, from: u64, to: u64) {
        let file = self.snapshot.directory.segment(from);
        self.at = Place { segment: from, file: name(&file), line: 0, byte: 0 };
        let n = Some(self.expect.first().n + 1);
        let found =
            if from + 1 == to { "no file".into() } else { format!("no file, nor any before segment {to}") };
        self.add(What::Segment, n, format!("segment {from}"), found);
        self.closed = true;
    }

    /// Reads a segment.
    pub(super) fn segment(&mut self, number: u64, size: u64) -> Result<(), AuditError> {
        let path = self.snapshot.directory.segment(number);
        let file = self.snapshot.directory.read_from(&path).map_err(failed(&path))?;
        if !self.closed && self.report.segments > 0 {
            let before = self.report.last.map(|last| last.n + 1);
            self.add(What::Segment, before, "a checkpoint that closes the segment", "the end of the segment");
        }
        self.at = Place { segment: number, file: name(&path), line: 0, byte: 0 };
        self.report.segments += 1;
        let mut lines = Lines::between(&file, 0, size);
        let mut first = true;
        while let Some(found) = lines.next().map_err(failed(&path))? {
            self.at.line += 1;
            match found {
                Found::Torn(byte) => self.torn(byte),
                Found::TooLong(byte) => {
                    self.at.byte = byte;
                    self.malformed("the line is longer than a record", &[]);
                }
                Found::Line(byte, bytes) => {
                    self.at.byte = byte;
                    match Line::parse(bytes) {
                        Ok(line) => self.record(&line, first, byte + bytes.len() as u64 + 1),
                        Err(why) => self.malformed(why, bytes),
                    }
                }
            }
            first = false;
        }
        self.sealed(number);
        Ok(())
    }

    /// The last line has no end.
    fn torn(&mut self, byte: u64) {
        self.at.byte = byte;
        if Some(self.at.segment) == self.snapshot.segments.last().map(|(number, _)| *number) {
            self.report.torn = Some(byte);
        } else {
            let n = Some(self.expect.first().n + 1);
            self.add(What::Malformed, n, "a record", "a line without an end");
        }
    }

    fn malformed(&mut self, why: &str, bytes: &[u8]) {
        let n = self.expect.first().n + 1;
        self.add(What::Malformed, Some(n), "a record", why);
        let (own, json) = bytes.split_at_checked(64).unwrap_or_default();
        let own = std::str::from_utf8(own).ok().and_then(|own| own.parse().ok());
        self.expect.in_spite_of(n, own, json.get(1..));
    }

    fn record(&mut self, line: &Line<'_>, first: bool, end: u64) {
        let envelope = &line.envelope;
        let position = Position { n: envelope.n, hash: line.own };
        self.report.records += 1;
        self.report.first = self.report.first.or(Some(position.n));
        let Place { segment, .. } = self.at;
        let record = Record { position, segment, end, time: envelope.time, kind: envelope.kind };
        self.ends.see(&record);
        if first {
            self.begins(line);
        } else if self.closed || envelope.kind == SegmentBody::KIND {
            let found = format!("a record of kind {}", envelope.kind);
            let expected = if self.closed { "the end of the segment" } else { "another kind of record" };
            self.add(What::Segment, Some(position.n), expected, found);
        }
        self.closed = false;
        match self.expect.fits(line) {
            Some(before) => {
                self.expect.go_on(position);
                self.report.last = Some(position);
                self.fits(line, before);
            }
            None => self.misfits(line),
        }
    }

    /// A record that stands where it should.
    fn fits(&mut self, line: &Line<'_>, before: Position) {
        let envelope = &line.envelope;
        if envelope.time < self.time {
            self.add(
                What::Time,
                Some(envelope.n),
                format!("{} or later", self.time),
                envelope.time.to_string(),
            );
        }
        self.time = self.time.max(envelope.time);
        match envelope.kind {
            CheckpointBody::KIND => self.checkpoint(line, before),
            Recovered::KIND => self.recovered(line),
            Removed::KIND => self.removed(line),
            _ => {}
        }
    }

    /// One that does not.
    fn misfits(&mut self, line: &Line<'_>) {
        let (n, before) = (line.envelope.n, self.expect.first());
        let next = before.n + 1;
        let computed = before.hash.after(line.json.as_bytes());
        match n.cmp(&next) {
            std::cmp::Ordering::Greater => {
                self.add(What::Missing, Some(next), format!("record {next}"), format!("record {n}"));
            }
            std::cmp::Ordering::Less => {
                self.add(What::Repeated, Some(n), format!("record {next}"), format!("record {n}"));
            }
            std::cmp::Ordering::Equal => {
                self.add(What::Changed, Some(n), format!("hash {computed}"), format!("hash {}", line.own));
            }
        }
        self.report.last =
            self.report.last.filter(|last| last.n > n).or(Some(Position { n, hash: line.own }));
        self.expect.in_spite_of(n, Some(line.own), Some(line.json.as_bytes()));
        if line.envelope.kind == CheckpointBody::KIND {
            let body = serde_json::from_str::<CheckpointBody>(line.envelope.body);
            self.closed = body.is_ok_and(|body| body.closes);
        }
    }

    /// The first record of a segment: what it says of itself.
    fn begins(&mut self, line: &Line<'_>) {
        let n = Some(line.envelope.n);
        let body = serde_json::from_str::<SegmentBody>(line.envelope.body);
        let Ok(body) = body
            .as_ref()
            .map_err(drop)
            .and_then(|body| if line.envelope.kind == SegmentBody::KIND { Ok(body) } else { Err(()) })
        else {
            let found = format!("a record of kind {}", line.envelope.kind);
            self.add(What::Segment, n, format!("the beginning of segment {}", self.at.segment), found);
            return;
        };
        if body.segment != self.at.segment {
            let found = format!("that of segment {}", body.segment);
            self.add(What::Segment, n, format!("the beginning of segment {}", self.at.segment), found);
        }
        match &self.chain {
            Some(chain) if *chain != body.chain => {
                self.add(
                    What::Segment,
                    n,
                    format!("a segment of log {chain}"),
                    format!("one of log {}", body.chain),
                );
            }
            Some(_) => {}
            None => self.chain = Some(body.chain.clone()),
        }
        let known = self.expect.first();
        if known.hash != body.previous {
            // Behind a segment that is missing, its own word is all that there is.
            let place = Position { n: line.envelope.n.saturating_sub(1), hash: body.previous };
            if self.report.records == 1 || known.n != place.n {
                let (next, found) = (known.n + 1, format!("record {}", line.envelope.n));
                self.add(What::Missing, Some(next), format!("record {next}"), found);
            } else {
                let found = format!("one behind hash {}", body.previous);
                self.add(What::Changed, n, format!("a segment behind hash {}", known.hash), found);
            }
            self.expect.restart(place);
        }
    }

    fn checkpoint(&mut self, line: &Line<'_>, before: Position) {
        let n = Some(line.envelope.n);
        let Ok(body) = serde_json::from_str::<CheckpointBody>(line.envelope.body) else {
            return self.add(What::Checkpoint, n, "a checkpoint", "a record that is none");
        };
        self.closed = body.closes;
        let checkpoint = body.checkpoint;
        if let Err(error) = checkpoint.verify(self.keys) {
            return self.add(
                What::Checkpoint,
                n,
                "a checkpoint that is signed by a known key",
                error.to_string(),
            );
        }
        if checkpoint.position() != before {
            let expected = format!("record {} with hash {}, as was signed", checkpoint.n, checkpoint.hash);
            let since = self.report.proven.as_ref().map_or(0, |proven| proven.n);
            let found = format!(
                "record {} with hash {}: something after record {since} was changed",
                before.n, before.hash
            );
            return self.add(What::Checkpoint, n, expected, found);
        }
        let id = checkpoint.signature.key_id;
        let generation = self.keys.generation(&id).unwrap_or_default();
        if generation < self.generation {
            return self.add(
                What::Checkpoint,
                n,
                "a key that was not retired before",
                format!("a signature of {id}"),
            );
        }
        self.generation = generation;
        self.report.checkpoints += 1;
        if self.report.is_intact() {
            let Position { n, hash } = before;
            self.report.proven = Some(Proven { n, hash, key_id: id, time: line.envelope.time });
        }
    }

    /// The file with what was cut off has to be there, unchanged.
    fn recovered(&mut self, line: &Line<'_>) {
        let n = Some(line.envelope.n);
        let Ok(body) = serde_json::from_str::<Recovered>(line.envelope.body) else {
            return self.add(What::Torn, n, "what was cut off", "a record that does not say it");
        };
        let prefix = format!("{:08}.", self.at.segment.saturating_sub(1));
        let own = format!("{:08}.", self.at.segment);
        let plain = body.file.ends_with(TORN)
            && (body.file.starts_with(&own) || body.file.starts_with(&prefix))
            && !body.file.contains('/');
        let digest = plain.then(|| self.digest(&body.file, body.bytes));
        match digest {
            Some(Ok(digest)) if digest == body.sha256 => {}
            Some(Ok(digest)) => {
                self.add(What::Torn, n, format!("{} with {}", body.file, body.sha256), digest.to_string());
            }
            // It goes with the segment that it was cut off.
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound && !body.file.starts_with(&own) => {}
            Some(Err(error)) => self.add(What::Torn, n, body.file, error.to_string()),
            None => self.add(What::Torn, n, "a file of this segment", body.file),
        }
    }

    /// The digest of a file of so many bytes.
    fn digest(&self, file: &str, bytes: u64) -> io::Result<packhost_core::Digest> {
        let file = self.snapshot.directory.read_from(&self.snapshot.directory.file(file))?;
        let mut file = file.take(bytes.saturating_add(1));
        let (mut hash, mut chunk) = (Sha256::new(), vec![0; 64 << 10]);
        loop {
            match file.read(&mut chunk)? {
                0 => return crate::log::digest(hash),
                read => hash.update(&chunk[..read]),
            }
        }
    }

    /// What retention removed has to be what `sealed` says.
    fn removed(&mut self, line: &Line<'_>) {
        let n = Some(line.envelope.n);
        let Ok(body) = serde_json::from_str::<Removed>(line.envelope.body) else {
            return self.add(What::Sealed, n, "what was removed", "a record that does not say it");
        };
        let entry = self.ledger.entries.iter().find(|sealed| sealed.segment == body.segment);
        let same = |hash: &Hash, last: u64| (*hash, last) == (body.hash, body.last);
        if !entry.is_some_and(|sealed| same(&sealed.hash, sealed.last)) {
            let found = entry.map_or("none".into(), |sealed| format!("hash {}", sealed.hash));
            self.add(
                What::Sealed,
                n,
                format!("segment {} with hash {} in sealed", body.segment, body.hash),
                found,
            );
        }
    }

    /// A segment that is in `sealed` and was not removed yet ends as that says.
    fn sealed(&mut self, number: u64) {
        let Some(entry) = self.ledger.entries.iter().find(|sealed| sealed.segment == number) else { return };
        let (expected, found) = (Position { n: entry.last, hash: entry.hash }, self.report.last);
        if found != Some(expected) {
            let found =
                found.map_or("none".into(), |last| format!("record {} with hash {}", last.n, last.hash));
            let expected =
                format!("record {} with hash {} at the end, as is in sealed", expected.n, expected.hash);
            self.add(What::Sealed, Some(entry.last), expected, found);
        }
    }

    /// Holds the log to what is known beside it.
    pub(super) fn done(mut self) -> Report {
        let file = self.snapshot.segments.last().map(|(number, _)| self.snapshot.directory.segment(*number));
        let file = file.map_or_else(|| name(&self.snapshot.directory.segment(1)), |path| name(&path));
        self.ends.check(&file, &mut self.report);
        self.report
    }
}

fn name(path: &std::path::Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
