//! Whether the sandbox's limit of memory has killed something: what its cgroup counts, where that can be seen from inside.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Where a cgroup says so: version 2, version 1, and version 2 beside version 1. In a sandbox it is its own.
const PLACES: [&str; 3] = [
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
    "/sys/fs/cgroup/unified/memory.events",
];

/// The most bytes of such a file.
const LONGEST: usize = 512;

/// The count of processes that were killed for want of memory.
#[derive(Debug)]
pub(super) struct Killed {
    file: Option<File>,
}

impl Killed {
    /// Looks where it is counted.
    pub(super) fn find() -> Self {
        let counts = |place: &&str| File::open(place).ok().filter(|file| count(file).is_some());
        Self { file: PLACES.iter().find_map(counts) }
    }

    /// How many there were so far. Always 0 where it cannot be seen: then whoever made the sandbox may know better.
    pub(super) fn so_far(&self) -> u64 {
        self.file.as_ref().and_then(count).unwrap_or_default()
    }
}

fn count(file: &File) -> Option<u64> {
    let mut text = [0; LONGEST];
    let read = file.read_at(&mut text, 0).ok()?;
    let text = std::str::from_utf8(&text[..read]).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}
