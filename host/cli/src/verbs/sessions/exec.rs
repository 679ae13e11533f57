//! A program in a sandbox, for its operator.

use std::io::{self, IsTerminal};

use packhost_session_protocol::message::{Confinement, Rlimits, User};
use packhost_sessions::link::{Command, Exec};
use packhost_sessions::{SANDBOX_USER, SandboxId, SessionError, Sessions};
use rustix::termios::{self, OptionalActions, Termios};
use tokio::io::AsyncWriteExt;

use crate::exit::Error;

/// On a terminal the program gets a terminal of its own; what it exits with is what this exits with.
pub(super) async fn exec(sessions: &Sessions, id: &SandboxId, command: &[String]) -> Result<(), Error> {
    let two_users = sessions.two_users(id).await?;
    let link = sessions.look_into(id).await?;
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let everything = || vec![b"/".to_vec().into()];
    let confinement = Confinement {
        user: two_users.then_some(User { uid: SANDBOX_USER, gid: SANDBOX_USER }),
        // What the sandbox's own walls leave.
        read_only: Vec::new(),
        read_write: everything(),
        rlimits: Rlimits::default(),
        required: true,
        landlock_abi: 0,
        plain: everything(),
    };
    let mut command = Command::new(program.as_str())
        .args(arguments.iter().map(String::as_str))
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/tmp")
        .env("TERM", std::env::var("TERM").unwrap_or_else(|_| "dumb".into()))
        .cwd("/")
        .confinement(confinement)
        .stdin();
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let _raw = terminal.then(Raw::set).flatten();
    if let Some(size) = terminal.then(|| termios::tcgetwinsize(std::io::stdin()).ok()).flatten() {
        command = command.terminal(size.ws_col, size.ws_row);
    }
    let exec = link.exec(command).await.map_err(SessionError::from)?;
    let exit = joined(exec).await?;
    match (exit.code, exit.signal) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(Error::Exited(code)),
        (None, signal) => Err(Error::Exited(128_u8.saturating_add(signal.unwrap_or_default()))),
    }
}

/// The three streams of this process are the program's.
async fn joined(mut exec: Exec) -> Result<packhost_session_protocol::message::Exit, SessionError> {
    let (stdin, stdout, stderr) = (exec.stdin(), exec.stdout(), exec.stderr());
    let feed = tokio::spawn(async move {
        if let Some(mut stdin) = stdin {
            let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut stdin).await;
            let _ = stdin.shutdown().await;
        }
    });
    let out = async {
        let Some(mut stdout) = stdout else { return Ok(()) };
        let mut own = tokio::io::stdout();
        tokio::io::copy(&mut stdout, &mut own).await?;
        own.flush().await
    };
    let err = async {
        if let Some(mut stderr) = stderr {
            let _ = tokio::io::copy(&mut stderr, &mut tokio::io::stderr()).await;
        }
        io::Result::Ok(())
    };
    // Both end with the program. One that writes for nobody would go on for as long as its sandbox.
    if tokio::try_join!(out, err).is_err() {
        exec.kill();
    }
    let exit = exec.wait().await;
    feed.abort();
    Ok(exit?)
}

/// The terminal hands every key on, until this is dropped.
struct Raw(Termios);

impl Raw {
    fn set() -> Option<Self> {
        let before = termios::tcgetattr(std::io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
