//! The bytes of a program that are on the host's side, by their offsets: what was sent and is not confirmed, and what came
//! and is not taken. Both are bounded, and both can be taken up again on another connection.

use std::collections::VecDeque;
use std::task::Waker;

use packhost_session_protocol::limits;

use super::error::Trouble;

/// How much is taken before it is confirmed, in bytes.
pub(super) const CONFIRM_EVERY: u64 = 64 * 1024;

/// No offset is beyond this one, so that sums of them stay numbers: 4 EiB.
const FARTHEST: u64 = 1 << 62;

fn length(bytes: usize) -> u64 {
    // usize is never wider than 64 bits on what this is built for.
    bytes as u64
}

/// Standard input on its way in. At most [`limits::UNCONFIRMED`] bytes are kept here, and no more than that is sent beyond
/// what the program has taken: a supervisor that has more waits for the program, and hears nothing else meanwhile.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    /// The bytes from `base` on.
    kept: VecDeque<u8>,
    /// All before this offset the supervisor has.
    base: u64,
    /// All before this offset the program has taken.
    confirmed: u64,
    /// What was sent on this connection, and on any.
    sent: u64,
    most_sent: u64,
    /// Nothing more will come.
    pub(super) ended: bool,
    end_sent: bool,
    /// The program does not read any more.
    pub(super) closed: bool,
    pub(super) writer: Option<Waker>,
}

/// What is to be sent next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    End,
}

impl Outbound {
    /// Keeps as many of the bytes as there is room for.
    pub(super) fn push(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(limits::UNCONFIRMED - self.kept.len());
        self.kept.extend(&bytes[..taken]);
        taken
    }

    /// Begins where a program stands that another host fed before.
    pub(super) fn adopt(&mut self, from: u64) -> Result<(), Trouble> {
        if from > FARTHEST {
            return Err(Trouble::protocol(format!("no program has read {from} bytes")));
        }
        (self.base, self.sent, self.most_sent) = (from, from, from);
        Ok(())
    }

    /// The program has taken all before this offset. Returns whether that is new.
    pub(super) fn confirm(&mut self, upto: u64) -> Result<bool, Trouble> {
        self.has(upto)?;
        let fresh = upto > self.confirmed;
        self.confirmed = self.confirmed.max(upto);
        Ok(fresh)
    }

    /// The supervisor has all before this offset.
    fn has(&mut self, upto: u64) -> Result<(), Trouble> {
        if upto > self.most_sent {
            let sent = self.most_sent;
            return Err(Trouble::protocol(format!(
                "it confirms {upto} bytes of standard input, where {sent} were sent"
            )));
        }
        let Some(fresh) = upto.checked_sub(self.base) else { return Ok(()) };
        // No more than was sent, and what was sent is kept.
        self.kept.drain(..usize::try_from(fresh).unwrap_or(usize::MAX).min(self.kept.len()));
        self.base = upto;
        self.sent = self.sent.max(upto);
        self.wake();
        Ok(())
    }

    /// Goes on from this offset, on another connection.
    pub(super) fn resume(&mut self, from: u64) -> Result<(), Trouble> {
        if from < self.base {
            let base = self.base;
            return Err(Trouble::protocol(format!(
                "it asks for standard input from byte {from}, and had {base} bytes before"
            )));
        }
        self.has(from)?;
        self.sent = from;
        self.end_sent = false;
        Ok(())
    }

    /// The program does not read any more: what is kept is not needed.
    pub(super) fn close(&mut self) -> bool {
        self.kept = VecDeque::new();
        let fresh = !self.closed;
        self.closed = true;
        self.wake();
        fresh
    }

    /// What is to be sent next, as sent.
    pub(super) fn next(&mut self) -> Option<Piece> {
        if self.closed {
            return None;
        }
        // Between `base` and the end of `kept`, always.
        let from = usize::try_from(self.sent - self.base).unwrap_or(usize::MAX).min(self.kept.len());
        let (front, back) = self.kept.as_slices();
        let rest = front.get(from..).filter(|rest| !rest.is_empty());
        let rest = rest.or_else(|| back.get(from - front.len().min(from)..)).unwrap_or_default();
        let window = (self.confirmed + length(limits::UNCONFIRMED)).saturating_sub(self.sent);
        let count = usize::try_from(window).unwrap_or(usize::MAX).min(limits::DATA).min(rest.len());
        if !rest.is_empty() {
            if count == 0 {
                return None;
            }
            let bytes = rest[..count].to_vec();
            self.sent += length(bytes.len());
            self.most_sent = self.most_sent.max(self.sent);
            return Some(Piece::Bytes(bytes));
        }
        if self.ended && !self.end_sent {
            self.end_sent = true;
            return Some(Piece::End);
        }
        None
    }

    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

/// One output on its way out. The supervisor sends at most [`limits::UNCONFIRMED`] bytes that are not confirmed, and only
/// what was taken is confirmed, so no more than that is ever held.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// The bytes from `taken` on.
    held: VecDeque<u8>,
    /// What the consumer has.
    taken: u64,
    /// The offset of what comes next on this connection. After a break it is less than what is held.
    next: u64,
    confirmed: u64,
    /// Nobody wants it: what comes is thrown away.
    unwanted: bool,
    pub(super) reader: Option<Waker>,
}

impl Inbound {
    /// From where another connection is asked to go on.
    pub(super) fn resume(&mut self) -> u64 {
        self.next = self.taken;
        self.confirmed = self.taken;
        self.taken
    }

    /// What the supervisor still keeps begins at this offset. Only an output that was never read here may skip some.
    pub(super) fn kept_from(&mut self, offset: u64, adopted: bool) -> Result<(), Trouble> {
        if offset <= self.next {
            return Ok(());
        }
        if !adopted || offset > FARTHEST {
            let next = self.next;
            return Err(Trouble::protocol(format!(
                "it keeps an output from byte {offset}, where {next} bytes were confirmed"
            )));
        }
        (self.taken, self.next, self.confirmed) = (offset, offset, offset);
        Ok(())
    }

    /// What came. Returns whether a confirmation is due.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<bool, Trouble> {
        let end = self.next.saturating_add(length(bytes.len()));
        let have = self.taken + length(self.held.len());
        if !self.unwanted && end.saturating_sub(self.taken) > length(limits::UNCONFIRMED) {
            return Err(Trouble::protocol(format!(
                "it sent more than {} bytes of an output that were not confirmed",
                limits::UNCONFIRMED
            )));
        }
        let known = usize::try_from(have.saturating_sub(self.next)).unwrap_or(usize::MAX).min(bytes.len());
        self.next = end;
        if self.unwanted {
            self.taken = self.taken.max(end);
        } else {
            self.held.extend(&bytes[known..]);
            self.wake();
        }
        Ok(self.is_due())
    }

    /// Takes what is there, as much as fits. Returns how much.
    pub(super) fn take(&mut self, buffer: &mut tokio::io::ReadBuf<'_>) -> usize {
        let count = self.held.len().min(buffer.remaining());
        let (front, back) = self.held.as_slices();
        let first = front.len().min(count);
        buffer.put_slice(&front[..first]);
        buffer.put_slice(&back[..count - first]);
        self.held.drain(..count);
        self.taken += length(count);
        count
    }

    /// Nobody will take anything any more.
    pub(super) fn discard(&mut self) {
        self.taken += length(self.held.len());
        self.held = VecDeque::new();
        self.unwanted = true;
    }

    pub(super) fn is_due(&self) -> bool {
        self.confirmable() - self.confirmed >= CONFIRM_EVERY
    }

    /// What was taken, as far as it came on this connection: the supervisor is told of nothing that it did not send.
    fn confirmable(&self) -> u64 {
        self.taken.min(self.next).max(self.confirmed)
    }

    /// What is confirmed now, as confirmed.
    pub(super) fn confirm(&mut self) -> u64 {
        self.confirmed = self.confirmable();
        self.confirmed
    }

    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }
}
