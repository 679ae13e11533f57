//! Somebody in the sandbox exchanges directories for links while work is done on them.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use packhost_session_protocol::message::{Opening, Put};

use crate::archive::Tar;
use crate::place::{Place, ask, bytes, fault, give, send};

const ROUNDS: usize = 150;

/// Exchanges two names over and over until it is dropped.
struct Swapper {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Swapper {
    fn start(one: &Path, other: &Path) -> Self {
        let [one, other] = [one, other].map(|path| CString::new(bytes(path)).expect("no NUL"));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let (at, flags) = (libc::AT_FDCWD, libc::RENAME_EXCHANGE);
                // SAFETY: both names end with a NUL. One of them may be gone by now.
                unsafe { libc::renameat2(at, one.as_ptr(), at, other.as_ptr(), flags) };
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A directory that anybody may change, with one file in it.
fn canary(at: PathBuf) -> PathBuf {
    fs::create_dir(&at).expect("root");
    fs::create_dir(at.join("sub")).expect("root");
    fs::write(at.join("sub/keep"), "kept").expect("root");
    give(&at);
    fs::set_permissions(&at, fs::Permissions::from_mode(0o777)).expect("root");
    at
}

fn sings(canary: &Path) {
    let names: Vec<_> =
        fs::read_dir(canary).expect("it is there").map(|entry| entry.expect("one").path()).collect();
    assert_eq!(names, [canary.join("sub")]);
    let names: Vec<_> = fs::read_dir(canary.join("sub"))
        .expect("it is there")
        .map(|entry| entry.expect("one").path())
        .collect();
    assert_eq!(names, [canary.join("sub/keep")]);
    assert_eq!(fs::read(canary.join("sub/keep")).expect("it is there"), b"kept");
}

#[tokio::test]
async fn a_removal_never_follows_a_link_that_takes_a_directorys_place() {
    let place = Place::new();
    let canary = canary(place.path("canary"));
    for _ in 0..ROUNDS {
        fs::create_dir_all(place.path("t/d/sub")).expect("root");
        fs::write(place.path("t/d/sub/keep"), "").expect("root");
        fs::write(place.path("t/d/more"), "").expect("root");
        symlink(&canary, place.path("link")).expect("root");
        give(&place.path("t"));
        give(&place.path("link"));
        let swapper = Swapper::start(&place.path("t/d"), &place.path("link"));
        ask(Opening::Remove(place.remove(place.path("t")))).await;
        drop(swapper);
        sings(&canary);
        for name in ["t", "link"] {
            // Either of them may be the link, the directory, or gone.
            let _ = fs::remove_file(place.path(name));
            let _ = fs::remove_dir_all(place.path(name));
        }
    }
}

#[tokio::test]
async fn an_archive_is_never_unpacked_through_a_link_that_takes_a_directorys_place() {
    let place = Place::new();
    let canary = canary(place.path("canary"));
    let archive = (0..20).fold(Tar::new().dir(b"d"), |tar, number| {
        tar.file(format!("d/{number}").as_bytes(), b"evil").file(b"d/sub/keep", b"evil").dir(b"d/sub/new")
    });
    let archive = archive.finish();
    for _ in 0..ROUNDS {
        fs::create_dir_all(place.path("t/d")).expect("root");
        symlink(&canary, place.path("link")).expect("root");
        give(&place.path("t"));
        let swapper = Swapper::start(&place.path("t/d"), &place.path("link"));
        send(Opening::Unpack(place.unpack(place.path("t"))), &archive).await;
        drop(swapper);
        sings(&canary);
        for name in ["t/d", "t", "link"] {
            let _ = fs::remove_file(place.path(name));
            let _ = fs::remove_dir_all(place.path(name));
        }
    }
}

#[tokio::test]
async fn a_put_never_reaches_past_the_walls_through_a_link_that_takes_a_directorys_place() {
    let place = Place::new();
    let canary = canary(place.outside().join("canary"));
    fs::create_dir_all(place.path("d/sub")).expect("root");
    give(&place.path("d"));
    symlink(&canary, place.path("link")).expect("root");
    let swapper = Swapper::start(&place.path("d"), &place.path("link"));
    let (mut done, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let path = if round % 2 == 0 { "d/sub/keep" } else { "d/new/file" };
        let put = Put { parents: true, ..place.put(place.path(path)) };
        match fault(&send(Opening::Put(put), b"evil").await) {
            None => done += 1,
            Some(_) => refused += 1,
        }
        ask(Opening::Remove(place.remove(place.path("d/new")))).await;
        sings(&canary);
    }
    drop(swapper);
    assert_eq!(done + refused, ROUNDS);
}
