//! What packs that run a program in a workspace share: files in, one program, its outputs as text, files out.
//!
//! The component sees the workspace as a directory, and the sandbox sees the same one under the same name: files go in and
//! come out without the sandbox.

mod files;
mod output;
mod value;

use std::time::Duration;

use packhost_sdk::session::{Command, Finished};
use packhost_sdk::{Deserialize, Error, JsonSchema};

pub use files::{Changed, InputFile, Snapshot, put};
pub use output::Output;
pub use value::{VALUE, value};

/// Where the workspace is, for the component and for the sandbox.
pub const WORKSPACE: &str = "/workspace";

/// What every pack of this kind takes beside what it runs.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Around {
    /// Text for standard input.
    #[serde(default)]
    pub stdin: Option<String>,
    /// Files to write into the workspace first.
    #[serde(default)]
    pub files: Vec<InputFile>,
    /// The workspace of an earlier call, to go on in. Leave it out for a new, empty one.
    #[serde(default)]
    pub workspace: Option<String>,
    /// Stop the program after this many seconds.
    #[serde(default)]
    #[schemars(range(min = 1, max = 600))]
    pub timeout_seconds: Option<u32>,
}

/// Runs a program in the workspace and says what came of it. `value` is asked for once the program has ended.
///
/// # Errors
///
/// Where it could not be started, or its time was over.
pub fn run(around: Around, command: Command) -> Result<(Finished, Output), Error> {
    put(&around.files)?;
    let before = Snapshot::take();
    let mut command = command.cwd(WORKSPACE).stdin(around.stdin.unwrap_or_default());
    if let Some(seconds) = around.timeout_seconds {
        command = command.timeout(Duration::from_secs(seconds.into()));
    }
    let finished = command.run()?;
    let output = Output::of(&finished, before.changed(), around.workspace);
    Ok((finished, output))
}
