//! The fuzz targets in `fuzz/`, with libFuzzer on the stable toolchain.

use std::path::Path;

use crate::step::{self, Done, cargo, root};

/// What libFuzzer needs from the compiler: edge counters and compared values. This is what `cargo fuzz` sets, without
/// the sanitizers, which need a nightly toolchain; the code under test has no `unsafe`.
const FLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Ccodegen-units=16",
];

/// This machine, by name: what is built for it is then not taken for what a build script needs.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Runs every target for so many seconds, two at a time; with a seed, each run begins in the same way as the last, so that
/// what it finds is in what has changed.
pub(crate) fn run(seconds: u32, seed: Option<u32>) -> Done {
    let home = root().join("fuzz");
    let mut build = cargo(&["build", "--release", "--locked", "--target", TARGET]);
    // With a target named, build scripts and macros are not instrumented.
    build.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f")).current_dir(&home);
    step::run("build the fuzz targets", &mut build)?;
    let targets = targets(&home)?;
    for pair in targets.chunks(2) {
        std::thread::scope(|scope| {
            let running: Vec<_> =
                pair.iter().map(|target| scope.spawn(|| fuzz(&home, target, seconds, seed))).collect();
            running
                .into_iter()
                .try_for_each(|one| one.join().map_err(|_| "a fuzz thread panicked".to_owned())?)
        })?;
    }
    Ok(())
}

/// Every file in `fuzz/targets` is a target.
fn targets(home: &Path) -> Result<Vec<String>, String> {
    let place = home.join("targets");
    let files = std::fs::read_dir(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    let mut names: Vec<String> = files
        .filter_map(|file| Some(file.ok()?.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}

fn fuzz(home: &Path, target: &str, seconds: u32, seed: Option<u32>) -> Done {
    let corpus = home.join("target/corpus").join(target);
    std::fs::create_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
    let mut command =
        std::process::Command::new(home.join("target").join(TARGET).join("release").join(target));
    command.arg(&corpus);
    let seeds = home.join("seeds").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    command.args([
        &format!("-max_total_time={seconds}"),
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-verbosity=0",
    ]);
    if let Some(seed) = seed {
        command.arg(format!("-seed={seed}"));
    }
    command.arg("-max_len=65536").current_dir(home.join("target"));
    step::run(&format!("fuzz {target}"), &mut command)
}
