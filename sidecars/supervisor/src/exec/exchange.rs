//! One exchange about one program: what the host sends goes in, what the program writes goes out, until either is over.
//! The program does not depend on it.

use std::rc::Rc;

use packhost_session_protocol::message::{
    Attach, Attached, ExecInput, ExecOutput, Executed, Fault, Refusal, Start,
};
use packhost_session_protocol::{FrameError, Frames, Kind, Stream};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::output::OutOfRange;
use super::program::Program;
use super::table::Execs;
use crate::serve::answer;

/// Starts a program, or takes up the one of that name, and stays with it.
pub(crate) async fn start(execs: &Rc<Execs>, start: Start, mut frames: Frames<Stream>) {
    match execs.start(start).await {
        Ok(program) => follow(&program, (0, 0), frames).await,
        Err(refusal) => answer(&mut frames, &Executed::Refused(refusal)).await,
    }
}

/// Takes up a program, and stays with it.
pub(crate) async fn attach(execs: &Execs, attach: Attach, mut frames: Frames<Stream>) {
    match execs.attach(&attach).await {
        Ok(program) => follow(&program, (attach.stdout, attach.stderr), frames).await,
        Err(refusal) => answer(&mut frames, &Executed::Refused(refusal)).await,
    }
}

/// Serves a host that has this much of the outputs, until one of them is gone or another exchange takes over.
async fn follow(program: &Rc<Program>, (stdout, stderr): (u64, u64), mut frames: Frames<Stream>) {
    let confirmed = program.output.confirm(stdout).and_then(|()| program.error.confirm(stderr));
    if confirmed == Err(OutOfRange) {
        let message = "more of its output was asked to be skipped than it has written";
        let refused = Executed::Refused(Refusal::new(Fault::Malformed, message));
        return answer(&mut frames, &refused).await;
    }
    let attachment = program.attach();
    // Where this host is not the one that confirmed some of it, less is left than it asks for.
    let (stdout, stderr) = (program.output.confirmed(), program.error.confirmed());
    let attached = Attached { pid: program.pid, stdin: program.input.received(), stdout, stderr };
    let (read, write) = tokio::io::split(frames.into_inner());
    let (read, mut write) = (Frames::new(read), Frames::new(write));
    let talk = async {
        write.say(&Executed::Attached(attached)).await?;
        tell(program, (stdout, stderr), &mut write).await
    };
    let listen = listen(program, read);
    tokio::pin!(listen);
    tokio::select! {
        // First of all: what another exchange has is no longer for this one.
        biased;
        () = attachment.superseded() => {}
        _ = &mut listen => {}
        told = talk => if told.is_ok() {
            // The host has the last word.
            tokio::select! {
                biased;
                () = attachment.superseded() => {}
                _ = listen => {}
            }
        },
    }
}

/// Does what the host says. Ends where it is not understood, or is over.
async fn listen<S: AsyncRead + Unpin>(program: &Program, mut frames: Frames<S>) -> Result<(), FrameError> {
    while let Some(frame) = frames.next().await? {
        if frame.kind == Kind::Input {
            program.input.give(&frame.payload).await;
            if program.input.is_closed() {
                program.fresh.notify_one();
            }
            continue;
        }
        match frame.message()? {
            ExecInput::End => program.input.end(),
            ExecInput::Signal(signal) => program.signal(signal),
            ExecInput::Kill => program.kill(),
            ExecInput::Resize(size) => program.resize(size),
            ExecInput::Confirm { stdout, stderr } => {
                let confirmed = program.output.confirm(stdout).and_then(|()| program.error.confirm(stderr));
                if confirmed == Err(OutOfRange) {
                    return Ok(());
                }
            }
            ExecInput::Forget => {
                program.forget();
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Tells the host all that comes, and last how the program ended.
async fn tell<S: AsyncWrite + Unpin>(
    program: &Program,
    (mut stdout, mut stderr): (u64, u64),
    frames: &mut Frames<S>,
) -> Result<(), FrameError> {
    // A host that asked for none knows that there is no standard input.
    let (mut taken, mut told_closed) = (0, !program.takes_input);
    loop {
        loop {
            let (out, error) = (program.output.after(stdout), program.error.after(stderr));
            if out.is_empty() && error.is_empty() {
                break;
            }
            frames.data(Kind::Output, &out).await?;
            frames.data(Kind::Error, &error).await?;
            stdout += out.len() as u64;
            stderr += error.len() as u64;
        }
        if let Some(exit) = program.exit()
            && program.output.is_sent(stdout)
            && program.error.is_sent(stderr)
        {
            frames.say(&ExecOutput::Exited(exit)).await?;
            return Ok(frames.get_mut().shutdown().await?);
        }
        if program.input.taken() > taken {
            taken = program.input.taken();
            frames.say(&ExecOutput::Confirm { stdin: taken }).await?;
        }
        if program.input.is_closed() && !told_closed {
            told_closed = true;
            frames.say(&ExecOutput::StdinClosed).await?;
        }
        program.fresh.notified().await;
    }
}
