//! How much there may be, also when many want it at once.

use std::sync::Arc;

use bytes::Bytes;
use packhost_artifacts::{ArtifactError, Artifacts, Draft, Limit, Limits, Settings};
use packhost_core::{Caller, ErrorCode, Failure, RunId};

use crate::truth::Truth;
use crate::{Scene, ada, bob, draft, noise, run_of, sweep, write};

const KIB: u64 = 1 << 10;

async fn within(scene: &Scene, set: impl FnOnce(&mut Limits)) -> Artifacts {
    let mut settings: Settings = scene.settings();
    set(&mut settings.limits);
    scene.with(settings).await
}

/// Writes so much that is like nothing else, in pieces.
async fn some(artifacts: &Artifacts, draft: Draft, seed: u64, bytes: u64) -> Result<(), ArtifactError> {
    let mut writer = artifacts.writer(draft).await?;
    for piece in noise(seed, usize::try_from(bytes).unwrap()).chunks(100_000) {
        writer.write(Bytes::copy_from_slice(piece)).await?;
    }
    writer.finish().await.map(drop)
}

fn is_over<T: std::fmt::Debug>(refused: Result<T, ArtifactError>, which: Limit, allowed: u64) {
    match refused {
        Err(ArtifactError::Quota { limit, most }) => assert_eq!((limit, most), (which, allowed)),
        other => panic!("{which}: {other:?}"),
    }
}

#[tokio::test]
async fn an_artifact_is_as_large_as_one_may_be() {
    let scene = Scene::new();
    let most = 3 * (1 << 20) + 7;
    let artifacts = within(&scene, |limits| limits.artifact = most).await;
    let one = || draft(&ada(), RunId::fresh(), "a");
    some(&artifacts, one(), 1, most).await.expect("as large as one may be");
    is_over(some(&artifacts, one(), 2, most + 1).await, Limit::Artifact, most);
    // Where it is said before, it is refused before.
    artifacts.writer(one().size(most)).await.expect("as large as one may be");
    is_over(artifacts.writer(one().size(most + 1)).await.map(drop), Limit::Artifact, most);
    let error = artifacts.writer(one().size(most + 1)).await.err().expect("too large");
    assert!(error.to_string().contains(&most.to_string()), "{error}");
    assert_eq!(Failure::from(error).code, ErrorCode::ResourceExhausted);
}

#[tokio::test]
async fn a_run_has_as_many_artifacts_and_bytes_as_it_may() {
    let scene = Scene::new();
    let artifacts = within(&scene, |limits| (limits.run_artifacts, limits.run) = (3, 100 * KIB)).await;
    let run = RunId::fresh();
    for seed in 0..3 {
        some(&artifacts, draft(&ada(), run, "a"), seed, 10).await.expect("one of three");
    }
    is_over(some(&artifacts, draft(&ada(), run, "a"), 3, 10).await, Limit::RunArtifacts, 3);
    let run = RunId::fresh();
    some(&artifacts, draft(&ada(), run, "a"), 4, 60 * KIB).await.expect("there is room");
    is_over(some(&artifacts, draft(&ada(), run, "b"), 5, 41 * KIB).await, Limit::Run, 100 * KIB);
    some(&artifacts, draft(&ada(), run, "b"), 6, 40 * KIB).await.expect("to the last byte");
    is_over(some(&artifacts, draft(&ada(), run, "c"), 7, 1).await, Limit::Run, 100 * KIB);
    some(&artifacts, draft(&ada(), RunId::fresh(), "c"), 7, 1).await.expect("another run has its own");
}

#[tokio::test]
async fn a_caller_has_as_much_as_it_may_and_no_other_less() {
    let scene = Scene::new();
    let artifacts = within(&scene, |limits| limits.caller = 100 * KIB).await;
    let one = |caller: &Caller| draft(caller, RunId::fresh(), "a");
    let first = write(&artifacts, one(&ada()), &noise(1, 60 << 10)).await.expect("there is room");
    is_over(some(&artifacts, one(&ada()), 2, 41 * KIB).await, Limit::Caller, 100 * KIB);
    // The same content is no free one.
    is_over(some(&artifacts, one(&ada()), 1, 60 * KIB).await, Limit::Caller, 100 * KIB);
    some(&artifacts, one(&bob()), 1, 60 * KIB).await.expect("he has his own");
    artifacts.remove(&ada(), &first.id).await.expect("hers");
    some(&artifacts, one(&ada()), 2, 100 * KIB).await.expect("there is room again");
    sweep(&artifacts).await;
    Truth::swept(scene.path());
}

#[tokio::test]
async fn there_is_as_much_as_there_may_be_in_all() {
    let scene = Scene::new();
    let artifacts = within(&scene, |limits| limits.all = 100 * KIB).await;
    let one = |caller: &Caller| draft(caller, RunId::fresh(), "a");
    some(&artifacts, one(&ada()), 1, 40 * KIB).await.expect("there is room");
    // What is there already takes no more, once it is known to be that; until then it has to have room.
    some(&artifacts, one(&bob()), 1, 40 * KIB).await.expect("it is there already");
    some(&artifacts, one(&bob()), 1, 40 * KIB).await.expect("it is there already");
    is_over(some(&artifacts, one(&bob()), 2, 61 * KIB).await, Limit::All, 100 * KIB);
    some(&artifacts, one(&bob()), 2, 60 * KIB).await.expect("to the last byte");
    is_over(some(&artifacts, one(&ada()), 3, 1).await, Limit::All, 100 * KIB);
    Truth::of(scene.path());
}

#[tokio::test]
async fn an_empty_artifact_takes_room_as_well() {
    let scene = Scene::new();
    let artifacts = within(&scene, |limits| limits.caller = 10 * Limits::FLOOR).await;
    for _ in 0..10 {
        some(&artifacts, draft(&ada(), RunId::fresh(), "empty"), 0, 0).await.expect("there is room");
    }
    let more = some(&artifacts, draft(&ada(), RunId::fresh(), "empty"), 0, 0).await;
    is_over(more, Limit::Caller, 10 * Limits::FLOOR);
}

#[tokio::test]
async fn what_is_reserved_is_taken_and_given_back() {
    let scene = Scene::new();
    let artifacts = within(&scene, |limits| limits.caller = 100 * KIB).await;
    let one = || draft(&ada(), RunId::fresh(), "a");
    let writer = artifacts.writer(one().size(60 * KIB)).await.expect("there is room");
    is_over(artifacts.writer(one().size(41 * KIB)).await.map(drop), Limit::Caller, 100 * KIB);
    let other = artifacts.writer(one().size(40 * KIB)).await.expect("to the last byte");
    other.finish().await.expect("it became smaller");
    artifacts.writer(one().size(36 * KIB)).await.expect("what was not needed is there again");
    drop(writer);
    while artifacts.writer(one().size(96 * KIB)).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_manifest_is_written_though_there_is_no_room_left() {
    let scene = Scene::new();
    let set = |limits: &mut Limits| {
        (limits.run_artifacts, limits.artifact, limits.all) = (1, 10, Limits::FLOOR);
        (limits.run, limits.caller) = (Limits::FLOOR, Limits::FLOOR);
    };
    let artifacts = within(&scene, set).await;
    let run = RunId::fresh();
    write(&artifacts, draft(&ada(), run, "a"), b"0123456789").await.expect("there is room");
    artifacts.seal(&run_of(&ada(), run)).await.expect("signed").expect("there is one");
    is_over(
        artifacts.writer(draft(&ada(), RunId::fresh(), "a")).await.map(drop),
        Limit::Caller,
        Limits::FLOOR,
    );
    Truth::swept(scene.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_get_no_more_than_there_is() {
    let scene = Scene::new();
    for which in [Limit::All, Limit::Caller, Limit::Run] {
        let most = 2_000 * KIB;
        let set = |limits: &mut Limits| match which {
            Limit::All => limits.all = most,
            Limit::Caller => limits.caller = most,
            _ => limits.run = most,
        };
        // A database of its own for each, as processes have it.
        let mut several = Vec::new();
        let state = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            let mut settings = scene.settings();
            set(&mut settings.limits);
            several.push(crate::opened(state.path(), settings).await.expect("it opens"));
        }
        let run = RunId::fresh();
        let several = Arc::new(several);
        let mut work = Vec::new();
        for number in 0..24_u64 {
            let several = Arc::clone(&several);
            work.push(tokio::spawn(async move {
                let artifacts = &several[usize::try_from(number % 3).unwrap()];
                some(artifacts, draft(&ada(), run, "a"), 1_000 + number, 200 * KIB).await
            }));
        }
        let (mut kept, mut refused) = (0, 0);
        for one in work {
            match one.await.unwrap() {
                Ok(()) => kept += 1,
                Err(ArtifactError::Quota { limit, .. }) if limit == which => refused += 1,
                Err(error) => panic!("{which}: {error}"),
            }
        }
        assert!((1..=10).contains(&kept) && kept + refused == 24, "{which}: {kept} were kept");
        settled(&several[0], state.path()).await;
        // What was given up is there again.
        let left = most - kept * 200 * KIB;
        some(&several[0], draft(&ada(), run, "a"), 5_000, left).await.expect("to the last byte");
        settled(&several[0], state.path()).await;
    }
}

/// What was refused is cleared away beside; this waits for it.
async fn settled(artifacts: &Artifacts, state: &std::path::Path) {
    while Truth::of(state).objects.values().any(|state| *state != 1) {
        tokio::task::yield_now().await;
    }
    sweep(artifacts).await;
    Truth::swept(state);
}

#[tokio::test]
async fn so_much_of_the_disk_stays_free() {
    let scene = Scene::new();
    let artifacts = within(&scene, |limits| limits.keep_free = u64::MAX / 4).await;
    let refused =
        artifacts.writer(draft(&ada(), RunId::fresh(), "a")).await.err().expect("no disk is that large");
    assert!(matches!(refused, ArtifactError::DiskFull { .. }), "{refused}");
    let failure = Failure::from(refused);
    assert_eq!(failure.code, ErrorCode::ResourceExhausted);
    assert!(!failure.to_json().to_string().contains("bytes"), "how much there is, is the operator's");
}
