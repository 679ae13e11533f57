//! The records of a log, one after the other.

use packhost_keyring::PublicKeys;

use super::ends::{Ends, Record};
use super::expect::Expect;
use super::report::{Finding, Report, What};
use super::snapshot::Snapshot;
use crate::error::{AuditError, failed};
use crate::log::{CheckpointBody, Found, Ledger, Line, Lines, Position, Recovered, Removed, SegmentBody};
use crate::moment::Moment;

/// What has been read, and what is to come.
pub(super) struct Records<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) keys: &'a PublicKeys,
    pub(super) ledger: &'a Ledger,
    ends: Ends,
    pub(super) report: Report,
    pub(super) expect: Expect,
    /// The time of the last record.
    time: Moment,
    /// Which log it is of.
    pub(super) chain: Option<String>,
    /// Which key signed the last checkpoint, in the order of their use.
    pub(super) generation: usize,
    /// The last record closes its segment.
    pub(super) closed: bool,
    pub(super) at: Place,
}

/// Where the line stands that is being looked at.
#[derive(Default)]
pub(super) struct Place {
    pub(super) segment: u64,
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

    pub(super) fn add(
        &mut self,
        what: What,
        n: Option<u64>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
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
