//! Writers, readers, removers and sweepers at once: nothing that is referred to goes, and nothing else stays.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packhost_artifacts::{Artifact, ArtifactError, Artifacts, Filter, Operator, Page, Settings};
use packhost_core::{Caller, RunId};
use packhost_state::Database;
use proptest::prelude::*;

use crate::truth::Truth;
use crate::{Scene, ada, bob, draft, noise, read, sweep, write};

#[tokio::test]
async fn a_sweep_takes_what_nobody_refers_to_and_nothing_else() {
    let scene = Scene::new();
    let artifacts = scene.open().await;
    let kept = crate::made(&artifacts, b"kept").await;
    // What nobody could know of: a row precedes every object.
    for name in ["0123456789abcdefghjkmnpqrs", "0123456789abcdefghjkmnpqrt#1"] {
        std::fs::write(scene.blobs().join(name), "stray").unwrap();
    }
    let swept = sweep(&artifacts).await;
    assert_eq!((swept.objects, swept.failed, swept.expired, swept.abandoned), (2, 0, 0, 0));
    assert_eq!(Truth::swept(scene.path()).files.len(), 1);
    assert_eq!(read(&artifacts, &kept).await.expect("there"), "kept");
}

/// The state database as it is now, as a backup has it.
fn backup(scene: &Scene) -> std::path::PathBuf {
    let copy = scene.path().join(format!("copy-{}", RunId::fresh()));
    let into = |sql: &rusqlite::Connection| sql.execute("VACUUM INTO ?1", [copy.display().to_string()]);
    Database::open(scene.path()).expect("it opens").glance(into).expect("copied");
    copy
}

/// Puts a copy in the place of the state database.
fn restore(scene: &Scene, copy: &Path) {
    for end in ["", "-wal", "-shm"] {
        let _may_be_gone = std::fs::remove_file(scene.path().join(format!("state.db{end}")));
    }
    let file = scene.path().join("state.db");
    std::fs::copy(copy, &file).expect("the directory is the test's");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours");
}

#[tokio::test]
async fn what_a_database_of_an_earlier_time_does_not_know_stays_for_a_week() {
    const DAY: i64 = 24 * 3600;
    let scene = Scene::new();
    let week = || Settings { strays: Settings::default().strays, ..scene.settings() };
    let artifacts = scene.with(week()).await;
    let long = draft(&ada(), RunId::fresh(), "a").keep(Duration::from_secs(90 * 24 * 3600));
    let earlier = backup(&scene);
    let later = write(&artifacts, long, b"later").await.expect("kept");
    drop(artifacts);
    let newer = backup(&scene);
    restore(&scene, &earlier);
    let artifacts = scene.with(week()).await;
    for _ in 0..7 {
        let swept = sweep(&artifacts).await;
        assert_eq!((swept.objects, swept.strays, swept.failed), (0, 1, 0));
        scene.pass(DAY - 1);
    }
    drop(artifacts);
    let forgetful = backup(&scene);
    restore(&scene, &newer);
    let artifacts = scene.with(week()).await;
    assert_eq!(sweep(&artifacts).await.strays, 0);
    assert_eq!(read(&artifacts, &later).await.expect("it was left alone"), "later");
    drop(artifacts);
    restore(&scene, &forgetful);
    let artifacts = scene.with(week()).await;
    // A clock that is set back makes nothing stay for longer than from now on.
    scene.pass(-30 * DAY);
    assert_eq!(sweep(&artifacts).await.strays, 1);
    scene.pass(7 * DAY - 1);
    assert_eq!(sweep(&artifacts).await.strays, 1);
    scene.pass(1);
    let swept = sweep(&artifacts).await;
    assert_eq!((swept.objects, swept.strays), (1, 0));
    assert!(Truth::swept(scene.path()).files.is_empty());
}

/// Seeds of contents: few, so that the same one is written, removed and swept at the same time.
const CONTENTS: u64 = 6;

fn content(number: u64) -> Vec<u8> {
    noise(number, if number.is_multiple_of(2) { 3_000 } else { (1 << 20) + 100 })
}

async fn writes(artifacts: Artifacts, owner: Caller, seed: u64, deeds: u32, living: Living) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut mine: Vec<(Artifact, u64)> = Vec::new();
    for _ in 0..deeds {
        let number = random.u64(..CONTENTS);
        match random.u8(..10) {
            0..=4 => {
                let kept = write(&artifacts, draft(&owner, RunId::fresh(), "a"), &content(number)).await;
                let kept = kept.expect("there is room");
                living.lock().unwrap().insert(kept.id.to_string(), number);
                mine.push((kept, number));
            }
            5 => {
                let mut writer =
                    artifacts.writer(draft(&owner, RunId::fresh(), "given up")).await.expect("room");
                writer.write(content(number).into()).await.expect("written");
            }
            6..=7 if !mine.is_empty() => {
                let (gone, _) = mine.swap_remove(random.usize(..mine.len()));
                living.lock().unwrap().remove(gone.id.as_str());
                artifacts.remove(&owner, &gone.id).await.expect("it is there until then");
                let refused = artifacts.get(&owner, &gone.id).await;
                assert!(matches!(refused, Err(ArtifactError::NotFound)), "{refused:?}");
            }
            _ => {
                for (kept, number) in &mine {
                    assert!(read(&artifacts, kept).await.expect("it is live") == content(*number));
                }
            }
        }
    }
}

/// The artifacts that have to be there, and the number of their content.
type Living = Arc<Mutex<HashMap<String, u64>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sweepers_and_writers_of_several_processes_never_meet_in_a_live_artifact() {
    let scene = Scene::new();
    let (living, over) = (Living::default(), Arc::new(AtomicBool::new(false)));
    let mut several = Vec::new();
    for _ in 0..3 {
        several.push(scene.open().await);
    }
    let swept = Arc::new(AtomicU64::new(0));
    let sweepers = several.iter().map(|artifacts| {
        let (operator, over, swept) = (Operator::of(artifacts), over.clone(), swept.clone());
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let done = operator.sweep().await.expect("it sweeps");
                assert_eq!((done.failed, done.expired, done.abandoned), (0, 0, 0), "{done:?}");
                swept.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    });
    let sweepers: Vec<_> = sweepers.collect();
    let writers = several.iter().enumerate().flat_map(|(at, artifacts)| {
        [ada(), bob()].map(|owner| {
            let seed = at as u64 * 2 + u64::from(owner == bob());
            tokio::spawn(writes(artifacts.clone(), owner, seed, 60, living.clone()))
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("nothing was lost");
    }
    over.store(true, Ordering::Relaxed);
    for sweeper in sweepers {
        sweeper.await.expect("it sweeps");
    }
    assert!(swept.load(Ordering::Relaxed) > 3, "the sweepers had no turn");
    everything_is_there(&scene, &living).await;
}

/// With nobody at work any more.
async fn everything_is_there(scene: &Scene, living: &Living) {
    let artifacts = scene.open().await;
    // What was dropped is cleared away beside.
    while Truth::of(scene.path()).objects.values().any(|state| *state == 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    sweep(&artifacts).await;
    let truth = Truth::swept(scene.path());
    let living = living.lock().unwrap().clone();
    assert_eq!(truth.references.len(), living.len());
    let contents: std::collections::BTreeSet<_> = living.values().collect();
    assert_eq!(truth.files.len(), contents.len(), "a content is there twice");
    let page = Page { after: None, most: Page::MOST };
    let all = Operator::of(&artifacts).list(None, Filter::default(), page).await.expect("readable");
    for one in all.artifacts {
        let number = living.get(one.id.as_str()).expect("it was not removed");
        assert!(read(&artifacts, &one).await.expect("readable") == content(*number));
    }
}

/// What is done in the model below.
#[derive(Debug, Clone)]
enum Deed {
    Write { content: u8, seconds: u16 },
    Begin { content: u8 },
    Finish,
    Drop,
    Remove(prop::sample::Index),
    Pass(u16),
    Sweep { process: bool },
    Restart,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..3_u8, 1..5_000_u16).prop_map(|(content, seconds)| Deed::Write { content, seconds }),
        2 => (0..3_u8).prop_map(|content| Deed::Begin { content }),
        2 => Just(Deed::Finish),
        1 => Just(Deed::Drop),
        2 => any::<prop::sample::Index>().prop_map(Deed::Remove),
        2 => (1..4_000_u16).prop_map(Deed::Pass),
        3 => any::<bool>().prop_map(|process| Deed::Sweep { process }),
        1 => Just(Deed::Restart),
    ]
}

/// Two processes, one after the other's deeds, and what they must agree on.
struct Model {
    scene: Scene,
    several: [Artifacts; 2],
    writing: Option<packhost_artifacts::Writer>,
    living: Vec<Artifact>,
}

impl Model {
    async fn run(deeds: Vec<Deed>) {
        let scene = Scene::new();
        let several = [scene.open().await, scene.open().await];
        let mut model = Self { scene, several, writing: None, living: Vec::new() };
        for deed in deeds {
            model.run_one(deed).await;
            let now = model.scene.clock.load(Ordering::Relaxed).unsigned_abs();
            model.living.retain(|one| one.expires > now);
            let listing = model.several[1].list(&ada(), Filter::default(), Page::default()).await.unwrap();
            assert_eq!(listing.artifacts.len(), model.living.len());
            Truth::of(model.scene.path());
        }
        drop(model.writing.take());
        model.scene.pass(3_600);
        let now = model.scene.clock.load(Ordering::Relaxed).unsigned_abs();
        model.living.retain(|one| one.expires > now);
        let fresh = model.scene.open().await;
        // What was dropped may be cleared away beside, at the same time.
        sweep(&fresh).await;
        while Truth::of(model.scene.path()).objects.values().any(|state| *state != 1) {
            tokio::task::yield_now().await;
        }
        sweep(&fresh).await;
        assert_eq!(Truth::swept(model.scene.path()).references.len(), model.living.len());
    }

    async fn run_one(&mut self, deed: Deed) {
        match deed {
            Deed::Write { content, seconds } => {
                let keep = Duration::from_secs(seconds.into());
                let draft = draft(&ada(), RunId::fresh(), "a").keep(keep);
                self.living.push(write(&self.several[0], draft, &[content; 10]).await.expect("kept"));
            }
            Deed::Begin { content } => {
                let mut writer =
                    self.several[0].writer(draft(&ada(), RunId::fresh(), "a")).await.expect("room");
                writer.write(vec![content; 10].into()).await.expect("written");
                self.writing = Some(writer);
            }
            Deed::Finish => match self.writing.take() {
                None => {}
                Some(writer) => match writer.finish().await {
                    Ok(kept) => self.living.push(kept),
                    Err(ArtifactError::Abandoned) => {}
                    Err(error) => panic!("{error}"),
                },
            },
            Deed::Drop => self.writing = None,
            Deed::Remove(index) if !self.living.is_empty() => {
                let gone = self.living.swap_remove(index.index(self.living.len()));
                self.several[1].remove(&ada(), &gone.id).await.expect("it is live");
            }
            Deed::Remove(_) => {}
            Deed::Pass(seconds) => self.scene.pass(seconds.into()),
            Deed::Sweep { process } => {
                assert_eq!(sweep(&self.several[usize::from(process)]).await.failed, 0);
            }
            Deed::Restart => {
                self.several = [self.scene.open().await, self.scene.open().await];
            }
        }
    }
}

#[test]
fn whatever_is_done_what_is_live_is_there_and_nothing_else_stays() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) };
    proptest!(config, |(deeds in prop::collection::vec(deed(), 1..40))| {
        runtime.block_on(Model::run(deeds));
    });
}
