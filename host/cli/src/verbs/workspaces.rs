//! `packhost workspaces`: the directories that calls share.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use packhost_core::{ErrorCode, Failure};
use packhost_workspaces::{Bounds, Measured, WorkspaceError, Workspaces, measure};
use serde_json::json;

use super::sessions::{span, state};
use crate::args::{Global, Workspaces as Args};
use crate::exit::Error;
use crate::output::{BOLD, DIM, Output, println};
use crate::record::{Act, Acts};
use crate::state::open_state;

/// What is measured of a workspace at most.
const MOST: Measured = Measured { bytes: 1 << 50, entries: 10_000_000 };

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let dirs = state(global)?;
    let dir = dirs.state.join("workspaces");
    let workspaces = Workspaces::open(open_state(&dirs)?, dir.clone(), Bounds::default())?;
    match args {
        Args::Ls => {
            let listed = workspaces.list(None)?;
            let sizes: Vec<_> = listed
                .iter()
                .map(|one| measure(&dir.join(one.name.as_str()), MOST).map_or(0, |found| found.bytes))
                .collect();
            let rows: Vec<_> = listed
                .iter()
                .zip(&sizes)
                .map(|(one, bytes)| json!({ "name": one.name, "owner": one.owner, "used": one.used, "bytes": bytes }))
                .collect();
            output.answer(&json!({ "workspaces": rows }), || {
                if listed.is_empty() {
                    println!("no workspaces");
                }
                for (one, bytes) in listed.iter().zip(&sizes) {
                    let unused = span(since(one.used));
                    println!(
                        "{BOLD}{}{BOLD:#}  {:12} {:>8} KiB  {DIM}used {unused} ago{DIM:#}",
                        one.name,
                        one.owner.as_deref().unwrap_or("-"),
                        bytes >> 10
                    );
                }
            });
        }
        Args::Rm { names } => {
            let acts = Acts::open(&dirs)?;
            for name in names {
                acts.record(Act::new("workspaces.rm", name), || match workspaces.remove(name)? {
                    true => Ok(()),
                    false => Err(WorkspaceError::NotFound(name.to_string()).into()),
                })?;
            }
            output.answer(&json!({ "removed": names }), || {
                for name in names {
                    println!("removed {BOLD}{name}{BOLD:#}");
                }
            });
        }
        Args::Gc => {
            let begun = Acts::open(&dirs)?.begin(Act::new("workspaces.gc", "unused"))?;
            let removed = workspaces.sweep(SystemTime::now(), |_| false);
            let removed =
                begun.end_with(removed.map_err(Error::from), |act, count| act.with("removed", count))?;
            output.answer(&json!({ "removed": removed }), || println!("{removed} removed"));
        }
    }
    Ok(())
}

fn since(moment: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_millis(moment))
}

impl From<WorkspaceError> for Error {
    fn from(error: WorkspaceError) -> Self {
        match error {
            WorkspaceError::NotFound(name) => {
                Failure::new(ErrorCode::NotFound, format!("There is no workspace {name}."))
                    .fix("`packhost workspaces ls` has them all.")
                    .into()
            }
            WorkspaceError::State(error) => error.into(),
            error => Self::failed(error.to_string()),
        }
    }
}
