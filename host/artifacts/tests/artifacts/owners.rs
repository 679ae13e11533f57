//! What is another caller's is not there.

use std::time::Duration;

use packhost_artifacts::{ArtifactError, ArtifactId, ByteRange, Filter, Kind, Linked, Operator, Page};
use packhost_core::{ErrorCode, Failure, RunId};

use crate::{Scene, ada, bob, draft, run_of, write};

/// All that can be told from an error.
fn told<T: std::fmt::Debug>(refused: Result<T, ArtifactError>) -> String {
    let error = refused.expect_err("it is not there");
    let text = format!("{error} {error:?}");
    let failure = Failure::from(error);
    assert_eq!(failure.code, ErrorCode::NotFound);
    format!("{text} {}", failure.to_json())
}

#[tokio::test]
async fn what_is_anothers_is_not_there_for_any_verb() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let run = RunId::fresh();
    let kept = write(&artifacts, draft(&ada(), run, "ada's"), b"hers").await.expect("kept");
    let manifest = artifacts.seal(&run_of(&ada(), run)).await.expect("signed").expect("there is one");
    let keys = crate::keys(scene.path()).unwrap().public().unwrap();
    let never: ArtifactId = "art-00000000000000000000000000".parse().unwrap();
    let mut said = Vec::new();
    for id in [&kept.id, &manifest.id, &never] {
        said.push(told(artifacts.get(&bob(), id).await));
        said.push(told(artifacts.read(&bob(), id, ByteRange::All).await));
        said.push(told(artifacts.read(&bob(), id, ByteRange::From(1 << 40)).await));
        said.push(told(artifacts.remove(&bob(), id).await));
        said.push(told(artifacts.verify(&bob(), id, &keys).await));
    }
    for run in [run, RunId::fresh()] {
        said.push(told(artifacts.verify_run(&bob(), run, &keys).await));
        for kind in [None, Some(Kind::Made), Some(Kind::Manifest)] {
            let filter = Filter { run: Some(run), kind, ..Filter::default() };
            let listing = artifacts.list(&bob(), filter, Page::default()).await.expect("readable");
            assert_eq!((listing.artifacts.len(), listing.next), (0, None));
        }
    }
    said.dedup();
    assert_eq!(said.len(), 1, "what is another's can be told from what was never there: {said:?}");
    assert!(artifacts.list(&bob(), Filter::default(), Page::default()).await.unwrap().artifacts.is_empty());
    // And nothing of it has happened.
    assert_eq!(artifacts.get(&ada(), &kept.id).await.expect("there"), kept);
    assert_eq!(artifacts.get(&ada(), &manifest.id).await.expect("there"), manifest);
    assert!(artifacts.verify_run(&ada(), run, &keys).await.expect("there").is_sound());
}

#[tokio::test]
async fn a_link_leads_to_one_artifact_as_its_caller_until_it_is_over() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let kept = write(&artifacts, draft(&ada(), RunId::fresh(), "ada's"), b"hers").await.expect("kept");
    let hour = Duration::from_secs(3600);
    told(artifacts.link(&bob(), &kept.id, hour).await);
    let (link, until) = artifacts.link(&ada(), &kept.id, hour).await.expect("signed");
    assert_eq!(until, kept.created + 3_600_000);
    let linked = artifacts.linked(&link).await.expect("good");
    assert_eq!(linked, Linked { caller: ada(), id: kept.id.clone() });
    // What another host has signed, what was signed for something else, and what is no link.
    let elsewhere = Scene::new().open().await;
    told(elsewhere.linked(&link).await);
    for wrong in [
        "",
        ".",
        "..",
        "a.b.c",
        &link[1..],
        &format!("{link}."),
        &format!("{link}.{link}"),
        &"x".repeat(1 << 20),
    ] {
        told(artifacts.linked(wrong).await);
    }
    scene.pass(3599);
    artifacts.linked(&link).await.expect("until the last moment");
    scene.pass(1);
    told(artifacts.linked(&link).await);
    // None outlives what it leads to.
    let (_, until) = artifacts.link(&ada(), &kept.id, Duration::MAX).await.expect("signed");
    assert_eq!(until, kept.expires);
}

#[tokio::test]
async fn a_run_of_another_is_not_signed_for() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let run = RunId::fresh();
    write(&artifacts, draft(&ada(), run, "ada's"), b"hers").await.expect("kept");
    assert_eq!(artifacts.seal(&run_of(&bob(), run)).await.expect("there is nothing of his"), None);
    write(&artifacts, draft(&ada(), run, "more"), b"hers").await.expect("it is not sealed");
}

#[tokio::test]
async fn the_same_content_is_there_for_whoever_made_it_and_goes_with_the_last() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let hers = write(&artifacts, draft(&ada(), RunId::fresh(), "hers"), b"the same").await.expect("kept");
    let his = write(&artifacts, draft(&bob(), RunId::fresh(), "his"), b"the same").await.expect("kept");
    assert_eq!(hers.digest, his.digest);
    assert_ne!(hers.id, his.id);
    artifacts.get(&bob(), &hers.id).await.expect_err("the same bytes, and still not his");
    artifacts.remove(&ada(), &hers.id).await.expect("it is hers");
    artifacts.get(&ada(), &hers.id).await.expect_err("removed");
    assert_eq!(crate::read(&artifacts, &his).await.expect("there"), "the same");
    artifacts.remove(&bob(), &his.id).await.expect("it is his");
    crate::truth::Truth::swept(scene.path());
}

#[tokio::test]
async fn the_operator_sees_everybodys() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let operator = Operator::of(&artifacts);
    let run = RunId::fresh();
    let hers = write(&artifacts, draft(&ada(), run, "hers"), b"hers").await.expect("kept");
    scene.pass(1);
    let his = write(&artifacts, draft(&bob(), RunId::fresh(), "his"), b"his").await.expect("kept");
    let all = operator.list(None, Filter::default(), Page::default()).await.expect("readable");
    assert_eq!(all.artifacts, [his.clone(), hers.clone()]);
    let of_bob = operator.list(Some(&bob()), Filter::default(), Page::default()).await.expect("readable");
    assert_eq!(of_bob.artifacts, std::slice::from_ref(&his));
    assert_eq!(operator.get(&hers.id).await.expect("there"), hers);
    assert_eq!(operator.read(&his.id, ByteRange::Suffix(2)).await.unwrap().bytes().await.unwrap(), "is");
    let manifest = artifacts.seal(&run_of(&ada(), run)).await.expect("signed").expect("there is one");
    let kept = artifacts.remove(&ada(), &manifest.id).await;
    assert!(matches!(kept, Err(ArtifactError::IsManifest)), "{kept:?}");
    operator.remove(&manifest.id).await.expect("an operator may");
    operator.remove(&his.id).await.expect("an operator may");
    artifacts.get(&bob(), &his.id).await.expect_err("removed");
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let run = RunId::fresh();
    let mut kept = Vec::new();
    for number in 0..25 {
        // Some in the same millisecond.
        scene.pass(i64::from(number % 3 == 0));
        let name = format!("{number}");
        kept.push(write(&artifacts, draft(&ada(), run, &name), name.as_bytes()).await.expect("kept").id);
    }
    let (mut found, mut page) = (Vec::new(), Page { after: None, most: 4 });
    loop {
        let listing = artifacts.list(&ada(), Filter::default(), page).await.expect("readable");
        assert!(listing.artifacts.len() <= 4);
        // What is removed behind the page does not move the next one.
        artifacts.remove(&ada(), &listing.artifacts[0].id).await.expect("it is hers");
        found.extend(listing.artifacts.into_iter().map(|one| one.id));
        let Some(next) = listing.next else { break };
        page = Page { after: Some(next.to_string().parse().expect("a cursor")), most: 4 };
    }
    found.sort();
    kept.sort();
    assert_eq!(found, kept);
    let huge = Page { after: None, most: u32::MAX };
    artifacts.list(&ada(), Filter::default(), huge).await.expect("cut to what a page may have");
}
