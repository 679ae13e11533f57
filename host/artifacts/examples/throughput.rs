//! How fast artifacts are written and read, as ratios to a plain copy of a file of the same size.
//!
//! ```text
//! cargo run --release -p packhost-artifacts --example throughput [DIRECTORY [MEBIBYTES]]
//! ```
//!
//! All of them are on the disk when they count as done. Rounds are interleaved, so that what the machine does beside meets all
//! of them, and medians and fastest are compared.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use packhost_artifacts::{Artifact, Artifacts, ByteRange, Draft, Settings, Store};
use packhost_core::{Caller, RunId};
use packhost_keyring::Keyring;
use packhost_state::Database;

const ROUNDS: usize = 9;
const PIECE: usize = 1 << 20;

fn main() {
    let mut words = std::env::args().skip(1);
    let dir = words.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let size = words.next().map_or(256, |word| word.parse().expect("a number")) << 20;
    let dir = tempfile::tempdir_in(dir).expect("a directory");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(compare(dir.path(), size));
}

async fn compare(dir: &Path, size: usize) {
    let artifacts = open(dir).await;
    let source = dir.join("source");
    let mut times: [Vec<Duration>; 3] = Default::default();
    fill(&source, size, ROUNDS as u64 + 1);
    let there = write(&artifacts, &source, size as u64).await;
    // The first round is to warm up.
    for round in 0..=ROUNDS {
        fill(&source, size, round as u64);
        // Whoever comes last meets a disk that has been busy: each has its turn at that.
        for what in (0..3).map(|at| (at + round) % 3) {
            let begun = Instant::now();
            let kept = match what {
                0 => {
                    copy(&source, &dir.join("copy"));
                    None
                }
                1 => Some(write(&artifacts, &source, size as u64).await),
                _ => {
                    read(&artifacts, &there, &dir.join("copy")).await;
                    None
                }
            };
            let took = begun.elapsed();
            match kept {
                Some(kept) => artifacts.remove(&Caller::local(), &kept.id).await.unwrap(),
                None => std::fs::remove_file(dir.join("copy")).unwrap(),
            }
            if round > 0 {
                times[what].push(took);
            }
        }
    }
    times.iter_mut().for_each(|times| times.sort());
    for (what, at) in [("median", ROUNDS / 2), ("fastest", 0)] {
        let [copied, written, read] = times.each_ref().map(|times| times[at]);
        println!("{what} of {ROUNDS} rounds of {} MiB", size >> 20);
        for (name, time) in [("copy", copied), ("write", written), ("read", read)] {
            let (ratio, rate) = (copied.as_secs_f64() / time.as_secs_f64(), size as f64 / time.as_secs_f64());
            println!(
                "  {name:6} {:8.1} ms {:6.0} MiB/s {ratio:6.2}x",
                time.as_secs_f64() * 1e3,
                rate / 1048576.0
            );
        }
    }
}

async fn open(dir: &Path) -> Artifacts {
    let store = Store::local(&dir.join("artifacts")).unwrap();
    let database = Arc::new(Database::open(dir).unwrap());
    let keyring = Arc::new(Keyring::open(dir.join("keys")).unwrap());
    Artifacts::open(store, database, keyring, Settings::default()).await.unwrap()
}

/// Content that is no other round's, so that it is stored and not only known.
fn fill(path: &Path, size: usize, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut file = File::create(path).unwrap();
    let mut piece = vec![0; PIECE];
    for _ in 0..size / PIECE {
        random.fill(&mut piece);
        file.write_all(&piece).unwrap();
    }
    file.sync_all().unwrap();
}

/// What `cp` does, and on the disk.
fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
    File::open(to).unwrap().sync_all().unwrap();
    File::open(to.parent().unwrap()).unwrap().sync_all().unwrap();
}

async fn write(artifacts: &Artifacts, from: &Path, size: u64) -> Artifact {
    let (pack, name) = ("bench.write".parse().unwrap(), "source".parse().unwrap());
    let media_type = "application/octet-stream".parse().unwrap();
    let draft = Draft::new(Caller::local(), RunId::fresh(), pack, name, media_type).size(size);
    let mut writer = artifacts.writer(draft).await.unwrap();
    let file = File::open(from).unwrap();
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        if (&file).take(PIECE as u64).read_to_end(&mut piece).unwrap() == 0 {
            break;
        }
        writer.write(piece.into()).await.unwrap();
    }
    writer.finish().await.unwrap()
}

async fn read(artifacts: &Artifacts, kept: &Artifact, to: &Path) {
    let mut reading = artifacts.read(&Caller::local(), &kept.id, ByteRange::All).await.unwrap();
    let mut file = File::create(to).unwrap();
    while let Some(piece) = reading.next().await {
        file.write_all(&piece.unwrap()).unwrap();
    }
    file.sync_all().unwrap();
    File::open(to.parent().unwrap()).unwrap().sync_all().unwrap();
}
