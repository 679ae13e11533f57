//! Starts a program: its streams, its keeper, and the news whether it runs.

use std::io;
use std::os::fd::OwnedFd;

use packhost_session_protocol::message::{Confinement, Fault, Refusal, Start, Terminal};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::command::Stdio;
use super::keeper;
use super::plan::Plan;

/// The supervisor's ends of a program that was started. All are non-blocking.
pub(super) struct Spawned {
    /// The keeper's process.
    pub(super) keeper: Pid,
    /// To the keeper.
    pub(super) control: OwnedFd,
    /// From the command, until it is the program: see [`super::command::told`].
    pub(super) news: OwnedFd,
    /// Its streams.
    pub(super) streams: Streams,
}

/// The supervisor's ends of a program's streams.
pub(super) struct Streams {
    /// What is written here is its standard input; none where that is at its end.
    pub(super) input: Option<OwnedFd>,
    /// Its standard output, or its terminal.
    pub(super) output: OwnedFd,
    /// Its standard error; none on a terminal.
    pub(super) error: Option<OwnedFd>,
}

/// Starts it. To be called by the one thread of this process.
pub(super) fn spawn(start: &Start, plan: Plan) -> Result<Spawned, Refusal> {
    let (streams, stdio) = match start.terminal {
        Some(size) => terminal(size, &start.confinement),
        None => pipes(start.stdin),
    }
    .map_err(|error| exhausted(&error))?;
    let (news, telling) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| exhausted(&error.into()))?;
    let packets = (AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC);
    let (control, kept) = rustix::net::socketpair(packets.0, packets.1, packets.2, None)
        .map_err(|error| exhausted(&error.into()))?;
    for ours in [&news, &control] {
        nonblocking(ours).map_err(|error| exhausted(&error))?;
    }
    // SAFETY: the supervisor has one thread, and `keep` does not return.
    match unsafe { keeper::fork() }.map_err(|error| exhausted(&error))? {
        Some(keeper) => Ok(Spawned { keeper, control, news, streams }),
        None => keeper::keep(&kept, &telling, &stdio, plan),
    }
}

fn exhausted(error: &io::Error) -> Refusal {
    let fault = match Errno::from_io_error(error) {
        Some(Errno::AGAIN | Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOSPC) => Fault::Busy,
        _ => Fault::Failed,
    };
    Refusal::new(fault, format!("the program cannot be started now: {error}"))
}

fn nonblocking(fd: &OwnedFd) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(fd, true)?)
}

fn pipes(stdin: bool) -> io::Result<(Streams, Stdio)> {
    let (their_input, input) = pipe_with(PipeFlags::CLOEXEC)?;
    let (output, their_output) = pipe_with(PipeFlags::CLOEXEC)?;
    let (error, their_error) = pipe_with(PipeFlags::CLOEXEC)?;
    for ours in [&input, &output, &error] {
        nonblocking(ours)?;
    }
    let stdio = Stdio { input: their_input, output: their_output, error: their_error, terminal: false };
    // Without a writer, the pipe is at its end from the start.
    Ok((Streams { input: stdin.then_some(input), output, error: Some(error) }, stdio))
}

fn terminal(size: Terminal, confinement: &Confinement) -> io::Result<(Streams, Stdio)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let output = openpt(flags)?;
    unlockpt(&output)?;
    resize(&output, size)?;
    let theirs = ioctl_tiocgptpeer(&output, flags)?;
    if let Some(user) = confinement.user {
        // So that the program can open its terminal by name. Where that is not allowed it has the descriptor all the same.
        let (uid, gid) = (rustix::fs::Uid::from_raw(user.uid), rustix::fs::Gid::from_raw(user.gid));
        let _ = rustix::fs::fchown(&theirs, Some(uid), Some(gid));
        let _ = rustix::fs::fchmod(&theirs, Mode::RUSR | Mode::WUSR);
    }
    nonblocking(&output)?;
    let stdio =
        Stdio { input: theirs.try_clone()?, output: theirs.try_clone()?, error: theirs, terminal: true };
    Ok((Streams { input: Some(output.try_clone()?), output, error: None }, stdio))
}

/// Gives a terminal this size.
pub(super) fn resize(terminal: &OwnedFd, size: Terminal) -> io::Result<()> {
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(tcsetwinsize(terminal, size)?)
}
