//! Standard input of a program: what the host sent and the program has not taken.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use packhost_session_protocol::limits;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

/// What ends the input of a terminal: `VEOF` (termios(3)) as terminals are set at first.
const END_OF_TRANSMISSION: u8 = 4;

/// Standard input of a program.
#[derive(Debug, Default)]
pub(super) struct Input {
    queue: RefCell<VecDeque<u8>>,
    received: Cell<u64>,
    end: Cell<bool>,
    closed: Cell<bool>,
    more: Notify,
    room: Notify,
}

impl Input {
    /// One that is at its end: what comes for it is thrown away.
    pub(super) fn closed() -> Self {
        let input = Self::default();
        input.closed.set(true);
        input
    }

    /// How many bytes came from the host.
    pub(super) fn received(&self) -> u64 {
        self.received.get()
    }

    /// How many of them the program has taken, or will never take.
    pub(super) fn taken(&self) -> u64 {
        self.received.get() - self.queue.borrow().len() as u64
    }

    /// Whether what comes is thrown away.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Bytes from the host. A host that sends more than [`limits::UNCONFIRMED`] ahead of the program waits, and with it
    /// all else that it says in this exchange. Where this is not awaited to its end, nothing was received.
    pub(super) async fn give(&self, bytes: &[u8]) {
        while !self.closed.get() && self.queue.borrow().len() >= limits::UNCONFIRMED {
            self.room.notified().await;
        }
        self.received.set(self.received.get() + bytes.len() as u64);
        if !self.closed.get() && !self.end.get() {
            self.queue.borrow_mut().extend(bytes);
            self.more.notify_one();
        }
    }

    /// The host sends no more.
    pub(super) fn end(&self) {
        self.end.set(true);
        self.more.notify_one();
    }

    /// Nobody takes any of it any more.
    pub(super) fn close(&self) {
        self.closed.set(true);
        *self.queue.borrow_mut() = VecDeque::new();
        self.room.notify_one();
    }

    /// Writes what comes until the program or the host ends it, and says each time that some was taken. Cancel-safe.
    pub(super) async fn pump(&self, to: AsyncFd<OwnedFd>, terminal: bool, taken: &Notify) {
        loop {
            while self.queue.borrow().is_empty() {
                if self.end.get() {
                    if terminal {
                        let end = [END_OF_TRANSMISSION];
                        let write = |fd: &OwnedFd| rustix::io::write(fd, &end).map_err(Into::into);
                        let _ = to.async_io(Interest::WRITABLE, write).await;
                    }
                    return;
                }
                self.more.notified().await;
            }
            let wrote = to.async_io(Interest::WRITABLE, |fd| {
                rustix::io::write(fd, self.queue.borrow().as_slices().0).map_err(Into::into)
            });
            match wrote.await {
                Ok(wrote) => {
                    self.queue.borrow_mut().drain(..wrote);
                    self.room.notify_one();
                }
                Err(_) => {
                    self.close();
                    taken.notify_one();
                    return;
                }
            }
            taken.notify_one();
        }
    }
}
