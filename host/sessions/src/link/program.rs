//! What is known of one running program on the host's side. Those who use it and the one who talks to its supervisor meet
//! here.

use std::sync::{Mutex, MutexGuard, PoisonError};

use packhost_session_protocol::message::{
    Attach, Attached, ExecId, ExecInput, ExecOutput, Exit, Fault, Refusal, Terminal,
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::bytes::{Inbound, Outbound, Piece};
use super::error::{LinkError, Trouble};

/// How a program came to its end here.
pub(super) type Outcome = Result<Exit, LinkError>;

/// The two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Stdout = 0,
    Stderr = 1,
}

/// One program.
pub(super) struct Program {
    pub(super) id: ExecId,
    state: Mutex<State>,
    /// There may be something to say to the supervisor.
    work: Notify,
    /// Once the supervisor knows it: its process id.
    pub(super) pid: watch::Sender<Option<u32>>,
    pub(super) outcome: watch::Sender<Option<Outcome>>,
    pub(super) killed: CancellationToken,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) stdin: Outbound,
    pub(super) outputs: [Inbound; 2],
    /// Signals that were not sent yet, one bit each: like the kernel's, one that is pending is not pending twice.
    signals: u64,
    kill: bool,
    kill_sent: bool,
    terminal: Option<Terminal>,
    resized: bool,
    /// Whether it ran before this host knew it.
    adopted: bool,
    /// The supervisor said that all is over.
    exited: bool,
    /// It is left alone from here.
    leaving: bool,
    pub(super) outcome: Option<Outcome>,
    /// Messages in a row that said nothing new.
    idle: usize,
}

/// What is said to the supervisor next.
pub(super) enum Word {
    Say(ExecInput),
    Input(Vec<u8>),
    /// That was all.
    Last,
}

/// Messages and frames in a row that say nothing new, before their sender counts as broken.
const IDLE: usize = 1000;

impl Program {
    pub(super) fn new(id: ExecId, adopted: bool) -> Self {
        Self {
            id,
            state: Mutex::new(State { adopted, ..State::default() }),
            work: Notify::new(),
            pid: watch::Sender::new(None),
            outcome: watch::Sender::new(None),
            killed: CancellationToken::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There may be something to say.
    pub(super) fn nudge(&self) {
        self.work.notify_one();
    }

    /// Waits for the next [`nudge`](Self::nudge), or the last that nobody waited for.
    pub(super) async fn nudged(&self) {
        self.work.notified().await;
    }

    pub(super) fn kill(&self) {
        self.lock().kill = true;
        self.killed.cancel();
        self.nudge();
    }

    pub(super) fn signal(&self, number: u32) -> Result<(), LinkError> {
        let bit = number.checked_sub(1).and_then(|bit| 1_u64.checked_shl(bit));
        let bit = bit.ok_or_else(|| {
            LinkError::Refused(Refusal::new(Fault::Malformed, format!("{number} is no signal: 1 to 64 are")))
        })?;
        self.lock().signals |= bit;
        self.nudge();
        Ok(())
    }

    pub(super) fn resize(&self, terminal: Terminal) {
        let mut state = self.lock();
        state.terminal = Some(terminal);
        state.resized = true;
        drop(state);
        self.nudge();
    }

    pub(super) fn leave(&self) {
        self.lock().leaving = true;
        self.nudge();
    }

    /// From where another connection is asked to go on.
    pub(super) fn attach(&self) -> Attach {
        let mut state = self.lock();
        let [stdout, stderr] = &mut state.outputs;
        Attach { id: self.id, stdout: stdout.resume(), stderr: stderr.resume() }
    }

    /// The supervisor has it, on a new connection.
    pub(super) fn attached(&self, attached: &Attached) -> Result<(), Trouble> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if std::mem::take(&mut state.adopted) {
            state.stdin.adopt(attached.stdin)?;
            state.outputs[0].kept_from(attached.stdout, true)?;
            state.outputs[1].kept_from(attached.stderr, true)?;
        } else {
            state.stdin.resume(attached.stdin)?;
            state.outputs[0].kept_from(attached.stdout, false)?;
            state.outputs[1].kept_from(attached.stderr, false)?;
        }
        state.kill_sent = false;
        state.resized = state.terminal.is_some();
        state.idle = 0;
        drop(guard);
        self.pid.send_replace(Some(attached.pid));
        self.nudge();
        Ok(())
    }

    /// Bytes of an output.
    pub(super) fn output(&self, channel: Channel, bytes: &[u8]) -> Result<(), Trouble> {
        let mut state = self.lock();
        let due = state.outputs[channel as usize].push(bytes)?;
        state.says(!bytes.is_empty())?;
        drop(state);
        if due {
            self.nudge();
        }
        Ok(())
    }

    /// A message of the supervisor. Returns the end, where that is what it says.
    pub(super) fn message(&self, message: &ExecOutput) -> Result<Option<Exit>, Trouble> {
        let mut state = self.lock();
        match message {
            ExecOutput::Confirm { stdin } => {
                let fresh = state.stdin.confirm(*stdin)?;
                state.says(fresh)?;
                drop(state);
                // There may be room to send more.
                self.nudge();
            }
            ExecOutput::StdinClosed => {
                let fresh = state.stdin.close();
                state.says(fresh)?;
            }
            ExecOutput::Exited(exit) => {
                state.exited = true;
                drop(state);
                self.nudge();
                return Ok(Some(*exit));
            }
        }
        Ok(None)
    }

    /// What is to be said next, as said.
    pub(super) fn next(&self) -> Option<Word> {
        self.lock().next()
    }

    /// The last word: before the program is forgotten, or left alone.
    pub(super) fn farewell(&self) -> ExecInput {
        let mut state = self.lock();
        if state.exited { ExecInput::Forget } else { state.confirm() }
    }

    /// Whether it was left alone while it ran.
    pub(super) fn is_left(&self) -> bool {
        let state = self.lock();
        state.leaving && !state.exited
    }

    /// It is over here, however. The first outcome counts.
    pub(super) fn finish(&self, outcome: Outcome) {
        let mut state = self.lock();
        if state.outcome.is_some() {
            return;
        }
        state.outcome = Some(outcome.clone());
        state.stdin.close();
        state.outputs.iter_mut().for_each(Inbound::wake);
        drop(state);
        self.outcome.send_replace(Some(outcome));
    }

    pub(super) fn is_finished(&self) -> bool {
        self.lock().outcome.is_some()
    }
}

impl State {
    fn says(&mut self, something: bool) -> Result<(), Trouble> {
        self.idle = if something { 0 } else { self.idle + 1 };
        if self.idle < IDLE {
            return Ok(());
        }
        Err(Trouble::protocol(format!("it sent {IDLE} messages in a row that say nothing new")))
    }

    fn confirm(&mut self) -> ExecInput {
        let [stdout, stderr] = &mut self.outputs;
        ExecInput::Confirm { stdout: stdout.confirm(), stderr: stderr.confirm() }
    }

    fn next(&mut self) -> Option<Word> {
        if self.exited {
            // All of it is in this host's memory: the supervisor may forget it.
            return Some(Word::Last);
        }
        if self.kill && !self.kill_sent {
            self.kill_sent = true;
            return Some(Word::Say(ExecInput::Kill));
        }
        if self.signals != 0 {
            let bit = self.signals.trailing_zeros();
            self.signals &= self.signals - 1;
            return Some(Word::Say(ExecInput::Signal(bit + 1)));
        }
        if let Some(terminal) = self.terminal.filter(|_| std::mem::take(&mut self.resized)) {
            return Some(Word::Say(ExecInput::Resize(terminal)));
        }
        if self.outputs.iter().any(Inbound::is_due) {
            return Some(Word::Say(self.confirm()));
        }
        if self.leaving {
            return Some(Word::Last);
        }
        self.stdin.next().map(|piece| match piece {
            Piece::Bytes(bytes) => Word::Input(bytes),
            Piece::End => Word::Say(ExecInput::End),
        })
    }
}
