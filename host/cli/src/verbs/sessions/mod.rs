//! `packhost sessions`: the sandboxes of this host.

mod exec;
mod list;

pub(crate) use list::span;

use std::io::Write as _;

use packhost_core::{ErrorCode, Failure};
use packhost_sessions::{SandboxId, SessionError, Sessions};
use serde_json::json;
use tokio::runtime::Builder;

use crate::args::{Global, Sessions as Args};
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::{BOLD, Output, println};
use crate::record::{Act, Acts};
use crate::{host, sessions, walls};

/// How much of a log is shown, in bytes.
const LOG: usize = 256 << 10;

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let (dirs, manifest) = host::look(global)?;
    walls::make_dirs(global, &dirs)?;
    let makers = sessions::prepare(global, &dirs, &sessions::wanted(&manifest))?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("no threads: {error}")))?;
    let done = runtime.block_on(async {
        let Some(makers) = makers else {
            return Err(Error::failed(
                "no entry of the manifest has a `session`, so this host has no sandboxes",
            ));
        };
        act(&dirs, &makers.sessions(None)?, args, output).await
    });
    runtime.shutdown_background();
    done
}

async fn act(dirs: &Dirs, sessions: &Sessions, args: &Args, output: Output) -> Result<(), Error> {
    match args {
        Args::Ls => list::list(sessions, output).await,
        Args::Show { id } => list::show(sessions, id, output).await,
        Args::Exec { id, command } => {
            // Its arguments may be secrets of whoever types them.
            let program = command.first().map(String::as_str).unwrap_or_default();
            let act = Act::new("sessions.exec", id).with("program", program);
            let begun = Acts::open(dirs)?.begin(act)?;
            begun.end(exec::exec(sessions, id, command).await)
        }
        Args::Logs { id } => logs(sessions, id, output).await,
        Args::Rm { ids, all } => rm(dirs, sessions, ids, *all, output).await,
        Args::Gc => {
            let begun = Acts::open(dirs)?.begin(Act::new("sessions.gc", "left behind"))?;
            let swept = sessions.sweep().await;
            sessions.drain().await;
            let swept =
                begun.end_with(swept.map_err(Error::from), |act, swept| act.with("ended", swept.ended))?;
            output.answer(&json!({ "ended": swept.ended }), || println!("{} ended", swept.ended));
            Ok(())
        }
    }
}

async fn logs(sessions: &Sessions, id: &SandboxId, output: Output) -> Result<(), Error> {
    let bytes = sessions.logs(id, LOG).await?;
    let text = String::from_utf8_lossy(&bytes);
    output.answer(&json!({ "log": text }), || {
        // A sandbox's own words: what a terminal would obey is shown as it is written.
        let tame: String = text
            .chars()
            .flat_map(|c| if c.is_control() && c != '\n' { c.escape_default().collect() } else { vec![c] })
            .collect();
        let _ = anstream::stdout().write_all(tame.as_bytes());
    });
    Ok(())
}

async fn rm(
    dirs: &Dirs,
    sessions: &Sessions,
    ids: &[SandboxId],
    all: bool,
    output: Output,
) -> Result<(), Error> {
    let ids = match all {
        true => sessions.list().await?.into_iter().map(|listed| listed.id).collect(),
        false => ids.to_vec(),
    };
    let work = output.progress("ending sandboxes");
    let acts = Acts::open(dirs)?;
    for id in &ids {
        let begun = acts.begin(Act::new("sessions.rm", id))?;
        begun.end(work.watch(sessions.remove(id)).await.map_err(Error::from))?;
    }
    output.answer(&json!({ "ended": ids }), || {
        for id in &ids {
            println!("ended {BOLD}{id}{BOLD:#}");
        }
    });
    Ok(())
}

impl From<SessionError> for Error {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::NotFound(id) => {
                Failure::new(ErrorCode::NotFound, format!("There is no sandbox {id}."))
                    .fix("`packhost sessions ls` has them all.")
                    .into()
            }
            SessionError::State(error) => error.into(),
            error => {
                Failure::new(ErrorCode::SessionUnavailable, crate::exit::sentence(&error.to_string())).into()
            }
        }
    }
}

/// The directories of a host that only looks.
pub(crate) fn state(global: &Global) -> Result<Dirs, Error> {
    let dirs = Dirs::of(global)?;
    walls::make_dirs(global, &dirs)?;
    Ok(dirs)
}
