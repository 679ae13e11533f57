//! Writing and reading: whole or not at all, once whatever the number of owners, and in bounded memory.

use std::fs;
use std::future::poll_fn;
use std::os::unix::fs::PermissionsExt as _;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use packhost_artifacts::{ArtifactError, ByteRange, Filter, Page};
use packhost_core::{Digest, RunId};

use crate::truth::Truth;
use crate::{Scene, ada, bob, draft, made, noise, read, sweep, write};

#[tokio::test]
async fn what_was_written_is_read_again_whatever_its_pieces() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let mut random = fastrand::Rng::with_seed(7);
    for size in [0, 1, 65_535, 65_536, 1 << 20, (3 << 20) + 5] {
        let bytes = Bytes::from(noise(size as u64, size));
        let mut writer = artifacts.writer(draft(&ada(), RunId::fresh(), "pieces")).await.expect("room");
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            let next = random.usize(1..=400_000).min(rest.len());
            writer.write(rest.split_to(next)).await.expect("written");
            writer.write(Bytes::new()).await.expect("nothing is no harm");
        }
        let kept = writer.finish().await.expect("kept");
        assert_eq!((kept.size, kept.digest), (size as u64, Digest::of(&bytes)));
        assert!(read(&artifacts, &kept).await.expect("readable") == bytes, "{size}");
        // Also for a process that was started since.
        assert_eq!(scene.open().await.get(&ada(), &kept.id).await.expect("there"), kept);
    }
    Truth::swept(scene.path());
}

#[tokio::test]
async fn the_store_is_this_users_alone() {
    let scene = Scene::new();
    made(&scene.open().await, b"secret").await;
    let mode = |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let dir = scene.path().join("artifacts");
    assert_eq!((mode(&dir), mode(&scene.blobs())), (0o700, 0o700));
    for file in fs::read_dir(scene.blobs()).unwrap().chain(fs::read_dir(&dir).unwrap()) {
        let file = file.unwrap();
        assert!(file.file_type().unwrap().is_dir() || mode(&file.path()) == 0o600, "{file:?}");
    }
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o750)).unwrap();
    let refused = crate::opened(scene.path(), scene.settings()).await.err().expect("others could read it");
    assert!(
        matches!(refused, ArtifactError::File { .. }) && refused.to_string().contains("mode 700"),
        "{refused}"
    );
}

#[tokio::test]
async fn the_same_content_is_stored_once() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let bytes = noise(1, 3 << 20);
    let several = (0..8).map(|number| {
        let owner = if number % 2 == 0 { ada() } else { bob() };
        let (artifacts, bytes) = (artifacts.clone(), bytes.clone());
        tokio::spawn(async move { write(&artifacts, draft(&owner, RunId::fresh(), "same"), &bytes).await })
    });
    let several: Vec<_> = several.collect();
    let mut kept = Vec::new();
    for one in several {
        kept.push(one.await.unwrap().expect("kept"));
    }
    let truth = Truth::swept(scene.path());
    assert_eq!((truth.files.len(), truth.references.len()), (1, 8));
    for one in &kept[1..] {
        artifacts.remove(&one.owner, &one.id).await.expect("its owner may");
    }
    assert!(read(&artifacts, &kept[0]).await.expect("readable") == bytes);
    assert_eq!(Truth::swept(scene.path()).files.len(), 1);
}

#[tokio::test]
async fn nobody_sees_anything_of_what_is_not_finished() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let mut writer = artifacts.writer(draft(&ada(), RunId::fresh(), "half")).await.expect("room");
    for piece in noise(2, 5 << 20).chunks(300_000) {
        writer.write(Bytes::copy_from_slice(piece)).await.expect("written");
        assert!(
            artifacts.list(&ada(), Filter::default(), Page::default()).await.unwrap().artifacts.is_empty()
        );
        assert!(Truth::of(scene.path()).references.is_empty());
    }
    let kept = writer.finish().await.expect("kept");
    assert_eq!(read(&artifacts, &kept).await.expect("all of it").len(), 5 << 20);
    assert_eq!(sweep(&artifacts).await.objects, 0);
}

/// Waits until what was given up has been cleared away, which happens beside.
async fn is_cleared(scene: &Scene) {
    while !is_empty(scene) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn is_empty(scene: &Scene) -> bool {
    Truth::of(scene.path()).objects.is_empty() && fs::read_dir(scene.blobs()).unwrap().next().is_none()
}

#[tokio::test]
async fn a_writer_that_is_dropped_was_never_there() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    for size in [0, 1, 3 << 20] {
        let mut writer = artifacts.writer(draft(&ada(), RunId::fresh(), "dropped")).await.expect("room");
        writer.write(noise(3, size).into()).await.expect("written");
        drop(writer);
        is_cleared(&scene).await;
    }
    // And so it is with one whose caller gives up at any moment.
    for steps in 0..40 {
        let work = write(&artifacts, draft(&ada(), RunId::fresh(), "cut off"), &[7; 100]);
        let mut work = Box::pin(work);
        let mut done = false;
        for _ in 0..steps {
            let polled = |cx: &mut Context<'_>| Poll::Ready(work.as_mut().poll(cx).is_ready());
            done = done || poll_fn(polled).await;
            if done {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(work);
        for one in artifacts.list(&ada(), Filter::default(), Page::default()).await.unwrap().artifacts {
            artifacts.remove(&ada(), &one.id).await.expect("finished before");
        }
    }
    // One that was finished in the last moment may still come.
    while !is_empty(&scene) {
        for one in artifacts.list(&ada(), Filter::default(), Page::default()).await.unwrap().artifacts {
            artifacts.remove(&ada(), &one.id).await.expect("finished before");
        }
        sweep(&artifacts).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_being_read_is_read_to_its_end_though_it_is_removed() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let bytes = noise(4, 6 << 20);
    let kept = made(&artifacts, &bytes).await;
    let mut reading = artifacts.read(&ada(), &kept.id, ByteRange::All).await.expect("there");
    let mut got = reading.next().await.expect("a piece").expect("readable").to_vec();
    artifacts.remove(&ada(), &kept.id).await.expect("hers");
    sweep(&artifacts).await;
    Truth::swept(scene.path());
    while let Some(piece) = reading.next().await {
        got.extend_from_slice(&piece.expect("readable"));
    }
    assert!(got == bytes);
}

#[tokio::test]
async fn after_an_error_nothing_more_is_written() {
    let scene = Scene::new();
    let mut settings = scene.settings();
    settings.limits.artifact = 10;
    let artifacts = scene.with(settings).await;
    let mut writer = artifacts.writer(draft(&ada(), RunId::fresh(), "too much")).await.expect("room");
    writer.write(Bytes::from_static(b"0123456789")).await.expect("as much as may be");
    writer.write(Bytes::from_static(b"0")).await.expect_err("one too many");
    let refused = writer.write(Bytes::from_static(b"0")).await;
    assert!(matches!(refused, Err(ArtifactError::Broken)), "{refused:?}");
    let refused = writer.finish().await;
    assert!(matches!(refused, Err(ArtifactError::Broken)), "{refused:?}");
    is_cleared(&scene).await;
}

/// Bytes that this process has at most in memory, as the kernel counts them.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("the kernel counts it");
    line.split_whitespace().nth(1).unwrap().parse::<u64>().expect("a number") << 10
}

#[tokio::test]
async fn memory_does_not_grow_with_the_artifact() {
    const TEST: &str = "writing::memory_does_not_grow_with_the_artifact";
    if crate::child::role().is_none() {
        // Alone in its process, so that it is the only one that is counted.
        let (_, status) = crate::child::Heard::start(crate::child::command(&[], TEST, "alone")).end();
        assert!(status.success(), "see above: {status}");
        return;
    }
    let scene = Scene::new();
    let artifacts = scene.open().await;
    made(&artifacts, &noise(5, 4 << 20)).await;
    let before = peak();
    let mut writer = artifacts.writer(draft(&ada(), RunId::fresh(), "large")).await.expect("room");
    let piece = Bytes::from(noise(6, 1 << 20));
    for _ in 0..192 {
        writer.write(piece.clone()).await.expect("written");
    }
    let kept = writer.finish().await.expect("kept");
    let mut reading = artifacts.read(&ada(), &kept.id, ByteRange::All).await.expect("there");
    let mut length = 0;
    while let Some(piece) = reading.next().await {
        length += piece.expect("readable").len();
    }
    assert_eq!(length, 192 << 20);
    let grown = peak().saturating_sub(before);
    assert!(grown < 48 << 20, "{} MiB for an artifact of 192", grown >> 20);
}
