//! Files, with a supervisor that keeps them in a map.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex};

use packhost_session_protocol::message::{
    Confinement, Entry, EntryKind, ExecInput, Fault, FileReply, Get, List, MakeDirectory, Opening, Pack, Put,
    Refusal, Remove, Rename, Rlimits, Stat, Unpack,
};
use packhost_session_protocol::{FrameError, Frames, Kind, Stream};
use packhost_sessions::link::{Link, LinkError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

use crate::fake::{Fake, noise};
use crate::wire::{FakeRuntime, Wire};

/// Files by path; a directory has no bytes.
#[derive(Default)]
pub(crate) struct Files(Mutex<BTreeMap<Vec<u8>, Option<Vec<u8>>>>);

pub(crate) fn entry(path: &[u8], content: Option<&Vec<u8>>) -> Entry {
    Entry {
        path: path.to_vec().into(),
        kind: if content.is_some() { EntryKind::File } else { EntryKind::Directory },
        size: content.map_or(0, |content| content.len() as u64),
        mode: 0o644,
        modified_ms: -1,
        target: None,
    }
}

fn not_found() -> FileReply {
    FileReply::Refused(Refusal::new(Fault::NotFound, "there is no such file"))
}

impl Files {
    fn with<T>(&self, what: impl FnOnce(&mut BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> T) -> T {
        what(&mut self.0.lock().expect("a lock"))
    }

    pub(crate) async fn exchange(
        &self,
        opening: Opening,
        frames: &mut Frames<Stream>,
    ) -> Result<(), FrameError> {
        let reply = match opening {
            Opening::Put(Put { path, new, .. }) => {
                if new && self.with(|files| files.contains_key(&**path)) {
                    FileReply::Refused(Refusal::new(Fault::Exists, "it is there\x1b[2J already"))
                } else {
                    let content = received(frames).await?;
                    self.with(|files| files.insert(path.to_vec(), Some(content)));
                    FileReply::Done
                }
            }
            Opening::Unpack(Unpack { path, .. }) => {
                let content = received(frames).await?;
                self.with(|files| files.insert(path.to_vec(), Some(content)));
                FileReply::Done
            }
            Opening::Get(Get { path, offset, length, .. }) => {
                match self.with(|files| files.get(&**path).cloned().flatten()) {
                    Some(content) => {
                        frames.say(&FileReply::Entry(entry(b"", Some(&content)))).await?;
                        let from = usize::try_from(offset).expect("an offset").min(content.len());
                        let most =
                            length.map_or(usize::MAX, |length| usize::try_from(length).expect("a length"));
                        frames
                            .data(Kind::Output, &content[from..content.len().min(from.saturating_add(most))])
                            .await?;
                        FileReply::Done
                    }
                    None => not_found(),
                }
            }
            Opening::Pack(Pack { path, .. }) => {
                match self.with(|files| files.get(&**path).cloned().flatten()) {
                    Some(content) => {
                        frames.data(Kind::Output, &content).await?;
                        FileReply::Done
                    }
                    None => not_found(),
                }
            }
            Opening::List(List { path, most, .. }) => {
                let prefix = [&**path, b"/"].concat();
                let below: Vec<Entry> = self.with(|files| {
                    let below = files.iter().filter_map(|(path, content)| {
                        Some(entry(path.strip_prefix(prefix.as_slice())?, content.as_ref()))
                    });
                    below.collect()
                });
                let all = below.len() as u64 <= most;
                for entry in below.into_iter().take(usize::try_from(most).expect("a number")) {
                    frames.say(&FileReply::Entry(entry)).await?;
                }
                if all { FileReply::Done } else { FileReply::More }
            }
            Opening::Stat(Stat { path, .. }) => {
                let found = self.with(|files| files.get(&**path).map(|content| entry(b"", content.as_ref())));
                found.map_or_else(not_found, FileReply::Entry)
            }
            Opening::Remove(Remove { path, .. }) => {
                self.with(|files| files.remove(&**path)).map_or_else(not_found, |_| FileReply::Done)
            }
            Opening::MakeDirectory(MakeDirectory { path, .. }) => {
                self.with(|files| files.insert(path.to_vec(), None));
                FileReply::Done
            }
            Opening::Rename(Rename { from, to, .. }) => self.with(|files| match files.remove(&**from) {
                Some(content) => {
                    files.insert(to.to_vec(), content);
                    FileReply::Done
                }
                None => not_found(),
            }),
            _ => return frames.say(&Refusal::new(Fault::Unsupported, "not in this script")).await,
        };
        frames.say(&reply).await?;
        Ok(frames.get_mut().shutdown().await?)
    }
}

async fn received(frames: &mut Frames<Stream>) -> Result<Vec<u8>, FrameError> {
    let mut content = Vec::new();
    loop {
        let frame = frames.next().await?.ok_or(FrameError::Cut)?;
        match frame.kind {
            Kind::Input => content.extend(frame.payload),
            _ => return frame.message::<ExecInput>().map(|_| content),
        }
    }
}

pub(crate) fn confinement() -> Confinement {
    Confinement {
        user: None,
        read_only: Vec::new(),
        read_write: Vec::new(),
        rlimits: Rlimits::default(),
        required: true,
        landlock_abi: 0,
        plain: Vec::new(),
    }
}

pub(crate) fn put(path: &[u8]) -> Put {
    Put { path: path.to_vec().into(), mode: 0o644, parents: false, new: false, confinement: confinement() }
}

pub(crate) fn get(path: &[u8]) -> Get {
    Get { path: path.to_vec().into(), offset: 0, length: None, confinement: confinement() }
}

pub(crate) fn list(path: &[u8], most: u64) -> List {
    List { path: path.to_vec().into(), depth: 1, most, confinement: confinement() }
}

pub(crate) fn stat(path: &[u8]) -> Stat {
    Stat { path: path.to_vec().into(), follow: false, confinement: confinement() }
}

pub(crate) fn remove(path: &[u8]) -> Remove {
    Remove { path: path.to_vec().into(), recursive: false, confinement: confinement() }
}

async fn link() -> Link {
    FakeRuntime::new(Arc::new(Fake::default()), []).link().await.expect("a link")
}

async fn content(link: &Link, get: Get) -> Vec<u8> {
    let (_, mut reader) = link.get(get).await.expect("a file");
    let mut content = Vec::new();
    reader.read_to_end(&mut content).await.expect("all of it");
    content
}

#[tokio::test]
async fn a_file_comes_back_as_it_was_put() {
    let link = link().await;
    for size in [0, 1, 65_536, 3_000_000] {
        let bytes = noise(size, 5);
        link.put(put(b"/a\xff\n"), Cursor::new(&bytes)).await.expect("written");
        let (entry, _) = link.get(get(b"/a\xff\n")).await.expect("a file");
        assert_eq!((entry.size, entry.kind), (size as u64, EntryKind::File));
        assert!(content(&link, get(b"/a\xff\n")).await == bytes);
    }
    let part = Get { offset: 10, length: Some(100_000), ..get(b"/a\xff\n") };
    assert!(content(&link, part).await == noise(3_000_000, 5)[10..100_010]);
}

#[tokio::test]
async fn a_tree_goes_in_and_out() {
    let link = link().await;
    let archive = noise(200_000, 6);
    let (path, confinement) = (b"/tree".to_vec(), confinement());
    let unpack = Unpack {
        path: path.clone().into(),
        most_bytes: 1 << 20,
        most_entries: 10,
        confinement: confinement.clone(),
    };
    link.unpack(unpack, Cursor::new(&archive)).await.expect("unpacked");
    let pack = Pack { path: path.into(), most_bytes: 1 << 20, most_entries: 10, confinement };
    let mut back = Vec::new();
    link.pack(pack).await.expect("an archive").read_to_end(&mut back).await.expect("all of it");
    assert!(back == archive);
}

#[tokio::test]
async fn names_are_listed_changed_and_removed() {
    let link = link().await;
    let directory = MakeDirectory { path: b"/d".to_vec().into(), mode: 0o755, confinement: confinement() };
    link.make_directory(directory).await.expect("made");
    for name in [b"/d/a", b"/d/b", b"/d/c"] {
        link.put(put(name), &b"x"[..]).await.expect("written");
    }
    let rename =
        Rename { from: b"/d/c".to_vec().into(), to: b"/d/z".to_vec().into(), confinement: confinement() };
    link.rename(rename).await.expect("renamed");
    link.remove(remove(b"/d/a")).await.expect("removed");
    let listing = link.list(list(b"/d", 10)).await.expect("a list");
    let names: Vec<_> = listing.entries.iter().map(|entry| entry.path.to_vec()).collect();
    assert_eq!((names, listing.more), (vec![b"b".to_vec(), b"z".to_vec()], false));
    let listing = link.list(list(b"/d", 1)).await.expect("a list");
    assert_eq!((listing.entries.len(), listing.more), (1, true));
    assert_eq!(link.stat(stat(b"/d")).await.expect("a directory").kind, EntryKind::Directory);
}

#[tokio::test]
async fn what_is_not_there_is_refused_in_a_readable_sentence() {
    let link = link().await;
    let is_not_found = |error: Option<LinkError>| matches!(error, Some(LinkError::Refused(refusal)) if refusal.fault == Fault::NotFound);
    assert!(is_not_found(link.get(get(b"/none")).await.err()));
    assert!(is_not_found(link.stat(stat(b"/none")).await.err()));
    assert!(is_not_found(link.remove(remove(b"/none")).await.err()));
    link.put(put(b"/a"), &b"x"[..]).await.expect("written");
    // It is refused while there is much more to send.
    let again = Put { new: true, ..put(b"/a") };
    let Err(LinkError::Refused(refusal)) = link.put(again, tokio::io::repeat(7)).await else {
        panic!("written")
    };
    assert_eq!((refusal.fault, refusal.message.as_str()), (Fault::Exists, "it is there [2J already"));
}

struct Broken;

impl AsyncRead for Broken {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Err(std::io::Error::other("the disk is gone")))
    }
}

#[tokio::test]
async fn content_that_cannot_be_read_leaves_no_file() {
    let link = link().await;
    let half = tokio::io::AsyncReadExt::chain(&[1; 100_000][..], Broken);
    let error = link.put(put(b"/half"), half).await;
    assert_eq!(error, Err(LinkError::Content("the disk is gone".into())));
    assert!(link.stat(stat(b"/half")).await.is_err());
}

#[tokio::test]
async fn a_reader_that_is_dropped_or_slow_stops_nobody() {
    let link = link().await;
    link.put(put(b"/big"), Cursor::new(noise(3_000_000, 4))).await.expect("written");
    let mut kept = Vec::new();
    for _ in 0..20 {
        let (_, mut reader) = link.get(get(b"/big")).await.expect("a file");
        reader.read_u8().await.expect("a byte");
        kept.push(reader);
        drop(link.get(get(b"/big")).await.expect("a file"));
    }
    assert_eq!(content(&link, get(b"/big")).await.len(), 3_000_000);
    let last = kept.pop().expect("a reader");
    drop((kept, link));
    assert_eq!(last.take(u64::MAX).read_to_end(&mut Vec::new()).await.expect("the rest"), 2_999_999);
}

#[tokio::test]
async fn a_file_whose_connection_breaks_is_never_taken_for_whole() {
    let fake = Arc::new(Fake::default());
    let runtime = FakeRuntime::new(fake.clone(), [Wire::WHOLE, Wire { down: 500_000, ..Wire::WHOLE }]);
    let link = runtime.link().await.expect("a link");
    link.put(put(b"/big"), Cursor::new(noise(1_000_000, 4))).await.expect("written");
    runtime.cut();
    let (_, mut reader) = link.get(get(b"/big")).await.expect("a file");
    let error = reader.read_to_end(&mut Vec::new()).await.expect_err("half a file");
    let error = error.get_ref().and_then(|inner| inner.downcast_ref::<LinkError>());
    assert!(matches!(error, Some(LinkError::Broken(_))), "{error:?}");
    assert_eq!(content(&link, get(b"/big")).await.len(), 1_000_000);
}

#[tokio::test]
async fn a_file_that_is_put_while_the_connection_breaks_fails() {
    let fake = Arc::new(Fake::default());
    let runtime = FakeRuntime::new(fake.clone(), [Wire { up: 300_000, ..Wire::WHOLE }]);
    let link = runtime.link().await.expect("a link");
    let broken = link.put(put(b"/big"), Cursor::new(noise(1_000_000, 4))).await;
    assert!(matches!(broken, Err(LinkError::Broken(_))), "{broken:?}");
    assert!(link.stat(stat(b"/big")).await.is_err());
}
