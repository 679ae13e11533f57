//! Files that appear under their name when they are whole, and leave nothing behind when they never are.

use std::fmt::Write as _;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, Timestamps, fchmod, futimens, linkat, openat, renameat,
    renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// How often another random name is tried.
const TRIES: usize = 8;

/// A file in a directory that is not yet under its name: without any, where the file system can do that, so that nothing is
/// left even when the process is killed; otherwise under a random one that is removed on drop.
pub(super) struct Fresh<'a> {
    dir: BorrowedFd<'a>,
    file: File,
    name: Name,
}

enum Name {
    /// It has none. It is linked through this path of proc(5).
    None(String),
    Random(String),
}

impl<'a> Fresh<'a> {
    /// Makes it, readable for nobody else.
    pub(super) fn make(dir: BorrowedFd<'a>) -> Result<Self, Errno> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        if let Ok(file) = openat(dir, c".", flags | OFlags::TMPFILE, mode) {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            // Without /proc it could not be linked.
            if statat(CWD, &path, AtFlags::empty()).is_ok() {
                return Ok(Self { dir, file: file.into(), name: Name::None(path) });
            }
        }
        let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let (name, file) = under_random_name(|name| openat(dir, name, flags, mode))?;
        Ok(Self { dir, file: file.into(), name: Name::Random(name) })
    }

    /// Where its bytes go.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives it its mode, of which the low nine bits count, its time, and its name, in place of a file or link that has it where
    /// `replace` says so.
    pub(super) fn land(
        mut self,
        name: &[u8],
        mode: u32,
        times: Option<&Timestamps>,
        replace: bool,
    ) -> Result<(), Errno> {
        fchmod(&self.file, Mode::from_raw_mode(mode & 0o777))?;
        if let Some(times) = times {
            futimens(&self.file, times)?;
        }
        if let Name::None(path) = &self.name {
            let link = |name: &[u8]| linkat(CWD, path, self.dir, name, AtFlags::SYMLINK_FOLLOW);
            match link(name) {
                Err(Errno::EXIST) if replace => {}
                done => return done,
            }
            let (random, ()) = under_random_name(|random| link(random.as_bytes()))?;
            self.name = Name::Random(random);
        }
        let Name::Random(random) = &self.name else { return Ok(()) };
        if replace { renameat(self.dir, random, self.dir, name) } else { self.rename_anew(random, name) }
    }

    fn rename_anew(&self, random: &str, name: &[u8]) -> Result<(), Errno> {
        match renameat_with(self.dir, random, self.dir, name, RenameFlags::NOREPLACE) {
            // Not every file system has it. The random name goes on drop.
            Err(Errno::INVAL | Errno::NOSYS) => linkat(self.dir, random, self.dir, name, AtFlags::empty()),
            done => done,
        }
    }
}

impl Drop for Fresh<'_> {
    /// A file that has its name has lost the random one.
    fn drop(&mut self) {
        if let Name::Random(name) = &self.name {
            let _ = unlinkat(self.dir, name, AtFlags::empty());
        }
    }
}

/// Makes something under a name that nothing has, and gives both.
pub(super) fn under_random_name<T>(
    mut make: impl FnMut(&str) -> Result<T, Errno>,
) -> Result<(String, T), Errno> {
    for _ in 0..TRIES {
        let mut random = [0; 16];
        getrandom(&mut random, GetRandomFlags::empty())?;
        let mut name = String::from(".packhost-");
        for byte in random {
            // Writing to a string cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        match make(&name) {
            Err(Errno::EXIST) => {}
            done => return done.map(|made| (name, made)),
        }
    }
    Err(Errno::EXIST)
}

/// Makes a symbolic link, in place of a file or link that has its name.
pub(super) fn link(dir: impl AsFd, name: &[u8], target: &[u8]) -> Result<(), Errno> {
    use rustix::fs::symlinkat;
    let dir = dir.as_fd();
    match symlinkat(target, dir, name) {
        Err(Errno::EXIST) => {}
        done => return done,
    }
    let (random, ()) = under_random_name(|random| symlinkat(target, dir, random))?;
    renameat(dir, &random, dir, name).inspect_err(|_| {
        let _ = unlinkat(dir, &random, AtFlags::empty());
    })
}
