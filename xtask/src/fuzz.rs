//! The fuzz targets in `fuzz/`, with libFuzzer on the stable toolchain.

use std::path::Path;

use crate::step::{self, Done, cargo, root};

/// What all of the code is compiled with.
const FLAGS: &[&str] = &["--cfg=fuzzing", "-Cdebug-assertions", "-Ccodegen-units=16"];

/// What libFuzzer needs from the compiler: edge counters and compared values. This is what `cargo fuzz` sets, without
/// the sanitizers, which need a nightly toolchain; the code under test has no `unsafe`.
const INSTRUMENTATION: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// What is instrumented beside our own crates: what reads bytes of strangers on our behalf. The rest tells
/// libFuzzer nothing, and its counters would be looked through after every run.
const READERS: &[&str] = &[
    "http",
    "httparse",
    "hyper",
    "minicbor",
    "rustls",
    "serde_json",
    "serde_saphyr",
    "url",
    "wasmparser",
    "yamux",
];

/// Set for this program where it stands between cargo and rustc.
const COMPILES: &str = "XTASK_FUZZ_COMPILES";

/// This machine, by name: what is built for it is then not taken for what a build script needs.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The program that all targets are in.
const PROGRAM: &str = "packhost-fuzz";

/// Runs every target for so many seconds, two at a time; with a seed, each run begins in the same way as the last, so that
/// what it finds is in what has changed.
pub(crate) fn run(seconds: u32, seed: Option<u32>) -> Done {
    let home = root().join("fuzz");
    let mut build = cargo(&["build", "--release", "--locked", "--target", TARGET]);
    // With a target named, build scripts and macros are compiled as ever.
    build.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f")).current_dir(&home);
    let own = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    build.env("RUSTC_WRAPPER", own).env(COMPILES, "1");
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

/// Whether this program is to run the compiler ([`compile`]).
pub(crate) fn compiles() -> bool {
    std::env::var_os(COMPILES).is_some()
}

/// Runs the compiler with these words, of which the first is its name, and with instrumentation for what is to have it.
pub(crate) fn compile(words: &[&str]) -> Done {
    let [compiler, words @ ..] = words else { return Err("which compiler?".into()) };
    let after = |flag| words.iter().skip_while(|word| **word != flag).nth(1);
    let is_instrumented = after("--target").is_some()
        && after("--crate-name").is_some_and(|name| name.starts_with("packhost_") || READERS.contains(name));
    let instrumentation = if is_instrumented { INSTRUMENTATION } else { &[] };
    let mut compiler = std::process::Command::new(compiler);
    let status = compiler.args(words).args(instrumentation).status();
    match status.map_err(|error| format!("{:?}: {error}", compiler.get_program()))? {
        status if status.success() => Ok(()),
        status => Err(format!("the compiler failed ({status})")),
    }
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
        std::process::Command::new(home.join("target").join(TARGET).join("release").join(PROGRAM));
    command.env("FUZZ_TARGET", target).arg(&corpus);
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
