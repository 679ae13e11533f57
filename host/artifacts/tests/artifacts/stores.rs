//! A store and a database belong together.

use std::fs;

use packhost_artifacts::{ArtifactError, Operator};

use crate::{Scene, made, opened, read};

#[tokio::test]
async fn a_store_of_another_database_is_not_touched() {
    let (one, other) = (Scene::new(), Scene::new());
    let artifacts = one.open().await;
    let kept = made(&artifacts, b"kept").await;
    // Its database is lost, and the next one begins anew.
    fs::rename(one.path().join("artifacts"), other.path().join("artifacts")).unwrap();
    let refused = opened(other.path(), other.settings()).await.err().expect("it would remove everything");
    assert!(matches!(refused, ArtifactError::Foreign(_)), "{refused}");
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
    assert!(matches!(refused, Err(ArtifactError::Foreign(_))), "{refused:?}");
    let after: Vec<_> = fs::read_dir(scene.blobs()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(before, after);
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
        crate::truth::Truth::of(scene.path());
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
