//! What the log's own records say of it: where segments begin, what was signed, cut off and removed.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::records::Records;
use super::report::{Proven, What};
use crate::log::{CheckpointBody, Hash, Line, Position, Recovered, Removed, SegmentBody, TORN};

impl Records<'_> {
    /// The first record of a segment: what it says of itself.
    pub(super) fn begins(&mut self, line: &Line<'_>) {
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

    pub(super) fn checkpoint(&mut self, line: &Line<'_>, before: Position) {
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
    pub(super) fn recovered(&mut self, line: &Line<'_>) {
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
    pub(super) fn removed(&mut self, line: &Line<'_>) {
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
    pub(super) fn sealed(&mut self, number: u64) {
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
}
