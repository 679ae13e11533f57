//! New records, as they come.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::io::Errno;

use super::{Entry, Filter};
use crate::error::{AuditError, failed};
use crate::log::{Directory, Found, Line, Lines};

/// How many records are read ahead.
const AHEAD: usize = 256;

/// Hands out records as they are appended, by whichever process. The kernel says when there are new ones (inotify(7)).
pub struct Follow {
    directory: Directory,
    filter: Filter,
    watch: OwnedFd,
    segment: u64,
    file: Option<File>,
    /// The byte of the next line.
    at: u64,
    /// The last record that is not wanted, or was handed out.
    after: u64,
    ahead: VecDeque<Entry>,
}

impl Follow {
    /// What is appended behind this record; all of the log that is there, behind 0. The filter's limit does not count.
    ///
    /// # Errors
    /// When the directory cannot be read or watched.
    pub fn after(dir: &Path, filter: Filter, n: u64) -> Result<Self, AuditError> {
        let directory = Directory::at(dir);
        let watching = |error: Errno| failed(dir)(error.into());
        // Before anything is read: what comes afterwards is told.
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)
            .map_err(watching)?;
        let flags = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::ONLYDIR;
        inotify::add_watch(&watch, dir, flags).map_err(watching)?;
        let segment = first_with(&directory, n)?;
        Ok(Self { directory, filter, watch, segment, file: None, at: 0, after: n, ahead: VecDeque::new() })
    }

    /// The next record; `None` where there is none for so long. Blocks meanwhile.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Entry>, AuditError> {
        let until = Instant::now() + patience;
        loop {
            if let Some(entry) = self.ahead.pop_front() {
                return Ok(Some(entry));
            }
            if self.read()? {
                continue;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.wait(left)?;
        }
    }

    /// Reads on. Whether something was read, wanted or not.
    fn read(&mut self) -> Result<bool, AuditError> {
        // Looked for first: once there is another segment, this one has its last record.
        let next = self.directory.segments()?.into_iter().find(|number| *number > self.segment);
        if self.file.is_none() {
            let path = self.directory.segment(self.segment);
            match self.directory.read_from(&path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(&path)(error)),
            }
        }
        if self.lines()? {
            return Ok(true);
        }
        let Some(next) = next else { return Ok(false) };
        (self.segment, self.file, self.at) = (next, None, 0);
        Ok(true)
    }

    fn lines(&mut self) -> Result<bool, AuditError> {
        let Some(file) = &self.file else { return Ok(false) };
        let path = self.directory.segment(self.segment);
        let mut lines = Lines::between(file, self.at, u64::MAX);
        let mut read = false;
        while self.ahead.len() < AHEAD
            && let Some(found) = lines.next().map_err(failed(&path))?
        {
            let (byte, bytes) = match found {
                Found::Line(byte, bytes) => (byte, bytes),
                // No record. Its end is where the next line is looked for.
                Found::TooLong(_) => {
                    self.at = lines.place();
                    read = true;
                    continue;
                }
                Found::Torn(_) => break,
            };
            self.at = byte + bytes.len() as u64 + 1;
            read = true;
            if let Ok(line) = Line::parse(bytes)
                && line.envelope.n > self.after
            {
                self.after = line.envelope.n;
                if self.filter.lets_through(&line) {
                    self.ahead.push_back(Entry::of(&line));
                }
            }
        }
        Ok(read)
    }

    /// Waits until something in the directory changes.
    fn wait(&self, most: Duration) -> Result<(), AuditError> {
        let wrong = |error: Errno| failed(self.directory.path())(error.into());
        let timeout =
            Timespec { tv_sec: most.as_secs().min(3600).cast_signed(), tv_nsec: most.subsec_nanos().into() };
        let mut ready = [PollFd::new(&self.watch, PollFlags::IN)];
        match poll(&mut ready, Some(&timeout)) {
            Err(Errno::INTR) => return Ok(()),
            waited => waited.map_err(wrong)?,
        };
        // What changed does not matter, and neither whether all of it fits.
        let mut events = [0u8; 4096];
        loop {
            match rustix::io::read(&self.watch, &mut events) {
                Err(Errno::AGAIN) | Ok(0) => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(wrong(error)),
            }
        }
    }
}

/// The segment in which the record behind this one is or will be.
fn first_with(directory: &Directory, n: u64) -> Result<u64, AuditError> {
    let segments = directory.segments()?;
    let first = segments.first().copied().unwrap_or(1);
    for number in segments.into_iter().rev() {
        let path = directory.segment(number);
        let Ok(file) = directory.read_from(&path) else { continue };
        let mut lines = Lines::between(&file, 0, u64::MAX);
        if let Some(Found::Line(_, bytes)) = lines.next().map_err(failed(&path))?
            && Line::parse(bytes).is_ok_and(|line| line.envelope.n <= n + 1)
        {
            return Ok(number);
        }
    }
    Ok(first)
}
