//! A store and a database belong together.

use std::fs;
use std::sync::Arc;

use packhost_artifacts::{ArtifactError, Artifacts, Finding, Operator, Signed, Store};
use packhost_state::Database;

use crate::truth::Truth;
use crate::{Scene, ada, keys, made, opened, read, run_of};

#[tokio::test]
async fn a_store_of_another_database_is_not_touched() {
    let (one, other) = (Scene::new(), Scene::new());
    let artifacts = one.open().await;
    let kept = made(&artifacts, b"kept").await;
    // Its database is lost, and the next one begins anew.
    fs::rename(one.path().join("artifacts"), other.path().join("artifacts")).unwrap();
    let refused = opened(other.path(), other.settings()).await.err().expect("it would remove everything");
    assert!(matches!(refused, ArtifactError::Foreign), "{refused}");
    assert!(refused.to_string().contains("another state database"), "{refused}");
    // And the database has no store any more.
    let refused = opened(one.path(), one.settings()).await.err().expect("what it knows is not there");
    assert!(refused.to_string().contains("emptied"), "{refused}");
    fs::remove_dir_all(one.path().join("artifacts")).unwrap();
    fs::rename(other.path().join("artifacts"), one.path().join("artifacts")).unwrap();
    assert_eq!(read(&one.open().await, &kept).await.expect("there"), "kept");
}

#[tokio::test]
async fn a_sweeper_leaves_a_store_alone_that_became_anothers() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    made(&artifacts, b"kept").await;
    let before: Vec<_> = fs::read_dir(scene.blobs()).unwrap().map(|entry| entry.unwrap().path()).collect();
    fs::write(scene.path().join("artifacts/packhost-store"), "somebody").unwrap();
    let refused = Operator::of(&artifacts).sweep().await;
    assert!(matches!(refused, Err(ArtifactError::Foreign)), "{refused:?}");
    let after: Vec<_> = fs::read_dir(scene.blobs()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(before, after);
}

/// The artifacts for an operator, whatever became of the store.
async fn emptied(scene: &Scene) -> Result<Operator, ArtifactError> {
    let store = Store::local(&scene.path().join("artifacts"))?;
    let database = Arc::new(Database::open(scene.path())?);
    let opened = Artifacts::open_emptied(store, database, keys(scene.path())?, scene.settings()).await?;
    Ok(Operator::of(&opened))
}

#[tokio::test]
async fn what_a_lost_store_had_is_said_and_removed_and_then_it_is_opened_as_ever() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let lost = made(&artifacts, b"lost").await;
    made(&artifacts, b"lost as well").await;
    artifacts.seal(&run_of(&ada(), lost.run)).await.expect("signed");
    drop(artifacts);
    fs::remove_dir_all(scene.path().join("artifacts")).unwrap();
    let refused = opened(scene.path(), scene.settings()).await.err().expect("what it knows is not there");
    assert!(matches!(refused, ArtifactError::Emptied), "{refused}");
    let operator = emptied(&scene).await.expect("for the operator it opens");
    let public = operator.keys().await.expect("a ring");
    let report = operator.verify(&lost.id, &public).await.expect("looked at");
    assert_eq!(report.artifacts[0].finding, Finding::Lost, "{report:?}");
    assert!(matches!(report.manifest, Signed::Invalid { .. }), "{report:?}");
    assert!(opened(scene.path(), scene.settings()).await.is_err(), "who only looks makes nothing good");
    assert_eq!(operator.remove_missing().await.expect("removed").len(), 3, "two, and what was signed");
    let artifacts = scene.open().await;
    assert!(Truth::swept(scene.path()).objects.is_empty());
    let again = made(&artifacts, b"lost").await;
    assert_eq!(read(&artifacts, &again).await.expect("there"), "lost");
}

#[tokio::test]
async fn of_a_store_that_lost_some_these_are_removed_and_the_others_stay() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let lost = made(&artifacts, b"lost").await;
    let file = fs::read_dir(scene.blobs()).unwrap().next().expect("its bytes").unwrap().path();
    let kept = made(&artifacts, b"kept").await;
    fs::remove_file(file).unwrap();
    let removed = Operator::of(&artifacts).remove_missing().await.expect("removed");
    assert_eq!(removed.iter().map(|one| &one.id).collect::<Vec<_>>(), [&lost.id]);
    assert_eq!(read(&artifacts, &kept).await.expect("there"), "kept");
    assert_eq!(Truth::swept(scene.path()).files.len(), 1);
    // A store that is another's has lost nothing of this one.
    fs::write(scene.path().join("artifacts/packhost-store"), "somebody").unwrap();
    let refused = emptied(&scene).await.expect_err("it is another's");
    assert!(matches!(refused, ArtifactError::Foreign), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_begin_with_one_store_at_once() {
    for _ in 0..10 {
        let scene = Scene::new();
        let several = (0..6).map(|_| {
            let (state, settings) = (scene.path().to_owned(), scene.settings());
            tokio::spawn(
                async move { made(&opened(&state, settings).await.expect("it opens"), b"same").await },
            )
        });
        let several: Vec<_> = several.collect();
        for one in several {
            let kept = one.await.unwrap();
            assert_eq!(read(&scene.open().await, &kept).await.expect("there"), "same");
        }
        Truth::of(scene.path());
    }
}

#[tokio::test]
async fn what_is_not_ours_is_left_alone() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let foreign = ["README", "lost+found", "0123#1", "../note"].map(|name| scene.blobs().join(name));
    for path in &foreign {
        fs::write(path, "somebody's").unwrap();
    }
    crate::sweep(&artifacts).await;
    for path in &foreign {
        fs::remove_file(path).expect("it is still there");
    }
}
