//! A supervisor that is a script: its programs are state machines, and it watches how the host behaves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use packhost_session_protocol::message::{
    Attach, Attached, ExecId, ExecInput, ExecOutput, Executed, Exit, Fault, ForwardTarget, Forwarded,
    Opening, Pong, Refusal, RunningExec, RunningExecs, Start, Usage, Welcome,
};
use packhost_session_protocol::{FrameError, Frames, Kind, Mux, Role, Stream, limits};
use tokio::io::{AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::Notify;

use crate::files::Files;
use crate::wire::Peer;

/// What a program does, by its first argument:
/// `cat` writes what it reads; `pour OUT ERR CODE` writes that many bytes to its outputs ([`noise`]), reads its input to
/// the end and exits; `deaf` closes its input; `hoard` takes none of it; all but the first two run until a signal ends them.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) programs: Mutex<BTreeMap<ExecId, Arc<Running>>>,
    /// What the host did that it must not do.
    pub(crate) faults: Mutex<Vec<String>>,
    pub(crate) files: Files,
    /// Whether the host said that the supervisor is to end.
    pub(crate) is_shut: Notify,
}

#[derive(Default)]
pub(crate) struct Running {
    argv: Vec<Vec<u8>>,
    pub(crate) state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) stdin: Vec<u8>,
    confirmed_stdin: u64,
    stdin_ended: bool,
    hoards: bool,
    pub(crate) outputs: [Vec<u8>; 2],
    confirmed: [u64; 2],
    pub(crate) signals: Vec<u32>,
    pub(crate) sizes: Vec<(u16, u16)>,
    exit: Option<Exit>,
    pub(crate) forgotten: usize,
    pub(crate) attached: usize,
}

/// Bytes that are never the same for long.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) fn exit(code: Option<u8>, signal: Option<u8>) -> Exit {
    Exit { code, signal, timed_out: false, out_of_memory: false, ran_us: 1, cpu_us: 1, peak_memory: 1 }
}

pub(crate) fn welcome() -> Welcome {
    Welcome {
        version: limits::VERSION,
        release: "a script".into(),
        landlock_abi: 7,
        uptime_ms: 1,
        is_init: true,
        proxy_port: None,
    }
}

impl Peer for Fake {
    fn serve(self: Arc<Self>, stream: DuplexStream) {
        let (_, mut incoming) = Mux::start(stream, Role::Supervisor);
        tokio::spawn(async move {
            while let Some(stream) = incoming.next().await {
                let fake = Arc::clone(&self);
                tokio::spawn(async move {
                    let _ = fake.exchange(Frames::new(stream)).await;
                });
            }
        });
    }
}

impl Fake {
    pub(crate) fn fault(&self, what: impl Into<String>) {
        self.faults.lock().expect("a lock").push(what.into());
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.lock().expect("a lock").clone()
    }

    pub(crate) fn only(&self) -> Arc<Running> {
        self.programs.lock().expect("a lock").values().next().cloned().expect("a program")
    }

    async fn exchange(&self, mut frames: Frames<Stream>) -> Result<(), FrameError> {
        match frames.message::<Opening>().await? {
            Opening::Hello(_) => frames.say(&welcome()).await,
            Opening::Ping => frames.say(&Pong { uptime_ms: 1 }).await,
            Opening::Usage => frames.say(&Usage { memory: 7, ..Usage::default() }).await,
            Opening::Execs => frames.say(&RunningExecs { execs: self.running() }).await,
            Opening::Start(start) => {
                if start.argv.first().is_some_and(|name| **name == *b"missing") {
                    let refusal = Refusal::new(Fault::NotFound, "there is no program \"missing\"");
                    return frames.say(&Executed::Refused(refusal)).await;
                }
                let program = self.start(start);
                self.attend(frames, program, [0, 0]).await
            }
            Opening::Attach(Attach { id, stdout, stderr }) => {
                let program = self.programs.lock().expect("a lock").get(&id).cloned();
                match program {
                    Some(program) => self.attend(frames, program, [stdout, stderr]).await,
                    None => {
                        let refusal = Refusal::new(Fault::NotFound, "there is no such program");
                        frames.say(&Executed::Refused(refusal)).await
                    }
                }
            }
            Opening::Shutdown => {
                self.is_shut.notify_one();
                frames.get_mut().shutdown().await?;
                Ok(())
            }
            Opening::Forward(forward) => match forward.target {
                // An echo.
                ForwardTarget::Tcp(7) => {
                    frames.say(&Forwarded::Connected).await?;
                    let (mut reading, mut writing) = tokio::io::split(frames.into_inner());
                    tokio::io::copy(&mut reading, &mut writing).await?;
                    Ok(writing.shutdown().await?)
                }
                _ => {
                    let refusal = Refusal::new(Fault::NotFound, "nothing listens there");
                    frames.say(&Forwarded::Refused(refusal)).await
                }
            },
            opening => self.files.exchange(opening, &mut frames).await,
        }
    }

    fn running(&self) -> Vec<RunningExec> {
        let programs = self.programs.lock().expect("a lock");
        let running = programs.iter().map(|(id, program)| RunningExec {
            id: *id,
            pid: 1,
            argv: program.argv.iter().cloned().map(Into::into).collect(),
            ended: program.state.lock().expect("a lock").exit.is_some(),
            ran_ms: 0,
        });
        running.collect()
    }

    fn start(&self, start: Start) -> Arc<Running> {
        let mut programs = self.programs.lock().expect("a lock");
        let program = programs.entry(start.id).or_insert_with(|| {
            let argv: Vec<Vec<u8>> = start.argv.iter().map(|argument| argument.to_vec()).collect();
            let mut state =
                State { stdin_ended: !start.stdin, hoards: argv[0] == b"hoard", ..State::default() };
            if argv[0] == b"pour" {
                state.outputs = [noise(number(&argv[1]), 1), noise(number(&argv[2]), 2)];
            }
            let running = Running { argv, state: Mutex::new(state), changed: Notify::new() };
            running.step();
            Arc::new(running)
        });
        Arc::clone(program)
    }

    async fn attend(
        &self,
        mut frames: Frames<Stream>,
        program: Arc<Running>,
        from: [u64; 2],
    ) -> Result<(), FrameError> {
        let (attached, from, turn) = {
            let mut state = program.state.lock().expect("a lock");
            state.attached += 1;
            let kept = state.confirmed;
            // What the host has taken it will not ask for again.
            state.confirmed = [from[0].max(kept[0]), from[1].max(kept[1])];
            let attached = Attached { pid: 4, stdin: length(&state.stdin), stdout: kept[0], stderr: kept[1] };
            (attached, state.confirmed, state.attached)
        };
        program.changed.notify_waiters();
        frames.say(&Executed::Attached(attached)).await?;
        let (reading, writing) = tokio::io::split(frames.into_inner());
        tokio::try_join!(
            self.hear(&program, Frames::new(reading), turn),
            tell(&program, Frames::new(writing), from, turn)
        )?;
        Ok(())
    }

    async fn hear(
        &self,
        program: &Running,
        mut frames: Frames<ReadHalf<Stream>>,
        turn: usize,
    ) -> Result<(), FrameError> {
        while let Some(frame) = frames.next().await? {
            let mut state = program.state.lock().expect("a lock");
            if state.attached != turn {
                return Err(FrameError::Cut);
            }
            match frame.kind {
                Kind::Input => {
                    if state.stdin_ended {
                        self.fault("input behind its end");
                    }
                    state.stdin.extend(&frame.payload);
                    if length(&state.stdin) - state.confirmed_stdin > limits::UNCONFIRMED as u64 {
                        self.fault("more input than may be unconfirmed");
                    }
                }
                Kind::Message => match frame.message::<ExecInput>()? {
                    ExecInput::End => state.stdin_ended = true,
                    ExecInput::Kill => _ = state.exit.get_or_insert(exit(None, Some(9))),
                    ExecInput::Signal(number) => {
                        state.signals.push(number);
                        let number = u8::try_from(number).expect("a signal");
                        state.exit.get_or_insert(exit(None, Some(number)));
                    }
                    ExecInput::Resize(size) => state.sizes.push((size.columns, size.rows)),
                    ExecInput::Confirm { stdout, stderr } => {
                        let there = [length(&state.outputs[0]), length(&state.outputs[1])];
                        for (channel, confirmed) in [stdout, stderr].into_iter().enumerate() {
                            if confirmed > there[channel] || confirmed < state.confirmed[channel] {
                                self.fault(format!("{confirmed} bytes of output confirmed"));
                            }
                            state.confirmed[channel] = confirmed;
                        }
                    }
                    ExecInput::Forget => state.forgotten += 1,
                },
                other => self.fault(format!("a frame of kind {other:?}")),
            }
            drop(state);
            program.step();
        }
        Ok(())
    }
}

impl Running {
    /// What the program does with what has come.
    fn step(&self) {
        let mut guard = self.state.lock().expect("a lock");
        let state = &mut *guard;
        let done = match self.argv[0].as_slice() {
            b"cat" => {
                let from = state.outputs[0].len();
                state.outputs[0].extend(&state.stdin[from..]);
                state.stdin_ended.then(|| exit(Some(0), None))
            }
            b"pour" => state.stdin_ended.then(|| exit(u8::try_from(number(&self.argv[3])).ok(), None)),
            _ => None,
        };
        if state.exit.is_none() {
            state.exit = done;
        }
        drop(guard);
        self.changed.notify_waiters();
    }

    /// Waits until this is so.
    pub(crate) async fn until(&self, what: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if what(&self.state.lock().expect("a lock")) {
                return;
            }
            changed.await;
        }
    }
}

enum Next {
    Output(usize, Vec<u8>),
    Say(ExecOutput),
}

async fn tell(
    program: &Running,
    mut frames: Frames<WriteHalf<Stream>>,
    mut at: [u64; 2],
    turn: usize,
) -> Result<(), FrameError> {
    let mut said_closed = program.argv[0] != b"deaf";
    let taken = program.state.lock().expect("a lock").confirmed_stdin;
    if taken > 0 {
        frames.say(&ExecOutput::Confirm { stdin: taken }).await?;
    }
    loop {
        let changed = program.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let next = {
            let mut state = program.state.lock().expect("a lock");
            if state.attached != turn {
                return Err(FrameError::Cut);
            }
            next(&mut state, &mut at, &mut said_closed)
        };
        match next {
            Some(Next::Output(0, bytes)) => frames.data(Kind::Output, &bytes).await?,
            Some(Next::Output(_, bytes)) => frames.data(Kind::Error, &bytes).await?,
            Some(Next::Say(message)) => {
                frames.say(&message).await?;
                if let ExecOutput::Exited(_) = message {
                    return Ok(());
                }
            }
            None => changed.await,
        }
    }
}

fn next(state: &mut State, at: &mut [u64; 2], said_closed: &mut bool) -> Option<Next> {
    if !std::mem::replace(said_closed, true) {
        return Some(Next::Say(ExecOutput::StdinClosed));
    }
    let stdin = length(&state.stdin);
    // Some of it at a time, as a program that reads would.
    if !state.hoards && stdin - state.confirmed_stdin >= 100_000 {
        state.confirmed_stdin += 77_777;
        return Some(Next::Say(ExecOutput::Confirm { stdin: state.confirmed_stdin }));
    }
    for channel in [0, 1] {
        let most = state.confirmed[channel] + limits::UNCONFIRMED as u64;
        let from = usize::try_from(at[channel]).expect("a length");
        let upto = state.outputs[channel].len().min(usize::try_from(most).expect("a length"));
        if from < upto {
            let piece = &state.outputs[channel][from..upto.min(from + 1 + (from * 7919) % 50_000)];
            at[channel] += length(piece);
            return Some(Next::Output(channel, piece.to_vec()));
        }
    }
    let all = at.iter().zip(&state.outputs).all(|(at, output)| *at == length(output));
    state.exit.filter(|_| all).map(|exit| Next::Say(ExecOutput::Exited(exit)))
}

pub(crate) fn length(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

fn number(text: &[u8]) -> usize {
    std::str::from_utf8(text).expect("text").parse().expect("a number")
}
