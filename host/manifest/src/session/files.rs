//! What programs in a sandbox may read and write.

use std::path::PathBuf;

/// Directories that a sandbox has of its own, whatever it is made of.
pub(crate) const OWN: [&str; 4] = ["/proc", "/sys", "/dev", "/etc"];
/// What may be written in them all the same: memory that programs of one sandbox share.
pub(crate) const SHARED_MEMORY: &str = "/dev/shm";

/// Directories and files inside a sandbox, each with everything below it: absolute paths, without trailing slash, sorted.
/// What neither list names, programs can neither read nor write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionFiles {
    /// Read, written and run; empty when the sandbox is made.
    pub read_write: Vec<String>,
    /// Read and run. Where a sandbox is made of the machine's own files, those of the machine at the same path.
    pub read_only: Vec<String>,
}

impl SessionFiles {
    /// The most paths in each list.
    pub const PATHS: usize = 100;

    /// What a sandbox without an image is made of: the files and directories of the machine at the read-only paths. Not `/proc`,
    /// `/sys` and `/dev`, nor what lies in them: of these every sandbox has its own, whether or not programs may read it.
    pub fn of_the_machine(&self) -> impl Iterator<Item = PathBuf> {
        let own = |path: &&String| OWN[..3].iter().any(|own| holds(own, path));
        self.read_only.iter().filter(move |path| !own(path)).map(PathBuf::from)
    }

    /// Whether a program may read the file at an absolute path.
    pub fn lets_read(&self, path: &str) -> bool {
        self.lets_write(path) || self.read_only.iter().any(|own| holds(own, path))
    }

    /// Whether a program may write the file at an absolute path.
    pub fn lets_write(&self, path: &str) -> bool {
        self.read_write.iter().any(|own| holds(own, path))
    }

    /// Whether every path of `other` is here, for as much.
    pub(crate) fn hold(&self, other: &Self) -> bool {
        other.read_write.iter().all(|path| self.lets_write(path))
            && other.read_only.iter().all(|path| self.lets_read(path))
    }

    /// A path of `other` that is not here for as much, with `true` for one that is written there.
    pub(crate) fn lacks<'a>(&self, other: &'a Self) -> Option<(&'a str, bool)> {
        let written = other.read_write.iter().find(|path| !self.lets_write(path));
        let read = other.read_only.iter().find(|path| !self.lets_read(path));
        written.map(|path| (path.as_str(), true)).or(read.map(|path| (path.as_str(), false)))
    }
}

/// Whether a path is another, or lies in it. `/` holds all of them.
pub(crate) fn holds(outer: &str, inner: &str) -> bool {
    let rest = inner.strip_prefix(outer.strip_suffix('/').unwrap_or(outer));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_what_lies_below_it() {
        for (outer, inner) in [("/", "/a"), ("/a", "/a"), ("/a", "/a/b/c")] {
            assert!(holds(outer, inner), "{outer} {inner}");
        }
        for (outer, inner) in [("/a", "/ab"), ("/a/b", "/a"), ("/a", "/"), ("/a", "/b/a")] {
            assert!(!holds(outer, inner), "{outer} {inner}");
        }
        let path = |path: &str| vec![path.to_owned()];
        let files = SessionFiles { read_write: path("/w"), read_only: path("/r") };
        assert!(files.lets_read("/w/x") && files.lets_write("/w/x") && files.lets_read("/r"));
        assert!(!files.lets_write("/r/x") && !files.lets_read("/x"));
        let read_only = ["/dev", "/etc/ssl", "/proc/self", "/processes"].map(String::from).into();
        let files = SessionFiles { read_write: path("/w"), read_only };
        let machine: Vec<PathBuf> = files.of_the_machine().collect();
        assert_eq!(machine, ["/etc/ssl", "/processes"].map(PathBuf::from));
    }
}
