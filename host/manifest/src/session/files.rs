//! What programs in a sandbox may read and write.

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
    }
}
