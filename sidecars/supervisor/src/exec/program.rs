//! One program, from its start until it is forgotten.

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use minicbor::bytes::ByteVec;
use packhost_session_protocol::limits;
use packhost_session_protocol::message::{ExecId, Exit, RunningExec, Start, Terminal};
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use rustix::process::WaitStatus;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, oneshot, watch};

use super::input::Input;
use super::keeper::{REPORT, Report};
use super::memory::Killed;
use super::output::Output;
use super::spawn::{self, Streams};
use crate::descriptor::{readable, writable};
use crate::reaper::Reaper;
use crate::signals;
use crate::state::milliseconds;

/// One program.
#[derive(Debug)]
pub(super) struct Program {
    /// Its name.
    pub(super) id: ExecId,
    /// Its process.
    pub(super) pid: u32,
    /// Its standard input.
    pub(super) input: Input,
    /// Whether it began with one that was open.
    pub(super) takes_input: bool,
    /// Its standard output, or what its terminal shows.
    pub(super) output: Output,
    /// Its standard error.
    pub(super) error: Output,
    /// Something is there to be told to the host.
    pub(super) fresh: Notify,
    argv: Vec<ByteVec>,
    timeout: Option<Duration>,
    /// Killed for want of memory: the count, and what it was at the start.
    killed: (Rc<Killed>, u64),
    started: Instant,
    keeper: AsyncFd<OwnedFd>,
    terminal: Option<OwnedFd>,
    exit: Cell<Option<Exit>>,
    /// Which exchange, of all that there were, has it now; 0 for none.
    attached: watch::Sender<u64>,
    exchanges: Cell<u64>,
    forgotten: Notify,
}

/// The supervisor's ends of a program's streams, watched.
pub(super) struct Watched {
    input: Option<AsyncFd<OwnedFd>>,
    output: AsyncFd<OwnedFd>,
    error: Option<AsyncFd<OwnedFd>>,
}

impl Watched {
    /// Watches them.
    pub(super) fn new(streams: Streams) -> io::Result<Self> {
        Ok(Self {
            input: streams.input.map(writable).transpose()?,
            output: readable(streams.output)?,
            error: streams.error.map(readable).transpose()?,
        })
    }
}

impl Program {
    /// One that has just begun, with the socket to its keeper.
    pub(super) fn new(
        start: Start,
        pid: u32,
        keeper: OwnedFd,
        watched: &Watched,
        killed: Rc<Killed>,
    ) -> io::Result<Self> {
        let terminal = match start.terminal {
            Some(_) => Some(watched.output.get_ref().try_clone()?),
            None => None,
        };
        Ok(Self {
            id: start.id,
            pid,
            takes_input: watched.input.is_some(),
            input: if watched.input.is_some() { Input::default() } else { Input::closed() },
            output: Output::default(),
            error: if watched.error.is_some() { Output::default() } else { Output::closed() },
            fresh: Notify::new(),
            argv: start.argv,
            timeout: start.timeout_ms.map(Duration::from_millis),
            killed: (Rc::clone(&killed), killed.so_far()),
            started: Instant::now(),
            keeper: readable(keeper)?,
            terminal,
            exit: Cell::new(None),
            attached: watch::Sender::new(0),
            exchanges: Cell::new(0),
            forgotten: Notify::new(),
        })
    }

    /// How it ended, once it has and all that it wrote is here.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.exit.get()
    }

    /// What is said of it in a list.
    pub(super) fn describe(&self) -> RunningExec {
        let exit = self.exit.get();
        let ran = exit.map_or_else(|| self.started.elapsed(), |exit| Duration::from_micros(exit.ran_us));
        RunningExec {
            id: self.id,
            pid: self.pid,
            argv: self.argv.clone(),
            ended: exit.is_some(),
            ran_ms: milliseconds(ran),
        }
    }

    /// Sends a signal to its process group. One that is none is not sent.
    pub(super) fn signal(&self, signal: u32) {
        if let Ok(signal @ 1..) = u8::try_from(signal)
            && i32::from(signal) <= signals::HIGHEST
        {
            // A keeper that has so much to do that this does not fit loses it, as signals that are pending already are.
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            let _ = rustix::net::send(self.keeper.get_ref(), &[signal], flags);
        }
    }

    /// Ends it with all that it started.
    pub(super) fn kill(&self) {
        // The end of the stream is the word for it: that always fits, and is no less when it is said twice.
        let _ = rustix::net::shutdown(self.keeper.get_ref(), Shutdown::Write);
    }

    /// Gives its terminal another size.
    pub(super) fn resize(&self, size: Terminal) {
        if let Some(terminal) = &self.terminal {
            // It has gone with the program, at worst.
            let _ = spawn::resize(terminal, size);
        }
    }

    /// The host has its end.
    pub(super) fn forget(&self) {
        if self.exit.get().is_some() {
            self.forgotten.notify_one();
        }
    }

    /// Lives through it: moves its bytes until it has ended, and then waits until it may be forgotten.
    pub(super) async fn run(&self, watched: Watched, reaper: &Reaper, gone: oneshot::Receiver<WaitStatus>) {
        let (report, timed_out) = self.live(&watched.output, watched.error.as_ref(), watched.input).await;
        let ran = self.started.elapsed();
        self.input.close();
        if report.is_none() {
            // Its keeper was killed. What it kept has come to the supervisor by the time that the keeper is reaped.
            let _ = gone.await;
            let _ = reaper.kill_strays();
        }
        self.output.drain(&watched.output, &self.fresh).await;
        if let Some(error) = &watched.error {
            self.error.drain(error, &self.fresh).await;
        }
        let out_of_memory = self.killed.0.so_far() > self.killed.1;
        self.exit.set(Some(Exit { out_of_memory, ..exit(report, timed_out, ran) }));
        self.fresh.notify_one();
        tokio::select! {
            () = self.forgotten.notified() => {}
            () = self.abandoned() => {}
        }
    }

    /// Moves bytes while its tree lives. Gives how that ended, and whether its time was over.
    async fn live(
        &self,
        output: &AsyncFd<OwnedFd>,
        error: Option<&AsyncFd<OwnedFd>>,
        input: Option<AsyncFd<OwnedFd>>,
    ) -> (Option<Report>, bool) {
        let feed = async {
            if let Some(input) = input {
                self.input.pump(input, self.terminal.is_some(), &self.fresh).await;
            }
            std::future::pending::<()>().await
        };
        let read = async {
            let error = async {
                if let Some(error) = error {
                    self.error.pump(error, &self.fresh).await;
                }
            };
            tokio::join!(self.output.pump(output, &self.fresh), error);
            std::future::pending::<()>().await
        };
        let watch = async {
            let timeout = async {
                match self.timeout {
                    Some(timeout) => tokio::time::sleep(timeout).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                report = self.report() => return (report, false),
                () = timeout => self.kill(),
            }
            let report = self.report().await;
            // It may have ended by itself at the very moment.
            (report, report.is_none_or(|report| report.killed))
        };
        tokio::select! {
            ended = watch => ended,
            () = feed => (None, false),
            () = read => (None, false),
        }
    }

    async fn report(&self) -> Option<Report> {
        let mut bytes = [0; REPORT];
        let receive = |fd: &OwnedFd| {
            let (_, received) = rustix::net::recv(fd, &mut bytes[..], RecvFlags::DONTWAIT)?;
            Ok(received)
        };
        let received = self.keeper.async_io(Interest::READABLE, receive).await.ok()?;
        (received == REPORT).then(|| Report::of(&bytes))
    }

    /// Waits until no exchange has had it for [`limits::KEPT`].
    async fn abandoned(&self) {
        let mut attached = self.attached.subscribe();
        loop {
            let _ = attached.wait_for(|attached| *attached == 0).await;
            let taken = attached.wait_for(|attached| *attached != 0);
            if tokio::time::timeout(limits::KEPT, taken).await.is_err() {
                return;
            }
        }
    }

    /// Takes it for one exchange, away from the one that had it.
    pub(super) fn attach(self: &Rc<Self>) -> Attachment {
        let exchange = self.exchanges.get() + 1;
        self.exchanges.set(exchange);
        self.attached.send_replace(exchange);
        Attachment { program: Rc::clone(self), exchange }
    }
}

/// A program in the hands of one exchange.
#[derive(Debug)]
pub(super) struct Attachment {
    program: Rc<Program>,
    exchange: u64,
}

impl Attachment {
    /// Waits until another exchange has it.
    pub(super) async fn superseded(&self) {
        let mut attached = self.program.attached.subscribe();
        let _ = attached.wait_for(|attached| *attached != self.exchange).await;
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.program.attached.send_if_modified(|attached| {
            let ours = *attached == self.exchange;
            if ours {
                *attached = 0;
            }
            ours
        });
    }
}

fn exit(report: Option<Report>, timed_out: bool, ran: Duration) -> Exit {
    // Without a report somebody killed the keeper, and the program with it.
    let lost = Report { status: libc::SIGKILL, killed: true, cpu_us: 0, peak_memory: 0 };
    let report = report.unwrap_or(lost);
    let code = libc::WIFEXITED(report.status).then(|| libc::WEXITSTATUS(report.status));
    let signal = libc::WIFSIGNALED(report.status).then(|| libc::WTERMSIG(report.status));
    Exit {
        code: code.and_then(|code| u8::try_from(code).ok()),
        signal: signal.and_then(|signal| u8::try_from(signal).ok()),
        timed_out,
        out_of_memory: false,
        ran_us: u64::try_from(ran.as_micros()).unwrap_or(u64::MAX),
        cpu_us: report.cpu_us,
        peak_memory: report.peak_memory,
    }
}
