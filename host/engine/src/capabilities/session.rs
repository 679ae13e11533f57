//! `packhost:pack/session`: programs in the call's own sandbox, for packs that the manifest gives one.

use std::time::Duration;

use packhost_core::{ErrorCode, Failure};
use packhost_manifest::Entry;
use packhost_package::Outline;
use wasmtime::component::{HasSelf, Linker};

use super::bindings::session::{self, Host, SessionError};
use crate::runtime::Guest;
use crate::session::{self as sandbox, MOST, Program};

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    session::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

pub(super) fn unmet(outline: &Outline, entry: &Entry) -> Option<String> {
    (super::imports(outline, "packhost:pack/session") && entry.session.is_none()).then(|| {
        "it runs programs in a sandbox (packhost:pack/session) and its entry has no \"session\"".into()
    })
}

type Answer<T> = wasmtime::Result<Result<T, SessionError>>;

impl Host for Guest {
    async fn run(&mut self, command: session::Command) -> Answer<session::Finished> {
        if command.stdin.len() > MOST {
            return Ok(Err(exhausted(format!(
                "{} bytes of input are more than {MOST}",
                command.stdin.len()
            ))));
        }
        let program = Program {
            argv: command.argv,
            env: command.env,
            cwd: command.cwd,
            stdin: command.stdin,
            timeout: command.timeout_ms.map(Duration::from_millis),
            most: command.max_output as usize,
        };
        let ran = self.session.run(program).await;
        Ok(ran.map(finished).map_err(told))
    }

    async fn read(&mut self, path: String, most: u32) -> Answer<session::Captured> {
        Ok(self.session.read(&path, most as usize).await.map(captured).map_err(told))
    }

    async fn write(&mut self, path: String, data: Vec<u8>, executable: bool) -> Answer<()> {
        Ok(self.session.write(&path, &data, executable).await.map_err(told))
    }

    async fn entries(&mut self, path: String, depth: u32, most: u32) -> Answer<Vec<session::Entry>> {
        let listed = self.session.entries(&path, depth, most).await;
        Ok(listed.map(|entries| entries.into_iter().filter_map(entry).collect()).map_err(told))
    }
}

fn finished(ran: sandbox::Ran) -> session::Finished {
    let exit = ran.exit;
    session::Finished {
        exit_code: exit.code,
        signal: exit.signal,
        timed_out: exit.timed_out,
        out_of_memory: exit.out_of_memory,
        stdout: captured(ran.stdout),
        stderr: captured(ran.stderr),
        ran_ms: exit.ran_us / 1000,
    }
}

fn captured(captured: sandbox::Captured) -> session::Captured {
    session::Captured { bytes: captured.bytes, total: captured.total }
}

/// A name that is not UTF-8 cannot be said in the contract's words, and is left out.
fn entry(entry: packhost_session_protocol::message::Entry) -> Option<session::Entry> {
    use packhost_session_protocol::message::EntryKind;
    let kind = match entry.kind {
        EntryKind::File => session::EntryKind::File,
        EntryKind::Directory => session::EntryKind::Directory,
        EntryKind::Link => session::EntryKind::Link,
        EntryKind::Other => session::EntryKind::Other,
    };
    Some(session::Entry { path: String::from_utf8(entry.path.into()).ok()?, kind, size: entry.size })
}

/// What the pack is told. The agent is told the failure itself, whatever the pack makes of it.
fn told(failure: Failure) -> SessionError {
    let code = match failure.code {
        ErrorCode::CapabilityDenied => session::ErrorCode::Denied,
        ErrorCode::SessionUnavailable => session::ErrorCode::Unavailable,
        ErrorCode::NotFound => session::ErrorCode::NotFound,
        ErrorCode::ResourceExhausted | ErrorCode::RateLimited => session::ErrorCode::Exhausted,
        ErrorCode::InvalidInput => session::ErrorCode::Invalid,
        _ => session::ErrorCode::Failed,
    };
    SessionError { code, message: failure.message }
}

fn exhausted(message: String) -> SessionError {
    SessionError { code: session::ErrorCode::Exhausted, message }
}
