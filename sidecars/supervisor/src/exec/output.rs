//! One output of a program: read as long as there is room, kept until the host has it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use packhost_session_protocol::limits;
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

thread_local! {
    /// What is read is first here. Not on the stack, whose pages would all be touched, and be copied after each fork.
    static PIECE: RefCell<Vec<u8>> = RefCell::new(vec![0; limits::DATA]);
}

/// One output of a program.
#[derive(Debug, Default)]
pub(super) struct Output {
    kept: RefCell<Kept>,
    ended: Cell<bool>,
    room: Notify,
}

/// What was read and is not confirmed.
#[derive(Debug, Default)]
struct Kept {
    /// How many bytes of the output were confirmed, and are here no more.
    confirmed: u64,
    bytes: VecDeque<u8>,
}

impl Kept {
    fn end(&self) -> u64 {
        self.confirmed + self.bytes.len() as u64
    }
}

/// A count of bytes that cannot be: beyond what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfRange;

impl Output {
    /// One that is at its end.
    pub(super) fn closed() -> Self {
        let output = Self::default();
        output.ended.set(true);
        output
    }

    /// Whether all of it was sent, to a host that has this many bytes.
    pub(super) fn is_sent(&self, sent: u64) -> bool {
        self.ended.get() && sent == self.kept.borrow().end()
    }

    /// The host has this many bytes. What it says twice, or too late, changes nothing.
    pub(super) fn confirm(&self, count: u64) -> Result<(), OutOfRange> {
        let mut kept = self.kept.borrow_mut();
        if count > kept.end() {
            return Err(OutOfRange);
        }
        let fresh = usize::try_from(count.saturating_sub(kept.confirmed)).map_err(|_| OutOfRange)?;
        if fresh > 0 {
            kept.bytes.drain(..fresh);
            kept.confirmed = count;
            if kept.bytes.is_empty() && self.ended.get() {
                kept.bytes = VecDeque::new();
            }
            self.room.notify_one();
        }
        Ok(())
    }

    /// How many bytes were confirmed, and are here no more.
    pub(super) fn confirmed(&self) -> u64 {
        self.kept.borrow().confirmed
    }

    /// What comes after this many bytes, at most [`limits::DATA`] of it; empty where nothing is here.
    pub(super) fn after(&self, count: u64) -> Vec<u8> {
        let kept = self.kept.borrow();
        let skip = usize::try_from(count.saturating_sub(kept.confirmed)).unwrap_or(usize::MAX);
        let (first, second) = kept.bytes.as_slices();
        let mut piece = Vec::new();
        if skip < first.len() {
            piece.extend_from_slice(&first[skip..first.len().min(skip + limits::DATA)]);
        }
        let skip = skip.saturating_sub(first.len());
        if skip < second.len() && piece.len() < limits::DATA {
            let room = limits::DATA - piece.len();
            piece.extend_from_slice(&second[skip..second.len().min(skip + room)]);
        }
        piece
    }

    /// Reads until the end, as far as there is room, and says after each piece that there is one. Cancel-safe.
    pub(super) async fn pump(&self, from: &AsyncFd<OwnedFd>, fresh: &Notify) {
        while !self.ended.get() {
            let room = self.room().await;
            let read = from.async_io(Interest::READABLE, |fd| self.read(fd, room).map_err(Into::into)).await;
            if read.is_err() {
                self.ended.set(true);
            }
            fresh.notify_one();
        }
    }

    /// Reads what is still there of a program that is gone, as far as there is room, and then takes it for its end: who
    /// else has it open is none of the program.
    pub(super) async fn drain(&self, from: &AsyncFd<OwnedFd>, fresh: &Notify) {
        while !self.ended.get() {
            let room = self.room().await;
            if self.read(from.get_ref(), room).is_err() {
                self.ended.set(true);
            }
            fresh.notify_one();
        }
    }

    /// How many bytes there is room for: 1 to [`limits::DATA`].
    async fn room(&self) -> usize {
        loop {
            let room = limits::UNCONFIRMED.saturating_sub(self.kept.borrow().bytes.len());
            if room > 0 {
                return room.min(limits::DATA);
            }
            self.room.notified().await;
        }
    }

    fn read(&self, from: &OwnedFd, room: usize) -> Result<(), Errno> {
        match PIECE.with_borrow_mut(|piece| self.read_into(&mut piece[..room], from)) {
            Ok(()) => {}
            // What a terminal says once nobody has it open.
            Err(Errno::IO) => self.ended.set(true),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn read_into(&self, piece: &mut [u8], from: &OwnedFd) -> Result<(), Errno> {
        match rustix::io::read(from, &mut *piece)? {
            0 => self.ended.set(true),
            read => self.kept.borrow_mut().bytes.extend(&piece[..read]),
        }
        Ok(())
    }
}
