//! One file per measure. Each makes rows of the table, and says what it could not measure.

mod dispatch;
mod mcp;
mod memory;
mod outgoing;
mod process;
mod redaction;
mod sessions;
mod start;
mod vault;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) use memory::{HOLD, hold};

use crate::Outcome;
use crate::docker::Docker;
use crate::host::Host;
use crate::report::Report;
use crate::rounds::Effort;

/// What every measure needs.
pub(crate) struct Bench {
    effort: Effort,
    /// Where the built binaries are.
    binaries: PathBuf,
    /// A state directory whose cache holds every pack.
    state: PathBuf,
    /// The engine, or why there is none, once a measure has asked for it.
    docker: OnceCell<Result<Docker, String>>,
}

/// Adds its rows to the report.
type Measure = fn(&Bench, &mut Report) -> Outcome<()>;

impl Bench {
    /// Compiles the packs into the cache of `state`.
    pub(crate) fn prepare(effort: Effort, state: &Path) -> Outcome<Self> {
        eprintln!("compiling the packs");
        let own = std::env::current_exe()?;
        let binaries = own.parent().ok_or("this binary is in no directory")?.to_owned();
        Host::shipped(state)?.compiled(state)?;
        Ok(Self { effort, binaries, state: state.to_owned(), docker: OnceCell::new() })
    }

    /// Everything with these words in its group's name, in the order of the table.
    pub(crate) fn run(&self, only: &str, report: &mut Report) -> Outcome<()> {
        let measures: [(&str, Measure); 12] = [
            (dispatch::GROUP, dispatch::run),
            (mcp::GROUP, mcp::run),
            (outgoing::GROUP, outgoing::run),
            (redaction::GROUP, redaction::run),
            (vault::GROUP, vault::run),
            (start::GROUP, start::run),
            (memory::GROUP, memory::run),
            (process::GROUP, process::run),
            (sessions::exec::GROUP, sessions::exec::run),
            (sessions::start::GROUP, sessions::start::run),
            (sessions::bytes::GROUP, sessions::bytes::run),
            (sessions::python::GROUP, sessions::python::run),
        ];
        for (group, measure) in measures.into_iter().filter(|(group, _)| group.contains(only)) {
            eprintln!("{group}");
            measure(self, report).map_err(|error| format!("{group}: {error}"))?;
        }
        Ok(())
    }

    /// The Docker Engine of this machine, or one of our own; or why there is none.
    fn docker(&self) -> Result<&Docker, String> {
        self.docker
            .get_or_init(|| Docker::find().map_err(|why| why.to_string()))
            .as_ref()
            .map_err(String::clone)
    }

    /// The host's own binary, with this bench's state.
    fn packhost(&self, state: &Path) -> Command {
        let mut command = Command::new(self.binaries.join("packhost"));
        command.arg("--state").arg(state);
        command
    }

    fn native_mcp(&self, door: &str) -> Command {
        let mut command = Command::new(self.binaries.join("native-mcp"));
        command.arg(door);
        command
    }
}
