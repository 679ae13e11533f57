//! The launcher's loop: one request at a time, until the host is gone.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::held::Held;
use crate::settings::Settings;
use crate::wire::{self, Answer, Ask, Refusal, Reply, Request};

/// How often the lengths of logs are looked at.
pub(crate) const TICK: Duration = Duration::from_secs(10);

/// Serves the host at the other end of the [`channel`](crate::channel) until that is closed. Sandboxes go on then: the next
/// launcher with the same state directory takes them over, or they end by themselves when no host connects.
///
/// To be called in a process of its own with one thread, before anything else: it forks, and what it forks goes on with a
/// copy of it. Says on standard error why it ends, if not at the host's end.
pub fn serve(channel: OwnedFd, settings: Settings) -> ExitCode {
    match run(&channel, settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("packhost: the launcher of sandboxes ends: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(channel: &OwnedFd, settings: Settings) -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("it must have one thread, and has {threads}")));
    }
    rustix::io::ioctl_fionbio(channel, false)?;
    // A key press on the host's terminal is not for it. One that leads its group has no terminal to share anyway.
    let _ = rustix::process::setsid();
    let mut held = Held::new(settings)?;
    let mut looked = Instant::now();
    loop {
        let asked = wait(channel, &held)?;
        let _turn = held.turn()?;
        held.reap();
        if looked.elapsed() >= TICK {
            held.trim_logs();
            looked = Instant::now();
        }
        if asked && !answer(channel, &mut held)? {
            return Ok(());
        }
    }
}

/// Waits for a request, the end of a sandbox, or the next tick. Whether there is a request.
fn wait(channel: &OwnedFd, held: &Held) -> io::Result<bool> {
    let tick = Timespec { tv_sec: TICK.as_secs().cast_signed(), tv_nsec: 0 };
    let mut awaited: Vec<_> =
        std::iter::once(PollFd::new(channel, PollFlags::IN)).chain(held.interests()).collect();
    match poll(&mut awaited, Some(&tick)) {
        Ok(_) => Ok(awaited.first().is_some_and(|channel| !channel.revents().is_empty())),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Answers one request; whether there was one, or the host is gone.
fn answer(channel: &OwnedFd, held: &mut Held) -> io::Result<bool> {
    let Some(packet) = gone(wire::receive::<Request>(channel))?.flatten() else { return Ok(false) };
    let Request { number, ask } = packet.message;
    let (answer, descriptor) = match carry_out(held, ask) {
        Ok(answered) => answered,
        Err(refusal) => (Answer::Refused(refusal), None),
    };
    let descriptor = descriptor.as_ref().map(AsFd::as_fd);
    Ok(gone(wire::send(channel.as_fd(), &Reply { number, answer }, descriptor))?.is_some())
}

/// A host that went away is no error.
fn gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn carry_out(held: &mut Held, ask: Ask) -> Result<(Answer, Option<OwnedFd>), Refusal> {
    let answer = match ask {
        Ask::About => Answer::About(held.about()),
        Ask::Start(recipe) => Answer::Started(held.start(*recipe)?),
        Ask::Open(id) => return Ok((Answer::Here, Some(held.open(&id)?))),
        Ask::Kill(id) => held.kill(&id).map(|()| Answer::Done)?,
        Ask::Status(id) => Answer::Status(held.status(&id)?),
        Ask::List(after) => Answer::List(held.list(&after)),
        Ask::Usage(id) => Answer::Usage(held.usage(&id)?),
        Ask::Log(id) => return Ok((Answer::Here, Some(held.log(&id)?))),
    };
    Ok((answer, None))
}
