//! `packhost call`: one call, without a server.

mod blocks;

use std::fs;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use packhost_core::{ErrorCode, Failure, Identity, RunId};
use packhost_engine::{
    Answer, Block, Call, Client, Door, Ended, Engine, LogLine, Outcome, Peer, Progress, Question, Reply,
    Usage,
};
use serde_json::{Value, json};

use super::packs::not_served;
use crate::args::{Call as Args, Global};
use crate::exit::Error;
use crate::host::{Clients, Prepared, Purpose, prepare};
use crate::output::{DIM, NOTE, Output, Work, eprintln, println};

/// The largest input, in bytes.
const INPUT: u64 = 4 << 20;

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let input = input(&args.input)?;
    let prepared = prepare(global, Purpose::Call(&args.pack))?;
    let _record = prepared.record();
    let runtime = Prepared::runtime(Clients::Many)?;
    let outcome = runtime.block_on(async {
        let (engine, _, sending) = prepared.start(output).await?;
        let work = output.progress("running");
        let run = RunId::fresh();
        let call = Call {
            run,
            identity: Identity::local(),
            door: Door::Cli,
            peer: Peer::default(),
            pack: args.pack.clone(),
            input,
            client: Arc::new(Terminal { work: work.clone() }),
        };
        let outcome = tokio::select! {
            outcome = work.watch(engine.dispatch(call)) => known_here(outcome, &engine, &args.pack),
            _ = tokio::signal::ctrl_c() => cancelled(run, &engine),
        };
        // A sandbox that the call leaves is for the next call, and here comes none.
        engine.drain(Duration::ZERO).await;
        sending.end().await;
        Ok::<_, Error>(outcome)
    });
    runtime.shutdown_background();
    show(outcome?, output)
}

/// An agent is told only that there is no such tool. The person at this door may know why.
fn known_here(mut outcome: Outcome, engine: &Engine, pack: &str) -> Outcome {
    if let Err(Ended::Failed(failure)) = &mut outcome.result
        && failure.code == ErrorCode::NotFound
        && outcome.pack.is_none()
    {
        *failure = not_served(engine, pack);
    }
    outcome
}

/// Ctrl-C. The call ends with the future that waited for it.
fn cancelled(run: RunId, engine: &Engine) -> Outcome {
    Outcome {
        run,
        pack: None,
        result: Err(Failure::new(ErrorCode::Cancelled, "Cancelled.").into()),
        mends: Vec::new(),
        revision: engine.manifest().revision().to_owned(),
        session: None,
        artifacts: Vec::new(),
        usage: Usage::default(),
    }
}

/// `@file`, `-` for stdin, or JSON.
fn input(text: &str) -> Result<Value, Error> {
    let mut bytes = Vec::new();
    if text == "-" {
        let read = std::io::stdin().take(INPUT + 1).read_to_end(&mut bytes);
        read.map_err(|error| Error::failed(format!("stdin: {error}")))?;
    } else if let Some(file) = text.strip_prefix('@') {
        let read = fs::File::open(file).and_then(|open| open.take(INPUT + 1).read_to_end(&mut bytes));
        read.map_err(|source| Error::file(file.as_ref(), source))?;
    } else {
        bytes.extend_from_slice(text.as_bytes());
    }
    Ok(packhost_schema::parse(&bytes, packhost_schema::Limits::default())?)
}

fn show(outcome: Outcome, output: Output) -> Result<(), Error> {
    let mut envelope = json!({
        "run": outcome.run.to_string(), "pack": outcome.pack, "revision": outcome.revision,
        "mends": outcome.mends, "usage": outcome.usage, "session": outcome.session,
    });
    let mended = || outcome.mends.iter().for_each(|mend| eprintln!("{NOTE}mended{NOTE:#}: {mend}"));
    let failure = match outcome.result {
        Ok(answer) => {
            envelope["output"] = json!(answer.structured);
            envelope["content"] = answer.content.iter().map(blocks::to_json).collect();
            output.answer(&envelope, || {
                mended();
                text(&answer);
            });
            return Ok(());
        }
        Err(Ended::Failed(failure)) => failure,
        Err(Ended::Asks(question)) => {
            let message = format!("The pack asks \"{}\", and here nobody answers.", question.id);
            Failure::new(ErrorCode::Internal, message)
        }
    };
    envelope["error"] = failure.to_json();
    if output.is_json() {
        output.answer(&envelope, || {});
    } else {
        mended();
        output.failure(&failure);
    }
    Err(Error::Ended(failure.code))
}

/// The answer as data where there is some, else its blocks.
fn text(answer: &Answer) {
    if let Some(value) = &answer.structured {
        println!("{value:#}");
        let more = answer.content.iter().filter(|block| !matches!(block, Block::Text(_))).count();
        if more > 0 {
            eprintln!("{DIM}{more} more that is not text; --json has it{DIM:#}");
        }
        return;
    }
    for block in &answer.content {
        match block {
            Block::Text(text) => println!("{text}"),
            Block::Image { mime_type, data } | Block::Audio { mime_type, data } => {
                println!("{DIM}({mime_type}, {} bytes; --json has them){DIM:#}", data.len());
            }
            Block::Resource { uri, .. } | Block::Link { uri, .. } => println!("{uri}"),
        }
    }
}

/// A person at a terminal.
struct Terminal {
    work: Work,
}

#[async_trait]
impl Client for Terminal {
    fn progress(&self, progress: Progress) {
        if let Some(message) = progress.message {
            self.work.say(message);
        }
    }

    fn log(&self, _: LogLine) {}

    async fn ask(&self, _: Question) -> Reply {
        Reply::Unsupported
    }
}
