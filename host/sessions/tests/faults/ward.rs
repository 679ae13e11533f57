//! A home on a file system of its own, which is small and can be full.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// As an option of tmpfs.
const SIZE: &str = "size=24m";

/// From now on the mounts of this process are its own, and go with it. To be called before there are threads.
pub(crate) fn own_mounts() {
    if !crate::process::can_be_tried() {
        return;
    }
    // SAFETY: changes this process's view of mounts; there is one thread, whose root and directory stay what they are.
    let done = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    assert_eq!(done, 0, "root may");
    mount(&["--make-rprivate", "/"]);
}

/// Where a host keeps everything.
pub(crate) struct Home {
    room: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let room = TempDir::with_prefix("faults").expect("a directory");
        let path = room.path().to_str().expect("UTF-8");
        mount(&["-t", "tmpfs", "-o", SIZE, "none", path]);
        Self { room }
    }

    pub(crate) fn path(&self) -> &Path {
        self.room.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Leaves not a byte.
    pub(crate) fn fill(&self) {
        let mut file = File::create(self.filler()).expect("a name is there still");
        for size in [1 << 16, 1 << 12, 1] {
            while file.write(&vec![0; size]).is_ok_and(|written| written > 0) {}
        }
    }

    pub(crate) fn empty(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

fn mount(arguments: &[&str]) {
    assert!(Command::new("mount").args(arguments).status().expect("mount runs").success());
}
