//! The launcher's loop, until the host is gone: what is quick is done at once, what may take long is left to a [`Worker`] for
//! each request.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::desk::Desk;
use crate::held::Held;
use crate::sandbox;
use crate::settings::Settings;
use crate::wire::{self, Answer, Ask, Fault, Refusal, Reply, Request};
use crate::worker::Worker;

/// How often the lengths of logs are looked at, and how long workers have worked.
pub(crate) const TICK: Duration = Duration::from_secs(10);

/// Serves the host at the other end of the [`channel`](crate::channel) until that is closed and what was asked is done.
/// Sandboxes go on then: the next launcher with the same state directory takes them over, or they end by themselves when no host
/// connects.
///
/// To be called in a process of its own with one thread, before anything else: it forks, and what it forks goes on with a
/// copy of it. Takes the standard input away. Says on standard error why it ends, if not at the host's end.
pub fn serve(channel: OwnedFd, settings: Settings) -> ExitCode {
    match run(channel, settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("packhost: the launcher of sandboxes ends: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(channel: OwnedFd, settings: Settings) -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("it must have one thread, and has {threads}")));
    }
    let channel = alone(channel)?;
    rustix::io::ioctl_fionbio(&channel, false)?;
    // A key press on the host's terminal is not for it. One that leads its group has no terminal to share anyway.
    let _ = rustix::process::setsid();
    // What who started the host can unlock, by Kerberos tickets or keys of disks, is not for sandboxes.
    sandbox::forget_keys()?;
    // What a worker leaves is this process's child: how a sandbox ends is told to its parent.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut launcher = Serving { channel, held: Held::new(settings)?, desk: Desk::new() };
    let (mut looked, mut is_open) = (Instant::now(), true);
    while is_open || !launcher.desk.is_empty() {
        let asked = launcher.wait(is_open)?;
        let _turn = launcher.held.turn()?;
        launcher.finish()?;
        launcher.held.trim_grown_logs();
        if looked.elapsed() >= TICK {
            launcher.held.trim_logs();
            looked = Instant::now();
        }
        is_open = is_open && (!asked || launcher.listen()?);
        while let Some(request) = launcher.desk.next() {
            launcher.carry_out(request)?;
        }
    }
    launcher.held.leave()
}

/// The channel where it is no standard descriptor, because those are a worker's too, and nothing in the place of the input.
fn alone(channel: OwnedFd) -> io::Result<OwnedFd> {
    const FIRST: i32 = 3;
    let moved = rustix::io::fcntl_dupfd_cloexec(&channel, FIRST)?;
    drop(channel);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(moved)
}

struct Serving {
    channel: OwnedFd,
    held: Held,
    desk: Desk<Worker>,
}

impl Serving {
    /// Waits for a request, the end of a sandbox or of a worker, or the next tick. Whether there is a request.
    fn wait(&self, is_open: bool) -> io::Result<bool> {
        let tick = Timespec { tv_sec: TICK.as_secs().cast_signed(), tv_nsec: 0 };
        let channel = is_open.then(|| PollFd::new(&self.channel, PollFlags::IN));
        let workers = self.desk.workers().map(Worker::interest);
        let mut awaited: Vec<_> = channel.into_iter().chain(workers).chain(self.held.interests()).collect();
        match poll(&mut awaited, Some(&tick)) {
            Ok(_) => Ok(is_open && awaited.first().is_some_and(|channel| !channel.revents().is_empty())),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Sees what has ended, workers first, and hands on what they say.
    fn finish(&mut self) -> io::Result<()> {
        self.desk.workers().for_each(Worker::hurry);
        let done = self.desk.done(Worker::result);
        done.iter().filter_map(|(job, _)| job.subject.as_deref()).for_each(|id| self.held.settle(id));
        // Nothing is left of a worker when what it said is handed on.
        let done: Vec<_> = done.into_iter().map(|(job, answer)| (job.number, answer)).collect();
        self.held.look()?;
        self.held.reap();
        for (number, answer) in done {
            let late = || {
                let message = "it took too long, and was given up: does a file system not answer?";
                Answer::Refused(Refusal::new(Fault::Failed, message))
            };
            self.reply(number, answer.unwrap_or_else(late), None)?;
        }
        Ok(())
    }

    /// Takes one request; whether the host is still there. What is no request is refused, and so is one too many.
    fn listen(&mut self) -> io::Result<bool> {
        let taken = match gone(wire::whole(&self.channel)) {
            // What descriptor came along is closed.
            Ok(Some(Some((packet, _)))) => wire::request(&packet).and_then(|request| {
                self.desk.take(request).map_err(|Request { number, .. }| {
                    let refusal = Refusal::new(Fault::Exhausted, "too much was asked at once");
                    Reply { number, answer: Answer::Refused(refusal) }
                })
            }),
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(wire::unreadable(&error)),
            Err(error) => return Err(error),
        };
        if let Err(Reply { number, answer }) = taken {
            self.reply(number, answer, None)?;
        }
        Ok(true)
    }

    /// Answers a request, or leaves it to a worker.
    fn carry_out(&mut self, Request { number, ask }: Request) -> io::Result<()> {
        let done = match &ask {
            Ask::About => self.held.about().map(Done::Later),
            Ask::Start(recipe) => self.held.start(recipe).map(Done::Later),
            Ask::Kill(id) => {
                self.held.kill(id).map(|worker| worker.map_or(Done::Now(Answer::Done), Done::Later))
            }
            Ask::Open(id) => self.held.open(id).map(Done::Here),
            Ask::Status(id) => self.held.status(id).map(|sandbox| Done::Now(Answer::Status(sandbox))),
            Ask::List(after) => Ok(Done::Now(Answer::List(self.held.list(after)))),
            Ask::Usage(id) => self.held.usage(id).map(|usage| Done::Now(Answer::Usage(usage))),
            Ask::Log(id) => self.held.log(id).map(Done::Here),
        };
        match done {
            Ok(Done::Later(worker)) => {
                self.desk.work(number, &ask, worker);
                Ok(())
            }
            Ok(Done::Now(answer)) => self.reply(number, answer, None),
            Ok(Done::Here(descriptor)) => self.reply(number, Answer::Here, Some(descriptor)),
            Err(refusal) => self.reply(number, Answer::Refused(refusal), None),
        }
    }

    /// A host that went away is no error: that it did is seen where requests come from.
    fn reply(&self, number: u64, answer: Answer, descriptor: Option<OwnedFd>) -> io::Result<()> {
        let descriptor = descriptor.as_ref().map(AsFd::as_fd);
        gone(wire::send(self.channel.as_fd(), &Reply { number, answer }, descriptor)).map(drop)
    }
}

/// What came of a request so far.
enum Done {
    Now(Answer),
    /// With a descriptor.
    Here(OwnedFd),
    Later(Worker),
}

/// A host that went away is no error.
fn gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => Ok(None),
        Err(error) => Err(error),
    }
}
