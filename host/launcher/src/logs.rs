//! Which logs were written to, told by the kernel when it happens (inotify(7)): a supervisor that was taken over writes as fast
//! as memory takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};

/// The logs that are watched. Where the machine has no watches left, nothing is: then a tick has to do.
#[derive(Debug)]
pub(crate) struct Logs {
    watch: Option<OwnedFd>,
    /// The sandboxes, by the number of the watch.
    names: BTreeMap<i32, String>,
}

impl Logs {
    pub(crate) fn new() -> Self {
        Self { watch: init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok(), names: BTreeMap::new() }
    }

    /// Watches the log of this sandbox, until it is removed.
    pub(crate) fn add(&mut self, id: &str, log: &Path) {
        let added = self.watch.as_ref().and_then(|watch| add_watch(watch, log, WatchFlags::MODIFY).ok());
        if let Some(number) = added {
            self.names.insert(number, id.to_owned());
        }
    }

    /// Readable once one was written to.
    pub(crate) fn interest(&self) -> Option<PollFd<'_>> {
        self.watch.as_ref().map(|watch| PollFd::new(watch, PollFlags::IN))
    }

    /// Those that were written to since the last time.
    pub(crate) fn written(&mut self) -> BTreeSet<String> {
        // Many events in one, none of which has a name.
        const ROOM: usize = 4096;
        let mut written = BTreeSet::new();
        let Some(watch) = &self.watch else { return written };
        let mut room = [MaybeUninit::uninit(); ROOM];
        let mut events = Reader::new(watch, &mut room);
        // The error is that there are no more.
        while let Ok(event) = events.next() {
            if event.events().contains(ReadFlags::IGNORED) {
                self.names.remove(&event.wd());
            } else if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                written.extend(self.names.values().cloned());
            } else {
                written.extend(self.names.get(&event.wd()).cloned());
            }
        }
        written
    }
}
