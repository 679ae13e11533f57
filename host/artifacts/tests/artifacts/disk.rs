//! Disks that are full, and directories that cannot be written. In a mount namespace of its own, so that what is mounted
//! there is nowhere else.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use packhost_artifacts::{ArtifactError, Artifacts, Operator, Store};
use packhost_core::RunId;

use crate::child::{Heard, command, role};
use crate::truth::Truth;
use crate::{Scene, ada, draft, noise, over, read, sweep, write};

/// Starts the test again where it may mount, in a directory of its own; says whether this is the test and not the child.
fn in_namespace(test: &str) -> bool {
    if role().is_some() {
        return false;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let me = fs::metadata("/proc/self").expect("/proc").uid();
    let wrapper: &[&str] =
        if me == 0 { &["unshare", "--mount"] } else { &["unshare", "--mount", "--map-root-user"] };
    let (_, status) = Heard::start(command(wrapper, test, &dir.path().display().to_string())).end();
    assert!(status.success(), "see above: {status}");
    true
}

fn mount(words: &[&str], at: &Path) {
    let status = Command::new("mount").args(words).arg(at).status().expect("mount is there");
    assert!(status.success(), "{words:?}: {status}");
}

/// A small disk for the objects, below a state directory on a large one.
fn small_disk(state: &Path) -> PathBuf {
    let dir = state.join("artifacts");
    fs::create_dir_all(&dir).expect("ours");
    mount(&["-t", "tmpfs", "-o", "size=8m,mode=700", "none"], &dir);
    dir
}

fn state() -> PathBuf {
    let state = Path::new(&role().expect("in the child")).join("state");
    fs::create_dir_all(&state).expect("ours");
    state
}

async fn on(state: &Path, keep_free: u64) -> Artifacts {
    let mut settings = Scene::new().settings();
    settings.limits.keep_free = keep_free;
    crate::opened(state, settings).await.expect("it opens")
}

async fn fills(artifacts: &Artifacts) -> (usize, ArtifactError) {
    for number in 0.. {
        let bytes = noise(number as u64, 1_500_000);
        if let Err(error) = write(artifacts, draft(&ada(), RunId::fresh(), "a"), &bytes).await {
            return (number, error);
        }
    }
    unreachable!("no disk is that large")
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_is_said() {
    if in_namespace("disk::a_full_disk_loses_nothing_and_is_said") {
        return;
    }
    let state = state();
    let dir = small_disk(&state);
    let artifacts = on(&state, 0).await;
    let first = crate::made(&artifacts, b"the first").await;
    // Somebody else fills the disk while an artifact is written.
    let mut writer = artifacts.writer(draft(&ada(), RunId::fresh(), "a").size(5 << 20)).await.expect("room");
    writer.write(noise(1, 2 << 20).into()).await.expect("written");
    let mut ballast = fs::File::create(dir.join("ballast")).expect("a name");
    let mut size = 64 << 10;
    while size > 0 {
        if ballast.write_all(&vec![0; size]).is_err() {
            size /= 2;
        }
    }
    let mut refused = Ok(());
    for _ in 0..4 {
        if refused.is_ok() {
            refused = writer.write(noise(2, 1 << 20).into()).await;
        }
    }
    let refused = match refused {
        Ok(()) => writer.finish().await.err(),
        Err(error) => {
            drop(writer);
            Some(error)
        }
    };
    let said = refused.expect("the disk is full").to_string();
    assert!(said.contains("No space left"), "{said}");
    // Before anything is written, it is known.
    let before = artifacts.writer(draft(&ada(), RunId::fresh(), "a")).await.err();
    assert!(matches!(before, Some(ArtifactError::DiskFull { .. })) || before.is_none(), "{before:?}");
    assert_eq!(read(&artifacts, &first).await.expect("there"), "the first");
    drop(ballast);
    fs::remove_file(dir.join("ballast")).expect("it is there");
    while Truth::of(&state).objects.values().any(|state| *state != 1) {
        tokio::task::yield_now().await;
    }
    sweep(&artifacts).await;
    assert_eq!(Truth::swept(&state).files.len(), 1);
    write(&artifacts, draft(&ada(), RunId::fresh(), "a"), &noise(3, 6 << 20))
        .await
        .expect("there is room again");
    Truth::swept(&state);
}

#[tokio::test]
async fn it_is_refused_before_the_disk_is_full() {
    if in_namespace("disk::it_is_refused_before_the_disk_is_full") {
        return;
    }
    let state = state();
    let dir = small_disk(&state);
    let artifacts = on(&state, 2 << 20).await;
    let (count, error) = fills(&artifacts).await;
    assert!(matches!(error, ArtifactError::DiskFull { .. }) && count >= 3, "{count}: {error}");
    let about = rustix::fs::statvfs(&dir).expect("it is there");
    assert!(about.f_bavail * about.f_frsize >= 2 << 20, "less is free than was to stay so");
    // Several at once get no more.
    let several = (0..6).map(|_| artifacts.writer(draft(&ada(), RunId::fresh(), "a").size(1_400_000)));
    let several = futures::future::join_all(several).await;
    assert!(several.iter().filter(|one| one.is_ok()).count() <= 1, "each was told that there is room");
    drop(several);
    assert_eq!(Operator::of(&artifacts).sweep().await.expect("it sweeps").failed, 0);
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_loses_nothing_and_is_said() {
    if in_namespace("disk::a_directory_that_cannot_be_written_loses_nothing_and_is_said") {
        return;
    }
    let state = state();
    let dir = small_disk(&state);
    let artifacts = on(&state, 0).await;
    let kept = crate::made(&artifacts, b"kept").await;
    let other = crate::made(&artifacts, b"other").await;
    mount(&["-o", "remount,ro"], &dir);
    let refused =
        write(&artifacts, draft(&ada(), RunId::fresh(), "a"), b"more").await.expect_err("read-only");
    assert!(refused.to_string().contains("Read-only file system"), "{refused}");
    assert_eq!(read(&artifacts, &kept).await.expect("it can be read"), "kept");
    // What is removed is gone for everybody; its bytes go when that is possible.
    artifacts.remove(&ada(), &other.id).await.expect("it is hers");
    artifacts.get(&ada(), &other.id).await.expect_err("removed");
    assert!(Operator::of(&artifacts).sweep().await.expect("it tries").failed > 0);
    let store = Store::local(&dir).expect("it is there");
    over(&state, store, Scene::new().settings()).await.expect("it opens, to be read");
    mount(&["-o", "remount,rw"], &dir);
    assert_eq!(sweep(&artifacts).await.failed, 0);
    assert_eq!(Truth::swept(&state).files.len(), 1);
}
