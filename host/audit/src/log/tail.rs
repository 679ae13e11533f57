//! The end of the chain, as far as it was read: what the next record stands behind.

use std::fs::File;

use serde::{Deserialize, Serialize};

use super::checkpoint::CheckpointBody;
use super::ends::Mark;
use super::line::Line;
use super::reader::{Found, Lines};
use super::{Hash, Position};
use crate::moment::Moment;

/// The body of the first record of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentBody {
    /// The version of the format.
    pub(crate) format: u32,
    /// The number of the segment.
    pub(crate) segment: u64,
    /// The hash of the record before it, the last of the segment before.
    pub(crate) previous: Hash,
    /// Random digits, the same in all segments of a log: no other log is taken for this one.
    pub(crate) chain: String,
}

impl SegmentBody {
    pub(crate) const KIND: &'static str = "segment";
    /// The version that this host writes.
    pub(crate) const FORMAT: u32 = 1;
}

/// How far the chain was read in one segment.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    pub(crate) last: Position,
    /// The time of the last record, which none after it is before.
    pub(crate) time: Moment,
    pub(crate) segment: u64,
    /// The byte behind the last record.
    pub(crate) end: u64,
    /// What the clock said when the segment began.
    pub(crate) began: Moment,
    /// The segment has records besides its first.
    pub(crate) used: bool,
    /// The last record closes the segment.
    pub(crate) closed: bool,
    /// The newest checkpoint that was read or written.
    pub(crate) mark: Option<Mark>,
    pub(crate) chain: String,
}

/// Where the chain does not go on, though there are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) byte: u64,
    pub(crate) why: String,
    /// It is the last line, and has no end.
    pub(crate) torn: bool,
}

impl Tail {
    /// Before the first record of this segment.
    pub(crate) fn before(segment: u64, last: Position, time: Moment, chain: String) -> Self {
        let (end, mark) = (0, None);
        Self { last, time, segment, end, began: time, used: false, closed: false, mark, chain }
    }

    /// Reads on from the end to this byte of the segment's file. What does not belong to the chain is said and stays unread.
    /// `also` is told of each record's place.
    pub(crate) fn read_on(
        &mut self,
        file: &File,
        until: u64,
        mut also: impl FnMut(Position),
    ) -> std::io::Result<Option<Broken>> {
        let mut lines = Lines::between(file, self.end, until);
        while let Some(found) = lines.next()? {
            let broken = |byte, why: &str| Ok(Some(Broken { byte, why: why.into(), torn: false }));
            match found {
                Found::Torn(byte) => {
                    return Ok(Some(Broken { byte, why: "the last line has no end".into(), torn: true }));
                }
                Found::TooLong(byte) => return broken(byte, "the line is longer than a record"),
                Found::Line(byte, bytes) => match Line::parse(bytes) {
                    Err(why) => return broken(byte, why),
                    Ok(line) => {
                        if let Err(why) = self.take(&line, byte + bytes.len() as u64 + 1) {
                            return broken(byte, why);
                        }
                        also(self.last);
                    }
                },
            }
        }
        Ok(None)
    }

    /// Goes on by a record that ends before this byte, if it is the next one.
    fn take(&mut self, line: &Line<'_>, end: u64) -> Result<(), &'static str> {
        let envelope = line.envelope;
        if self.closed {
            return Err("a record stands behind the one that closes the segment");
        }
        if envelope.n != self.last.n + 1 {
            return Err("its n is not the next one");
        }
        if !line.follows(&self.last.hash) {
            return Err("its hash is not that of the record and those before it");
        }
        if self.end == 0 {
            let body: SegmentBody = serde_json::from_str(envelope.body)
                .map_err(|_| "the first record of a segment says nothing of the segment")?;
            if envelope.kind != SegmentBody::KIND || body.segment != self.segment {
                return Err("the first record is not that of this segment");
            }
            if body.format != SegmentBody::FORMAT {
                return Err("the segment has a format that this host does not know");
            }
            self.chain = body.chain;
            self.began = envelope.reading();
        }
        let closes = envelope.kind == CheckpointBody::KIND
            && serde_json::from_str::<CheckpointBody>(envelope.body).is_ok_and(|body| body.closes);
        self.advance(Position { n: envelope.n, hash: line.own }, envelope.time, end, envelope.kind);
        self.closed = closes;
        Ok(())
    }

    /// Goes on by a record that was written or read.
    pub(crate) fn advance(&mut self, position: Position, time: Moment, end: u64, kind: &str) {
        self.used = self.end > 0;
        self.last = position;
        self.time = self.time.max(time);
        self.end = end;
        if kind == CheckpointBody::KIND {
            self.mark = Some(Mark { position, segment: self.segment, end });
        }
    }

    /// Records that no checkpoint covers.
    pub(crate) fn uncovered(&self) -> u64 {
        self.last.n - self.mark.map_or(0, |mark| mark.position.n.min(self.last.n))
    }
}
