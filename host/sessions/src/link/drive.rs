//! Talks to the supervisor about one program, on one connection after the other, until the program has ended.

use std::sync::Arc;
use std::time::Duration;

use packhost_session_protocol::message::{Executed, Exit, Opening};
use packhost_session_protocol::{FrameError, Frames, Kind, Stream};
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep};

use super::connection::{Connection, answer, within};
use super::error::{LinkError, Trouble};
use super::program::{Channel, Outcome, Program, Word};
use super::reopen::{Line, PAUSES, longer};

/// One program's talk.
pub(super) struct Drive {
    pub(super) line: Arc<Line>,
    pub(super) program: Arc<Program>,
    /// What it begins with: a start or an attach. A start is said again until it is answered.
    pub(super) first: Opening,
    /// Whether the supervisor has answered it.
    pub(super) known: bool,
    pub(super) timeout: Option<Duration>,
}

/// How one connection's part of the talk ended well.
enum Part {
    Exited(Exit),
    /// The program was left alone.
    Left,
}

impl Drive {
    /// Drives the program to its end.
    pub(super) async fn run(mut self) {
        let program = Arc::clone(&self.program);
        let timeout = self.timeout;
        let settings = self.line.settings;
        let grace = settings.answer_within + settings.reopen_for;
        let outcome = tokio::select! {
            outcome = self.talk() => outcome,
            error = overdue(&program, timeout, grace) => Err(error),
        };
        program.finish(outcome);
    }

    async fn talk(&mut self) -> Outcome {
        // Since when nothing has come of it.
        let mut stuck: Option<Instant> = None;
        let mut pause = PAUSES.0;
        loop {
            let connection = self.line.connection().await?;
            let mut moved = false;
            let why = match self.part(&connection, &mut moved).await {
                Ok(Part::Exited(exit)) => return Ok(exit),
                Ok(Part::Left) => return Err(LinkError::Broken("the program was left alone".into())),
                Err(Trouble::Broke(why)) => why,
                Err(Trouble::Over(error)) => {
                    if matches!(error, LinkError::Protocol(_)) {
                        connection.cut(error.to_string());
                    }
                    return Err(error);
                }
            };
            if moved {
                (stuck, pause) = (None, PAUSES.0);
            }
            if stuck.get_or_insert_with(Instant::now).elapsed() >= self.line.settings.reopen_for {
                return Err(LinkError::Broken(why));
            }
            sleep(pause).await;
            pause = longer(pause);
        }
    }

    /// The talk on one connection. `moved` becomes true once the supervisor said more than that it knows the program.
    async fn part(&mut self, connection: &Connection, moved: &mut bool) -> Result<Part, Trouble> {
        let limit = self.line.settings.answer_within;
        let opening = if self.known { Opening::Attach(self.program.attach()) } else { self.first.clone() };
        let mut frames = connection.exchange(&opening).await?;
        match within(limit, answer(&mut frames)).await?? {
            Executed::Attached(attached) => self.program.attached(&attached)?,
            Executed::Refused(refusal) => return Err(Trouble::refused(refusal)),
        }
        self.known = true;
        let (reading, writing) = tokio::io::split(frames.into_inner());
        let reading = listen(&self.program, Frames::new(reading), moved);
        let writing = speak(&self.program, Frames::new(writing));
        // Neither is dropped in the middle of a frame, as long as the exchange goes on.
        tokio::pin!(reading, writing);
        let exit = tokio::select! {
            exit = &mut reading => exit?,
            said = &mut writing => match said {
                Ok(()) if self.program.is_left() => return Ok(Part::Left),
                // The exchange is broken for what is said; what was said to us may still be the end.
                Ok(()) | Err(_) => within(limit, &mut reading).await??,
            },
        };
        self.program.finish(Ok(exit));
        // The supervisor keeps the end for a while if it does not hear of this.
        let _ = within(limit, &mut writing).await;
        Ok(Part::Exited(exit))
    }
}

/// Takes what the supervisor says until the program has ended.
async fn listen(
    program: &Program,
    mut frames: Frames<ReadHalf<Stream>>,
    moved: &mut bool,
) -> Result<Exit, Trouble> {
    loop {
        let frame = frames.next().await?.ok_or(FrameError::Cut)?;
        *moved = true;
        match frame.kind {
            Kind::Output => program.output(Channel::Stdout, &frame.payload)?,
            Kind::Error => program.output(Channel::Stderr, &frame.payload)?,
            Kind::Message => {
                if let Some(exit) = program.message(&frame.message()?)? {
                    return Ok(exit);
                }
            }
            Kind::Input => return Err(FrameError::Unexpected(Kind::Input).into()),
        }
    }
}

/// Says what is to be said until the program has ended or is left alone.
async fn speak(program: &Program, mut frames: Frames<WriteHalf<Stream>>) -> Result<(), FrameError> {
    loop {
        match program.next() {
            Some(Word::Say(message)) => frames.say(&message).await?,
            Some(Word::Input(bytes)) => frames.data(Kind::Input, &bytes).await?,
            Some(Word::Last) => {
                frames.say(&program.farewell()).await?;
                return Ok(frames.get_mut().shutdown().await?);
            }
            None => program.nudged().await,
        }
    }
}

/// Waits until a supervisor should long have said that the program has ended.
async fn overdue(program: &Program, timeout: Option<Duration>, grace: Duration) -> LinkError {
    // The program's own bound, from the moment that it runs.
    let timed = async {
        let mut pid = program.pid.subscribe();
        let known = pid.wait_for(Option::is_some).await.is_ok();
        match timeout.filter(|_| known) {
            Some(timeout) => sleep(timeout + grace).await,
            None => std::future::pending().await,
        }
    };
    let killed = async {
        program.killed.cancelled().await;
        sleep(grace).await;
    };
    let what = tokio::select! {
        () = timed => "whose time was over",
        () = killed => "that was to be killed",
    };
    LinkError::Protocol(format!("it does not say that a program {what} has ended"))
}
