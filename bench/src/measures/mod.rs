//! One file per measure. Each makes rows of the table, and says what it could not measure.

mod dispatch;
mod mcp;
mod memory;
mod outgoing;
mod process;
mod record;
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
    /// A state directory; see [`Bench::state`].
    state: PathBuf,
    /// Whether its cache holds every pack.
    compiled: OnceCell<()>,
    /// The engine, or why there is none, once a measure has asked for it.
    docker: OnceCell<Result<Docker, String>>,
}

/// Adds its rows to the report.
type Measure = fn(&Bench, &mut Report) -> Outcome<()>;

impl Bench {
    /// With a state directory of its own.
    pub(crate) fn new(effort: Effort, state: &Path) -> Outcome<Self> {
        let own = std::env::current_exe()?;
        let binaries = own.parent().ok_or("this binary is in no directory")?.to_owned();
        let (compiled, docker) = (OnceCell::new(), OnceCell::new());
        Ok(Self { effort, binaries, state: state.to_owned(), compiled, docker })
    }

    /// A state directory whose cache holds every pack, compiled.
    fn state(&self) -> Outcome<&Path> {
        if self.compiled.get().is_none() {
            eprintln!("  compiling the packs");
            Host::shipped(&self.state)?.compiled(&self.state)?;
            let _ = self.compiled.set(());
        }
        Ok(&self.state)
    }

    /// Everything with these words in its group's name, in the order of the table.
    pub(crate) fn run(&self, only: &str, report: &mut Report) -> Outcome<()> {
        let measures: [(&str, Measure); 13] = [
            (dispatch::GROUP, dispatch::run),
            (mcp::GROUP, mcp::run),
            (outgoing::GROUP, outgoing::run),
            (redaction::GROUP, redaction::run),
            (vault::GROUP, vault::run),
            (record::GROUP, record::run),
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
