//! Processes that are killed while they, and others, write, read, remove, seal and sweep.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use packhost_artifacts::{Artifact, ArtifactError, Artifacts, Clock, Filter, Kind, Operator, Page, Settings};
use packhost_core::RunId;

use crate::child::{Heard, command, role, say};
use crate::truth::Truth;
use crate::{ada, draft, keys, noise, opened, read, run_of, write};

const TEST: &str = "kill::what_was_acknowledged_survives_kill_9_and_nothing_else_stays";
/// Says which random numbers to use, when a failure is to be looked at again; and how many rounds there are.
const SEED: &str = "PACKHOST_TEST_SEED";
const ROUNDS: &str = "PACKHOST_ARTIFACTS_ROUNDS";
/// Each round begins where the last one was cut off, until there is a new directory.
const ROUNDS_OF_A_DIRECTORY: u64 = 25;
const CONTENTS: u64 = 5;

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |number| number.parse().expect("a number"))
}

/// Says how to see a failure again. When a process dies is a matter of luck; what it does until then is not.
struct Trying {
    seed: u64,
    round: u64,
}

impl Drop for Trying {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("round {}; again with {SEED}={}", self.round, self.seed);
        }
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_nothing_else_stays() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Some(role) = role() {
        return runtime.block_on(work_until_killed(&role));
    }
    let (seed, rounds) = (number(SEED, 0x5eed), number(ROUNDS, 200));
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut done, mut half) = (0, 0);
    let mut place: Option<(tempfile::TempDir, Ledger)> = None;
    for round in 0..rounds {
        let _trying = Trying { seed, round };
        if round.is_multiple_of(ROUNDS_OF_A_DIRECTORY) {
            place = None;
        }
        let fresh = || (tempfile::tempdir().expect("a temporary directory"), Ledger::default());
        let (dir, ledger) = place.get_or_insert_with(fresh);
        load(dir.path(), &mut random, round, ledger);
        half += runtime.block_on(ledger.judge(dir.path()));
        done += std::mem::take(&mut ledger.done);
    }
    assert!(done > rounds, "{done} deeds are no load");
    assert!(half > 0 || rounds < 50, "nobody was ever killed in the middle of something");
}

/// What was said to be tried, and to be done.
#[derive(Default)]
struct Ledger {
    /// Artifacts that have to be there: what they are of.
    living: BTreeMap<String, u64>,
    /// Names of those of which nobody knows.
    trying: BTreeMap<String, u64>,
    /// Ids of those that are being removed.
    removing: BTreeMap<String, u64>,
    done: u64,
}

impl Ledger {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["try", name, content] => {
                self.trying.insert(name.into(), content.parse().expect("a number"));
            }
            ["did", name, id] => {
                let content = self.trying.remove(name).expect("it was tried");
                self.living.insert(id.into(), content);
                self.done += 1;
            }
            ["remove", id] => {
                let content = self.living.remove(id).expect("it was made");
                self.removing.insert(id.into(), content);
            }
            ["removed", id] => {
                self.removing.remove(id).expect("it was to be removed");
                self.done += 1;
            }
            ["swept" | "sealed"] => self.done += 1,
            _ => panic!("the child failed: {line}"),
        }
    }

    /// Looks at what a fresh process finds, a long time after; and how many uploads were cut off.
    async fn judge(&mut self, dir: &Path) -> u64 {
        let artifacts = opened(dir, settings(Duration::from_secs(2 * 3600))).await.expect("it opens again");
        Truth::of(dir);
        let swept = Operator::of(&artifacts).sweep().await.expect("it sweeps");
        assert_eq!((swept.failed, swept.expired), (0, 0), "{swept:?}");
        Truth::swept(dir);
        let mut found = everything(&artifacts).await;
        for (id, content) in &self.living {
            let kept = found.remove(id).unwrap_or_else(|| panic!("{id} was acknowledged and is not there"));
            is_whole(&artifacts, &kept, *content).await;
        }
        // What was not acknowledged is there as a whole or not at all.
        for (id, kept) in found {
            let content = self.removing.get(&id).or_else(|| self.trying.get(kept.name.as_str()));
            let content =
                *content.unwrap_or_else(|| panic!("{id} is there, and nobody made it or it was removed"));
            is_whole(&artifacts, &kept, content).await;
            self.living.insert(id, content);
        }
        self.trying.clear();
        self.removing.clear();
        swept.abandoned
    }
}

async fn everything(artifacts: &Artifacts) -> BTreeMap<String, Artifact> {
    let (mut found, mut page) = (BTreeMap::new(), Page { after: None, most: Page::MOST });
    let filter = Filter { kind: Some(Kind::Made), ..Filter::default() };
    loop {
        let listing = artifacts.list(&ada(), filter.clone(), page).await.expect("readable");
        found.extend(listing.artifacts.into_iter().map(|one| (one.id.to_string(), one)));
        let Some(next) = listing.next else { return found };
        page = Page { after: Some(next), most: Page::MOST };
    }
}

async fn is_whole(artifacts: &Artifacts, kept: &Artifact, number: u64) {
    assert!(
        read(artifacts, kept).await.expect("readable") == content(number),
        "{}: another content",
        kept.id
    );
}

/// Two processes work until they are killed, one while the other goes on.
fn load(dir: &Path, random: &mut fastrand::Rng, round: u64, ledger: &mut Ledger) {
    let start = |which: &str, seed: u64| {
        Heard::start(command(&[], TEST, &format!("{which}.{round} {seed} {}", dir.display())))
    };
    let (one, other) = (start("a", random.u64(..)), start("b", random.u64(..)));
    // From when on something is done; and then a random moment.
    ledger.hear(&one.line());
    ledger.hear(&other.line());
    std::thread::sleep(Duration::from_micros(random.u64(..40_000)));
    one.kill().iter().for_each(|line| ledger.hear(line));
    std::thread::sleep(Duration::from_micros(random.u64(..20_000)));
    other.kill().iter().for_each(|line| ledger.hear(line));
}

fn settings(later: Duration) -> Settings {
    let mut settings = Settings {
        clock: Clock::of(move || SystemTime::now() + later),
        strays: Duration::ZERO,
        ..Settings::default()
    };
    settings.limits.keep_free = 0;
    settings
}

fn content(number: u64) -> Vec<u8> {
    noise(number, if number.is_multiple_of(2) { 100 } else { (1 << 20) + 50_000 })
}

async fn work_until_killed(role: &str) {
    let [which, seed, dir] = role.split(' ').collect::<Vec<_>>()[..] else { panic!("{role}") };
    let (seed, dir): (u64, PathBuf) = (seed.parse().expect("a number"), dir.into());
    let artifacts = match opened(&dir, settings(Duration::ZERO)).await {
        Ok(artifacts) => artifacts,
        Err(error) => return say(&format!("failed {error} ({error:?})")),
    };
    let tasks = [0, 1].map(|task| {
        let name = format!("{which}.{task}");
        let random = fastrand::Rng::with_seed(seed.wrapping_add(task));
        tokio::spawn(writes(artifacts.clone(), dir.clone(), name, random))
    });
    let sweeper = Operator::of(&artifacts);
    let sweeps = tokio::spawn(async move {
        loop {
            let swept = sweeper.sweep().await?;
            if swept.failed + swept.abandoned + swept.expired > 0 {
                say(&format!("failed {swept:?}"));
            }
            say("swept");
        }
    });
    for task in tasks.into_iter().chain([sweeps]) {
        let failed: Result<(), ArtifactError> = task.await.expect("it goes on");
        if let Err(error) = failed {
            say(&format!("failed {error} ({error:?})"));
        }
    }
}

async fn writes(
    artifacts: Artifacts,
    dir: PathBuf,
    which: String,
    mut random: fastrand::Rng,
) -> Result<(), ArtifactError> {
    let public = keys(&dir)?.public()?;
    let mut mine: Vec<Artifact> = Vec::new();
    for count in 0_u64.. {
        match random.u8(..8) {
            0..=3 => {
                let (name, number) = (format!("{which}.{count}"), random.u64(..CONTENTS));
                say(&format!("try {name} {number}"));
                let kept = write(&artifacts, draft(&ada(), RunId::fresh(), &name), &content(number)).await?;
                say(&format!("did {name} {}", kept.id));
                mine.push(kept);
            }
            4 if !mine.is_empty() => {
                let gone = mine.swap_remove(random.usize(..mine.len()));
                say(&format!("remove {}", gone.id));
                artifacts.remove(&ada(), &gone.id).await?;
                say(&format!("removed {}", gone.id));
            }
            5 if !mine.is_empty() => {
                let kept = &mine[random.usize(..mine.len())];
                artifacts.seal(&run_of(&ada(), kept.run)).await?;
                let report = artifacts.verify_run(&ada(), kept.run, &public).await?;
                say(if report.is_sound() && report.is_signed() { "sealed" } else { "failed to be sealed" });
            }
            6 => {
                let mut writer = artifacts.writer(draft(&ada(), RunId::fresh(), "given-up")).await?;
                writer.write(content(1).into()).await?;
            }
            _ => {
                for kept in &mine {
                    read(&artifacts, kept).await?;
                }
            }
        }
    }
    Ok(())
}
