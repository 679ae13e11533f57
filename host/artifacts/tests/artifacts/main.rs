//! The room as its users have it, and what becomes of it when things fail: one binary for all of its tests.
#![allow(clippy::unwrap_used)]

mod child;
mod clocks;
mod disk;
mod inject;
mod kill;
mod manifests;
mod names;
mod owners;
mod quotas;
mod ranges;
mod s3;
mod stores;
mod sweeping;
mod truth;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use packhost_artifacts::{
    Artifact, ArtifactError, Artifacts, ByteRange, Clock, Draft, Operator, Run, Settings, Store,
};
use packhost_core::{Caller, Digest, RunId};
use packhost_keyring::Keyring;
use packhost_state::Database;
use tempfile::TempDir;

/// A state directory, and a clock that goes when it is told to.
struct Scene {
    dir: TempDir,
    clock: Arc<AtomicI64>,
}

impl Scene {
    fn new() -> Self {
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        Self { dir: tempfile::tempdir().expect("a temporary directory"), clock }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The directory of the objects.
    fn blobs(&self) -> PathBuf {
        blobs(self.path())
    }

    /// Sets the clock, in either direction.
    fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000, Ordering::Relaxed);
    }

    /// Settings that follow the clock, with no grace for anything, and with all of the disk.
    fn settings(&self) -> Settings {
        let clock = Arc::clone(&self.clock);
        let now = move || {
            let since = clock.load(Ordering::Relaxed);
            let length = Duration::from_millis(since.unsigned_abs());
            let epoch = SystemTime::UNIX_EPOCH;
            if since < 0 { epoch - length } else { epoch + length }
        };
        let none = Duration::ZERO;
        let mut settings =
            Settings { clock: Clock::of(now), grace: none, strays: none, ..Settings::default() };
        settings.limits.keep_free = 0;
        settings
    }

    /// As a process has it that was just started.
    async fn open(&self) -> Artifacts {
        self.with(self.settings()).await
    }

    async fn with(&self, settings: Settings) -> Artifacts {
        opened(self.path(), settings).await.expect("it opens")
    }
}

fn blobs(state: &Path) -> PathBuf {
    state.join("artifacts/blobs")
}

async fn opened(state: &Path, settings: Settings) -> Result<Artifacts, ArtifactError> {
    let store = Store::local(&state.join("artifacts"))?;
    over(state, store, settings).await
}

async fn over(state: &Path, store: Store, settings: Settings) -> Result<Artifacts, ArtifactError> {
    let database = Arc::new(Database::open(state)?);
    Artifacts::open(store, database, keys(state)?, settings).await
}

fn keys(state: &Path) -> Result<Arc<Keyring>, ArtifactError> {
    Ok(Arc::new(Keyring::open(state.join("keys"))?))
}

fn ada() -> Caller {
    Caller::local()
}

fn bob() -> Caller {
    Caller::token("bob")
}

fn draft(owner: &Caller, run: RunId, name: &str) -> Draft {
    let (pack, name) = ("chart.draw".parse().unwrap(), name.parse().expect("a good name"));
    Draft::new(owner.clone(), run, pack, name, "text/plain".parse().unwrap())
}

/// A run that has ended.
fn run_of(owner: &Caller, id: RunId) -> Run {
    let (pack_digest, input) = (Digest::of(b"the pack"), Digest::of(b"the input"));
    Run { id, owner: owner.clone(), pack: "chart.draw".parse().unwrap(), pack_digest, input }
}

/// Writes it in one piece.
async fn write(artifacts: &Artifacts, draft: Draft, bytes: &[u8]) -> Result<Artifact, ArtifactError> {
    let mut writer = artifacts.writer(draft).await?;
    writer.write(Bytes::copy_from_slice(bytes)).await?;
    writer.finish().await
}

/// One of ada's, in a run of its own.
async fn made(artifacts: &Artifacts, bytes: &[u8]) -> Artifact {
    write(artifacts, draft(&ada(), RunId::fresh(), "a"), bytes).await.expect("kept")
}

async fn read(artifacts: &Artifacts, of: &Artifact) -> Result<Bytes, ArtifactError> {
    artifacts.read(&of.owner, &of.id, ByteRange::All).await?.bytes().await
}

/// Bytes that are like no others.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes
}

async fn sweep(artifacts: &Artifacts) -> packhost_artifacts::Swept {
    Operator::of(artifacts).sweep().await.expect("it sweeps")
}
