//! The bench of packhost: what the host costs, as ratios to the least that the same work could cost, taken side by side
//! in one run.
//!
//! Owns: the measures, their references (a bare wasmtime loop, a native rmcp server, a native process, Docker and bubblewrap
//! by hand), the table, its JSON and its plot. Refuses: seconds. A time depends on the machine and on what else it does; a ratio of two times
//! that were taken in turns hardly does.

mod bare;
mod client;
mod docker;
mod host;
mod job;
mod measures;
mod plot;
mod proc;
mod report;
mod rounds;
mod sandboxes;

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use measures::Bench;
use report::Report;
use rounds::Effort;

/// What most of this program returns. An error is a sentence for the person who runs it.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "\
usage: packhost-bench [--quick] [--guard] [--only WORDS]
  --quick   few rounds, to see that everything runs; results go to target/bench instead of docs/src/bench
  --guard   exit with 1 where a ratio is far beyond its goal
  --only    what has these words in its group's name, and nothing else; results go to target/bench";

/// What the command line asks for.
#[derive(Default)]
struct Options {
    quick: bool,
    guard: bool,
    /// Empty for everything.
    only: String,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [measures::HOLD, kind, live] => hold(kind, live).map(|()| true),
        words => options(words).and_then(|options| bench(&options)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn options(words: &[&str]) -> Outcome<Options> {
    let (mut options, mut words) = (Options::default(), words.iter());
    while let Some(word) = words.next() {
        match *word {
            "--quick" => options.quick = true,
            "--guard" => options.guard = true,
            "--only" => options.only = (*words.next().ok_or(USAGE)?).to_owned(),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

/// Runs the measures and shows what came of them. Whether the guard is content.
fn bench(options: &Options) -> Outcome<bool> {
    let state = host::fresh_state()?;
    let bench = Bench::new(if options.quick { Effort::QUICK } else { Effort::FULL }, state.path())?;
    let mut report = Report::new();
    bench.run(&options.only, &mut report)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let whole = !options.quick && options.only.is_empty();
    let place = root.join(if whole { "docs/src/bench" } else { "target/bench" });
    std::fs::create_dir_all(&place)?;
    std::fs::write(place.join("bench.json"), serde_json::to_string_pretty(&report)? + "\n")?;
    std::fs::write(place.join("bench.svg"), plot::svg(&report))?;
    std::io::stdout().write_all(report.text().as_bytes())?;
    Ok(!options.guard || guard(&report, state.path())?)
}

/// Whether no ratio is far beyond its goal. A group with one that is gets a second, longer look: what else a machine has just
/// done, such as writing to the disk, can fill a few short rounds.
fn guard(report: &Report, state: &Path) -> Outcome<bool> {
    let far = |report: &Report| -> BTreeSet<&'static str> {
        let rows = report.far_off();
        for row in &rows {
            eprintln!("far off: {}, {}: {:.2}×", row.group, row.what, row.ratio);
        }
        rows.iter().map(|row| row.group).collect()
    };
    let groups = far(report);
    if groups.is_empty() {
        return Ok(true);
    }
    eprintln!("a second look");
    rustix::fs::sync();
    let (bench, mut again) = (Bench::new(Effort::AGAIN, state)?, Report::new());
    for group in groups {
        bench.run(group, &mut again)?;
    }
    std::io::stdout().write_all(again.text().as_bytes())?;
    Ok(far(&again).is_empty())
}

/// In a process of its own, for the measure of memory.
fn hold(kind: &str, live: &str) -> Outcome<()> {
    let kib = measures::hold(kind, live.parse()?)?;
    Ok(writeln!(std::io::stdout(), "{kib}")?)
}
