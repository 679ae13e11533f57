//! An artifact written and read back, against a plain copy of a file of the same size. All of it is on the disk when it counts
//! as done.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use packhost_artifacts::{Artifact, Artifacts, ByteRange, Draft, Settings, Store};
use packhost_core::{Caller, RunId};
use packhost_keyring::Keyring;
use packhost_state::Database;
use tokio::runtime::{Builder, Runtime};

use super::Bench;
use crate::Outcome;
use crate::host::fresh_state;
use crate::report::{Goal, Report, Row};
use crate::rounds::rounds;

pub(crate) const GROUP: &str = "Artifacts";

/// Of the speed of a copy.
const LEAST: f64 = 0.8;
const PIECE: usize = 1 << 20;

pub(super) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let place = fresh_state()?;
    let keeper = Keeper::open(place.path())?;
    let (source, copy, size) = (place.path().join("source"), place.path().join("copy"), bench.effort.stream);
    fill(&source, size, 0)?;
    let there = keeper.write(&source, size)?;
    for (what, reads) in [("written", false), ("read", true)] {
        let mut seed = 1;
        let ours = || {
            if reads {
                speed(size, || keeper.read(&there, &copy))
            } else {
                // Content that is no other round's, so that it is stored and not only known.
                seed += 1;
                fill(&source, size, seed)?;
                let mut kept = None;
                let speed = speed(size, || {
                    kept = Some(keeper.write(&source, size)?);
                    Ok(())
                });
                kept.iter().try_for_each(|kept| keeper.remove(kept))?;
                speed
            }
        };
        let plain = || speed(size, || copied(&source, &copy));
        let pairs = rounds(&format!("{} MB {what}", size / 1_000_000), bench.effort.rounds, ours, plain)?;
        let row =
            Row::new(GROUP, format!("{} MB {what}", size / 1_000_000), "MB/s", "a copy of a file", &pairs);
        report.rows.push(row.goal(Goal::AtLeast(LEAST)));
    }
    Ok(())
}

/// What keeps artifacts, and the runtime that drives it.
struct Keeper {
    runtime: Runtime,
    artifacts: Artifacts,
}

impl Keeper {
    fn open(dir: &Path) -> Outcome<Self> {
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let store = Store::local(&dir.join("artifacts"))?;
        let database = Arc::new(Database::open(dir)?);
        let keyring = Arc::new(Keyring::open(dir.join("keys"))?);
        let artifacts = runtime.block_on(Artifacts::open(store, database, keyring, Settings::default()))?;
        Ok(Self { runtime, artifacts })
    }

    fn write(&self, from: &Path, size: usize) -> Outcome<Artifact> {
        let media_type = "application/octet-stream".parse()?;
        let draft = Draft::new(
            Caller::local(),
            RunId::fresh(),
            "bench.write".parse()?,
            "source".parse()?,
            media_type,
        );
        self.runtime.block_on(async {
            let mut writer = self.artifacts.writer(draft.size(size as u64)).await?;
            let file = File::open(from)?;
            loop {
                let mut piece = Vec::with_capacity(PIECE);
                if (&file).take(PIECE as u64).read_to_end(&mut piece)? == 0 {
                    return Ok(writer.finish().await?);
                }
                writer.write(piece.into()).await?;
            }
        })
    }

    fn read(&self, kept: &Artifact, to: &Path) -> Outcome<()> {
        self.runtime.block_on(async {
            let mut reading = self.artifacts.read(&Caller::local(), &kept.id, ByteRange::All).await?;
            let mut file = File::create(to)?;
            while let Some(piece) = reading.next().await {
                file.write_all(&piece?)?;
            }
            synced(to)
        })
    }

    fn remove(&self, kept: &Artifact) -> Outcome<()> {
        Ok(self.runtime.block_on(self.artifacts.remove(&Caller::local(), &kept.id))?)
    }
}

/// Megabytes a second.
fn speed(size: usize, work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let since = Instant::now();
    work()?;
    Ok(size as f64 / since.elapsed().as_secs_f64() / 1e6)
}

/// What `cp` does, and on the disk.
fn copied(from: &Path, to: &Path) -> Outcome<()> {
    std::fs::copy(from, to)?;
    synced(to)
}

fn synced(file: &Path) -> Outcome<()> {
    File::open(file)?.sync_all()?;
    Ok(File::open(file.parent().ok_or("no directory")?)?.sync_all()?)
}

fn fill(path: &Path, size: usize, seed: u64) -> Outcome<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut file = File::create(path)?;
    let mut piece = vec![0; PIECE];
    let mut left = size;
    while left > 0 {
        let now = left.min(PIECE);
        random.fill(&mut piece[..now]);
        file.write_all(&piece[..now])?;
        left -= now;
    }
    Ok(file.sync_all()?)
}
