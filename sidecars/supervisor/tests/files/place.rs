//! A directory that a sandbox's user may write in, and the host that asks about it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown};
use std::path::{Path, PathBuf};

use packhost_session_protocol::message::{
    Confinement, Entry, ExecInput, Fault, FileReply, Get, List, MakeDirectory, Opening, Pack, Put, Remove,
    Rename, Rlimits, Stat, Unpack, User,
};
use packhost_session_protocol::{Frames, Kind};
use packhost_supervisor::files::{Request, serve};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

pub(crate) const UID: u32 = 1000;

pub(crate) struct Place {
    top: TempDir,
    pub(crate) confinement: Confinement,
}

impl Place {
    /// A directory `in` of the user, all that is granted, in one where everybody may do everything.
    pub(crate) fn new() -> Self {
        let top = tempfile::tempdir().expect("a directory");
        fs::set_permissions(top.path(), fs::Permissions::from_mode(0o777)).expect("its owner");
        let inside = top.path().join("in");
        fs::create_dir(&inside).expect("a directory");
        chown(&inside, Some(UID), Some(UID)).expect("root");
        let confinement = Confinement {
            user: Some(User { uid: UID, gid: UID }),
            read_only: Vec::new(),
            read_write: vec![inside.as_os_str().as_bytes().to_vec().into()],
            rlimits: Rlimits::default(),
            required: true,
            landlock_abi: 3,
            plain: Vec::new(),
        };
        Self { top, confinement }
    }

    pub(crate) fn outside(&self) -> &Path {
        self.top.path()
    }

    /// A path in what is granted.
    pub(crate) fn path(&self, name: impl AsRef<[u8]>) -> PathBuf {
        self.top.path().join("in").join(std::ffi::OsStr::from_bytes(name.as_ref()))
    }

    pub(crate) fn put(&self, path: impl AsRef<Path>) -> Put {
        let (path, confinement) = (bytes(path), self.confinement.clone());
        Put { path: path.into(), mode: 0o644, parents: false, new: false, confinement }
    }

    pub(crate) fn get(&self, path: impl AsRef<Path>) -> Get {
        let (path, confinement) = (bytes(path), self.confinement.clone());
        Get { path: path.into(), offset: 0, length: None, confinement }
    }

    pub(crate) fn list(&self, path: impl AsRef<Path>, depth: u32, most: u64) -> List {
        List { path: bytes(path).into(), depth, most, confinement: self.confinement.clone() }
    }

    pub(crate) fn stat(&self, path: impl AsRef<Path>, follow: bool) -> Stat {
        Stat { path: bytes(path).into(), follow, confinement: self.confinement.clone() }
    }

    pub(crate) fn remove(&self, path: impl AsRef<Path>) -> Remove {
        Remove { path: bytes(path).into(), recursive: true, confinement: self.confinement.clone() }
    }

    pub(crate) fn make(&self, path: impl AsRef<Path>, mode: u32) -> MakeDirectory {
        MakeDirectory { path: bytes(path).into(), mode, confinement: self.confinement.clone() }
    }

    pub(crate) fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Rename {
        Rename { from: bytes(from).into(), to: bytes(to).into(), confinement: self.confinement.clone() }
    }

    pub(crate) fn unpack(&self, path: impl AsRef<Path>) -> Unpack {
        let (path, confinement) = (bytes(path), self.confinement.clone());
        Unpack { path: path.into(), most_bytes: 1 << 30, most_entries: 1 << 20, confinement }
    }

    pub(crate) fn pack(&self, path: impl AsRef<Path>) -> Pack {
        let (path, confinement) = (bytes(path), self.confinement.clone());
        Pack { path: path.into(), most_bytes: 1 << 30, most_entries: 1 << 20, confinement }
    }
}

pub(crate) fn bytes(path: impl AsRef<Path>) -> Vec<u8> {
    path.as_ref().as_os_str().as_bytes().to_vec()
}

/// An exchange that is being served.
pub(crate) struct Asked {
    pub(crate) host: Frames<UnixStream>,
    pub(crate) served: JoinHandle<()>,
}

/// All of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) entries: Vec<Entry>,
    pub(crate) output: Vec<u8>,
    pub(crate) last: FileReply,
}

pub(crate) fn open(opening: Opening) -> Asked {
    let request = Request::try_from(opening).expect("it is about files");
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    Asked { host: Frames::new(ours), served: tokio::spawn(serve(request, Frames::new(theirs))) }
}

pub(crate) async fn ask(opening: Opening) -> Answer {
    open(opening).answer().await
}

/// Asks with these bytes as the input.
pub(crate) async fn send(opening: Opening, input: &[u8]) -> FileReply {
    let mut asked = open(opening);
    // A worker that refuses may be gone before all is sent.
    let _ = asked.host.data(Kind::Input, input).await;
    let _ = asked.host.say(&ExecInput::End).await;
    asked.answer().await.last
}

impl Asked {
    pub(crate) async fn answer(mut self) -> Answer {
        let (mut entries, mut output) = (Vec::new(), Vec::new());
        let last = loop {
            let Some(frame) = self.host.next().await.expect("frames") else {
                // An entry by itself is an answer as well.
                break FileReply::Entry(entries.pop().expect("a last message"));
            };
            if frame.kind == Kind::Output {
                output.extend(frame.payload);
                continue;
            }
            match frame.message::<FileReply>().expect("a reply") {
                FileReply::Entry(entry) => entries.push(entry),
                last => break last,
            }
        };
        assert_eq!(self.host.next().await.expect("the end"), None, "nothing follows the last message");
        self.served.await.expect("it ends");
        Answer { entries, output, last }
    }
}

pub(crate) fn fault(reply: &FileReply) -> Option<Fault> {
    match reply {
        FileReply::Refused(refusal) => {
            assert!(refusal.message.len() <= 500, "{refusal}");
            Some(refusal.fault)
        }
        _ => None,
    }
}

/// Gives all below to the sandbox's user.
pub(crate) fn give(path: &Path) {
    lchown(path, Some(UID), Some(UID)).expect("root");
    if path.symlink_metadata().expect("it is there").is_dir() {
        for entry in fs::read_dir(path).expect("root") {
            give(&entry.expect("root").path());
        }
    }
}

/// What is below a directory: mode, time, and content or target of each.
pub(crate) type Snapshot = BTreeMap<Vec<u8>, (u32, i64, i64, Vec<u8>)>;

pub(crate) fn snapshot(dir: &Path) -> Snapshot {
    let mut all = Snapshot::new();
    add(dir, dir, &mut all);
    all
}

fn add(top: &Path, dir: &Path, all: &mut Snapshot) {
    for entry in fs::read_dir(dir).expect("root") {
        let path = entry.expect("root").path();
        let about = path.symlink_metadata().expect("it is there");
        let content = match about.file_type() {
            kind if kind.is_symlink() => fs::read_link(&path).expect("a link").into_os_string().into_vec(),
            kind if kind.is_file() => fs::read(&path).expect("a file"),
            _ => Vec::new(),
        };
        let name = bytes(path.strip_prefix(top).expect("below"));
        all.insert(name, (about.mode(), about.mtime(), about.mtime_nsec(), content));
        if about.is_dir() {
            add(top, &path, all);
        }
    }
}
