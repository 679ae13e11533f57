//! How long something stays, and clocks that are wrong.

use std::time::Duration;

use bytes::Bytes;
use packhost_artifacts::{ArtifactError, ByteRange, Filter, Page, Settings};
use packhost_core::RunId;

use crate::truth::Truth;
use crate::{Scene, ada, draft, made, read, run_of, sweep, write};

const DAY: i64 = 24 * 3600;

/// A grace of ten minutes, as it usually is.
fn usual(scene: &Scene) -> Settings {
    Settings { grace: Duration::from_secs(600), ..scene.settings() }
}

#[tokio::test]
async fn an_artifact_stays_as_long_as_was_said() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let one = |name: &str| draft(&ada(), RunId::fresh(), name);
    let usually = write(&artifacts, one("a"), b"a").await.unwrap();
    let an_hour = write(&artifacts, one("b").keep(Duration::from_secs(3600)), b"b").await.unwrap();
    let forever = write(&artifacts, one("c").keep(Duration::MAX), b"c").await.unwrap();
    assert_eq!(usually.expires - usually.created, 7 * 24 * 3600 * 1000);
    assert_eq!(forever.expires - forever.created, 90 * 24 * 3600 * 1000, "cut to what there may be");
    let mut there = vec![an_hour, usually, forever];
    for passed in [3600, 7 * DAY - 3600, 83 * DAY] {
        scene.pass(passed - 1);
        assert_eq!(sweep(&artifacts).await.expired, 0);
        for one in &there {
            read(&artifacts, one).await.expect("until the last moment");
        }
        scene.pass(1);
        let gone = there.remove(0);
        let refused = artifacts.read(&ada(), &gone.id, ByteRange::All).await;
        assert!(matches!(refused, Err(ArtifactError::NotFound)), "{refused:?}");
        let listing = artifacts.list(&ada(), Filter::default(), Page::default()).await.unwrap();
        assert_eq!(listing.artifacts.len(), there.len());
        let swept = sweep(&artifacts).await;
        assert_eq!((swept.expired, swept.objects, swept.failed), (1, 1, 0));
        assert_eq!(Truth::swept(scene.path()).files.len(), there.len());
    }
}

#[tokio::test]
async fn a_manifest_stays_as_long_as_what_it_speaks_of() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let run = RunId::fresh();
    write(&artifacts, draft(&ada(), run, "a").keep(Duration::from_secs(10)), b"a").await.unwrap();
    let last = write(&artifacts, draft(&ada(), run, "b").keep(Duration::from_secs(20)), b"b").await.unwrap();
    scene.pass(5);
    let manifest = artifacts.seal(&run_of(&ada(), run)).await.unwrap().unwrap();
    assert_eq!(manifest.expires, last.expires);
    scene.pass(15);
    assert_eq!(sweep(&artifacts).await.expired, 3);
    assert!(Truth::swept(scene.path()).files.is_empty());
}

#[tokio::test]
async fn a_clock_that_was_ahead_for_a_moment_costs_nothing() {
    let scene = Scene::new();
    let artifacts = scene.with(usual(&scene)).await;
    let kept = made(&artifacts, b"kept").await;
    for ahead in [30 * DAY, 100 * 365 * DAY] {
        scene.pass(ahead);
        for _ in 0..3 {
            assert_eq!(sweep(&artifacts).await.expired, 0);
            scene.pass(100);
        }
        artifacts.get(&ada(), &kept.id).await.expect_err("expired, as far as anybody knows");
        scene.pass(-ahead - 300);
        assert_eq!(sweep(&artifacts).await.expired, 0);
        assert_eq!(read(&artifacts, &kept).await.expect("there"), "kept");
    }
    // One that is ahead for good is right.
    scene.pass(7 * DAY);
    assert_eq!(sweep(&artifacts).await.expired, 0);
    scene.pass(599);
    assert_eq!(sweep(&artifacts).await.expired, 0);
    scene.pass(1);
    assert_eq!(sweep(&artifacts).await.expired, 1);
    Truth::swept(scene.path());
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_for_longer_and_takes_nothing() {
    let scene = Scene::new();
    let artifacts = scene.with(usual(&scene)).await;
    let kept = made(&artifacts, b"kept").await;
    let mut writer = artifacts.writer(draft(&ada(), RunId::fresh(), "b")).await.expect("room");
    scene.pass(-365 * DAY);
    writer.write(Bytes::from_static(b"written")).await.expect("it goes on");
    assert_eq!(sweep(&artifacts).await, packhost_artifacts::Swept::default());
    let other = writer.finish().await.expect("kept");
    assert_eq!(read(&artifacts, &kept).await.expect("there"), "kept");
    scene.pass(-50 * 365 * DAY);
    // Before 1970 it is 1970.
    scene.pass(-50 * 365 * DAY);
    made(&artifacts, b"long ago").await;
    assert_eq!(sweep(&artifacts).await, packhost_artifacts::Swept::default());
    scene.pass(101 * 365 * DAY);
    assert_eq!(read(&artifacts, &kept).await.expect("there"), "kept");
    artifacts.get(&ada(), &other.id).await.expect_err("it was made a year ago");
    Truth::of(scene.path());
}

#[tokio::test]
async fn a_writer_of_this_process_is_never_taken_for_dead() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let mut writer = artifacts.writer(draft(&ada(), RunId::fresh(), "slow")).await.expect("room");
    writer.write(vec![1; 3 << 20].into()).await.expect("written");
    scene.pass(30 * DAY);
    assert_eq!(sweep(&artifacts).await, packhost_artifacts::Swept::default());
    let kept = writer.finish().await.expect("kept");
    assert_eq!(read(&artifacts, &kept).await.expect("there").len(), 3 << 20);
}

#[tokio::test]
async fn a_writer_of_another_process_is_taken_for_dead_after_its_lease() {
    let scene = Scene::new();
    // Each with a database and a list of writers of its own.
    let (one, other) = (scene.open().await, scene.open().await);
    let mut slow = one.writer(draft(&ada(), RunId::fresh(), "slow")).await.expect("room");
    let mut dead = one.writer(draft(&ada(), RunId::fresh(), "dead")).await.expect("room");
    for _ in 0..5 {
        scene.pass(1800);
        slow.write(vec![1; 2 << 20].into()).await.expect("it says that it is alive");
        sweep(&other).await;
    }
    let refused = dead.write(vec![1; 2 << 20].into()).await;
    assert!(matches!(refused, Err(ArtifactError::Abandoned)), "{refused:?}");
    let kept = slow.finish().await.expect("kept");
    assert_eq!(read(&other, &kept).await.expect("there").len(), 10 << 20);
    drop(dead);
    // What it wrote too late is nobody's.
    let mut late = one.writer(draft(&ada(), RunId::fresh(), "late")).await.expect("room");
    late.write(vec![2; 1 << 20].into()).await.expect("written");
    scene.pass(3600);
    assert_eq!(sweep(&other).await.abandoned, 1);
    late.finish().await.expect_err("it was removed");
    sweep(&other).await;
    assert_eq!(Truth::swept(scene.path()).files.len(), 1);
}

#[tokio::test]
async fn an_upload_of_a_clock_that_was_ahead_is_not_kept_forever() {
    let scene = Scene::new();
    let other = scene.open().await;
    scene.pass(365 * DAY);
    let one = scene.open().await;
    let writer = one.writer(draft(&ada(), RunId::fresh(), "a")).await.expect("room");
    scene.pass(-365 * DAY);
    assert_eq!(sweep(&other).await.abandoned, 0);
    scene.pass(3600);
    assert_eq!(sweep(&other).await.abandoned, 1, "a lease from when the clock was seen to be right");
    writer.finish().await.expect_err("it was removed");
}
