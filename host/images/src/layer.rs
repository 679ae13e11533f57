//! A tree of files as one tar that comes out the same every time: sorted, one time, one owner, no setuid bits.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tar::{Archive, Builder, EntryType, Header};

use crate::EPOCH;
use crate::error::ImageError;

/// The largest file that is read into memory, in bytes: control files, certificates. The rest is copied.
const READ: u64 = 8 << 20;

/// The files of an image, by path: without the first slash, sorted.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Where the bytes are that nobody changed.
    tar: PathBuf,
    nodes: BTreeMap<String, Node>,
}

#[derive(Debug, Clone)]
struct Node {
    kind: Kind,
    mode: u32,
}

#[derive(Debug, Clone)]
enum Kind {
    Directory,
    Link(PathBuf),
    /// Bytes of the tar.
    Part {
        offset: u64,
        size: u64,
    },
    Bytes(Vec<u8>),
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// `sha256:` and the digest of the tar.
    pub(crate) digest: String,
    /// Bytes of files.
    pub(crate) size: u64,
}

impl Tree {
    /// The files of a tar. Devices, sockets and owners are not taken over.
    pub(crate) fn read(tar: &Path) -> Result<Self, ImageError> {
        let failed = || ImageError::file(tar);
        let mut archive = Archive::new(BufReader::new(File::open(tar).map_err(failed())?));
        let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
        for entry in archive.entries_with_seek().map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let path = entry.path().map_err(failed())?;
            let Some(name) = plain(&path)? else { continue };
            let header = entry.header();
            let mode = header.mode().map_err(failed())? & 0o777;
            let target = entry.link_name().map_err(failed())?;
            let node = match (header.entry_type(), target) {
                (EntryType::Directory, _) => Node { kind: Kind::Directory, mode },
                (EntryType::Regular, _) => {
                    let (offset, size) = (entry.raw_file_position(), entry.size());
                    Node { kind: Kind::Part { offset, size }, mode }
                }
                (EntryType::Symlink, Some(target)) => {
                    Node { kind: Kind::Link(target.into_owned()), mode: 0o777 }
                }
                // A second name becomes a file of its own, so that either can be left out.
                (EntryType::Link, Some(target)) => {
                    match plain(&target)?.and_then(|first| nodes.get(&first)) {
                        Some(first) => first.clone(),
                        None => {
                            return Err(ImageError::Files(format!("{name} is a link to what is not there")));
                        }
                    }
                }
                _ => continue,
            };
            nodes.insert(name, node);
        }
        Ok(Self { tar: tar.to_owned(), nodes })
    }

    /// The paths of all that is no directory.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        let files = self.nodes.iter().filter(|(_, node)| !matches!(node.kind, Kind::Directory));
        files.map(|(path, _)| path.as_str())
    }

    /// The content of a small file.
    pub(crate) fn content(&self, path: &str) -> Result<Option<Vec<u8>>, ImageError> {
        match self.nodes.get(path).map(|node| &node.kind) {
            Some(Kind::Bytes(bytes)) => Ok(Some(bytes.clone())),
            Some(Kind::Part { offset, size }) if *size <= READ => {
                let read = || {
                    let mut file = File::open(&self.tar)?;
                    file.seek(SeekFrom::Start(*offset))?;
                    let mut bytes = Vec::new();
                    file.take(*size).read_to_end(&mut bytes)?;
                    Ok(bytes)
                };
                read().map(Some).map_err(ImageError::file(&self.tar))
            }
            _ => Ok(None),
        }
    }

    /// Keeps the files for which this is so, and the directories above them.
    pub(crate) fn keep(&mut self, mut kept: impl FnMut(&str) -> bool) {
        self.nodes.retain(|path, node| matches!(node.kind, Kind::Directory) || kept(path));
        // Not by what comes next: sorted, `a-b` and `a.b` stand between `a` and what is in it.
        let above: BTreeSet<String> = self
            .files()
            .flat_map(|path| path.match_indices('/').map(move |(end, _)| path[..end].to_owned()))
            .collect();
        self.nodes.retain(|path, node| !matches!(node.kind, Kind::Directory) || above.contains(path));
    }

    /// Adds a file of these bytes.
    pub(crate) fn add(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.above(path);
        self.nodes.insert(path.to_owned(), Node { kind: Kind::Bytes(bytes.into()), mode: 0o644 });
    }

    /// Adds a directory, or gives one its mode.
    pub(crate) fn add_directory(&mut self, path: &str, mode: u32) {
        self.above(path);
        self.nodes.insert(path.to_owned(), Node { kind: Kind::Directory, mode });
    }

    fn above(&mut self, path: &str) {
        for (end, _) in path.match_indices('/') {
            self.nodes.entry(path[..end].to_owned()).or_insert(Node { kind: Kind::Directory, mode: 0o755 });
        }
    }

    /// Writes the tar.
    pub(crate) fn write(&self, output: &Path) -> Result<Written, ImageError> {
        let mut size = 0;
        let write = |size: &mut u64| -> io::Result<String> {
            let mut source = File::open(&self.tar)?;
            let hashed = Hashed { inner: BufWriter::new(File::create(output)?), hash: Sha256::new() };
            let mut builder = Builder::new(hashed);
            for (path, node) in &self.nodes {
                *size += append(&mut builder, &mut source, path, node)?;
            }
            let mut hashed = builder.into_inner()?;
            hashed.inner.flush()?;
            hashed.inner.get_ref().sync_all()?;
            Ok(hashed.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
        };
        let digest = write(&mut size).map_err(ImageError::file(output))?;
        Ok(Written { digest: format!("sha256:{digest}"), size })
    }
}

fn append<W: Write>(builder: &mut Builder<W>, source: &mut File, path: &str, node: &Node) -> io::Result<u64> {
    let mut header = Header::new_gnu();
    header.set_mode(node.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(EPOCH);
    header.set_size(0);
    match &node.kind {
        Kind::Directory => {
            header.set_entry_type(EntryType::Directory);
            builder.append_data(&mut header, format!("{path}/"), io::empty())?;
            Ok(0)
        }
        Kind::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            builder.append_link(&mut header, path, target)?;
            Ok(0)
        }
        Kind::Part { offset, size } => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(*size);
            source.seek(SeekFrom::Start(*offset))?;
            builder.append_data(&mut header, path, source.take(*size))?;
            Ok(*size)
        }
        Kind::Bytes(bytes) => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, path, bytes.as_slice())?;
            Ok(bytes.len() as u64)
        }
    }
}

/// A path as the tree has it; none for the root itself.
fn plain(path: &Path) -> Result<Option<String>, ImageError> {
    let refuse = |why: &str| ImageError::Files(format!("{}: {why}", path.display()));
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir | std::path::Component::RootDir => {}
            std::path::Component::Normal(name) => {
                names.push(name.to_str().ok_or_else(|| refuse("is not UTF-8"))?)
            }
            _ => return Err(refuse("leads out of the tree")),
        }
    }
    Ok((!names.is_empty()).then(|| names.join("/")))
}

/// Counts what goes through into a digest.
struct Hashed<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(entries: &[(&str, EntryType, &str)]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut builder = Builder::new(file.reopen().expect("the file"));
        for (path, kind, content) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o4755);
            header.set_uid(7);
            header.set_mtime(content.len() as u64);
            if matches!(kind, EntryType::Symlink | EntryType::Link) {
                header.set_size(0);
                builder.append_link(&mut header, path, content).expect("a link");
            } else {
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, path, content.as_bytes()).expect("an entry");
            }
        }
        builder.finish().expect("a tar");
        file
    }

    #[test]
    fn the_same_files_are_the_same_tar_whatever_their_order_times_and_owners() {
        let entries = [
            ("usr/", EntryType::Directory, ""),
            ("usr/a", EntryType::Regular, "a"),
            ("usr/b", EntryType::Symlink, "a"),
            ("usr/c", EntryType::Link, "usr/a"),
            ("usr/d", EntryType::Fifo, ""),
        ];
        let mut other = entries;
        other.swap(0, 2);
        let room = tempfile::tempdir().expect("a directory");
        let written = [entries, other].map(|entries| {
            let source = tar(&entries);
            let output = room.path().join("layer");
            let written =
                Tree::read(source.path()).expect("it is read").write(&output).expect("it is written");
            (written, std::fs::read(output).expect("the tar"))
        });
        assert_eq!(written[0], written[1]);
        assert_eq!(written[0].0.size, 2);
        let mut archive = Archive::new(written[0].1.as_slice());
        for entry in archive.entries().expect("entries") {
            let entry = entry.expect("an entry");
            let header = entry.header();
            assert_eq!((header.uid().expect("uid"), header.mtime().expect("a time")), (0, EPOCH));
            assert_eq!(header.mode().expect("a mode") & 0o7000, 0);
            assert_ne!(header.entry_type(), EntryType::Fifo);
        }
    }

    #[test]
    fn directories_go_with_the_last_file_in_them() {
        let source = tar(&[
            ("a/", EntryType::Directory, ""),
            ("a/b/", EntryType::Directory, ""),
            ("a/b/x", EntryType::Regular, "x"),
            ("a-b", EntryType::Regular, "y"),
            ("c/", EntryType::Directory, ""),
            ("c/x", EntryType::Regular, "x"),
        ]);
        let mut tree = Tree::read(source.path()).expect("it is read");
        tree.keep(|path| path != "a/b/x");
        assert_eq!(tree.nodes.keys().collect::<Vec<_>>(), ["a-b", "c", "c/x"]);
        tree.add("e/f/g", "h");
        assert_eq!(tree.content("e/f/g").expect("it is read"), Some(b"h".to_vec()));
        assert_eq!(tree.content("c/x").expect("it is read"), Some(b"x".to_vec()));
        assert_eq!(tree.files().collect::<Vec<_>>(), ["a-b", "c/x", "e/f/g"]);
    }

    #[test]
    fn a_directory_stays_with_what_is_in_it_whatever_stands_between_them() {
        let source = tar(&[
            ("lib/", EntryType::Directory, ""),
            ("lib/python3/", EntryType::Directory, ""),
            ("lib/python3/x", EntryType::Regular, "x"),
            ("lib/python3.11/", EntryType::Directory, ""),
            ("lib/python3.11/y", EntryType::Regular, "y"),
            ("lib/python3-z", EntryType::Regular, "z"),
        ]);
        let mut tree = Tree::read(source.path()).expect("it is read");
        let all: Vec<String> = tree.nodes.keys().cloned().collect();
        tree.keep(|_| true);
        assert_eq!(tree.nodes.into_keys().collect::<Vec<_>>(), all);
    }

    #[test]
    fn a_path_that_leads_out_is_refused() {
        let mut bytes = Vec::new();
        let mut header = Header::new_gnu();
        header.as_gnu_mut().expect("gnu").name[..6].copy_from_slice(b"../out");
        header.set_size(0);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(&[0; 1024]);
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("written");
        assert!(matches!(Tree::read(file.path()), Err(ImageError::Files(_))));
    }
}
