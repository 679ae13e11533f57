//! What came of a program, as an agent reads it.

use packhost_sdk::session::{Captured, Finished};
use packhost_sdk::{JsonSchema, Serialize};

use crate::Changed;

/// What came of a program.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// 0 where it went well; absent where it was killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// Something of the outputs was left out in the middle.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Why it was killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub killed: Option<String>,
    /// Files that it made or changed in the workspace.
    pub files: Vec<Changed>,
    /// There are more files than are listed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub more_files: bool,
    /// How long it ran.
    pub ran_ms: u64,
    /// Pass this to go on with the same files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
}

impl Output {
    pub(crate) fn of(finished: &Finished, changed: (Vec<Changed>, bool), workspace: Option<String>) -> Self {
        let (stdout, stderr) = (text(&finished.stdout), text(&finished.stderr));
        let (files, more_files) = changed;
        Self {
            exit_code: finished.exit_code,
            truncated: stdout.1 || stderr.1,
            stdout: stdout.0,
            stderr: stderr.0,
            killed: killed(finished),
            files,
            more_files,
            ran_ms: finished.ran_ms,
            workspace,
        }
    }
}

fn killed(finished: &Finished) -> Option<String> {
    if finished.timed_out {
        Some("Its time was over.".to_owned())
    } else if finished.out_of_memory {
        Some("It needed more memory than it may use.".to_owned())
    } else {
        finished.signal.map(|signal| format!("Signal {signal} ended it."))
    }
}

/// The text, and whether something is missing in its middle.
fn text(captured: &Captured) -> (String, bool) {
    let kept = captured.bytes.len();
    let whole = captured.total == kept as u64;
    if whole {
        return (String::from_utf8_lossy(&captured.bytes).into_owned(), false);
    }
    let (start, end) = captured.bytes.split_at(kept / 2);
    let left_out = captured.total - kept as u64;
    let text = format!(
        "{}\n[… {left_out} bytes left out …]\n{}",
        String::from_utf8_lossy(start),
        String::from_utf8_lossy(end)
    );
    (text, true)
}
