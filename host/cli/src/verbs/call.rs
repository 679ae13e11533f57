//! `packhost call`: one call, without a server.

use std::fs;
use std::io::Read;
use std::sync::Arc;

use anstream::{eprintln, println};
use async_trait::async_trait;
use indicatif::ProgressBar;
use packhost_core::{Caller, ErrorCode, Failure, RunId};
use packhost_engine::{
    Answer, Block, Call, Client, Door, Ended, LogLine, Outcome, Progress, Question, Reply,
};
use packhost_schema::Mend;
use serde::Serialize;
use serde_json::Value;

use crate::args::{Call as Args, Global};
use crate::exit::Error;
use crate::host::{Prepared, prepare};
use crate::output::{DIM, NOTE, Output};

/// The largest input, in bytes.
const INPUT: u64 = 4 << 20;

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let input = input(&args.input)?;
    let prepared = prepare(global, None, None)?;
    let runtime = Prepared::runtime()?;
    let outcome = runtime.block_on(async {
        let engine = prepared.start().await?;
        let client = Arc::new(Terminal { bar: output.spinner("running") });
        let call = Call {
            run: RunId::fresh(),
            caller: Caller::local(),
            door: Door::Cli,
            pack: args.pack.clone(),
            input,
            client: client.clone(),
        };
        let outcome = tokio::select! {
            outcome = engine.dispatch(call) => Ok(outcome),
            _ = tokio::signal::ctrl_c() => Err(Error::Call(Failure::new(ErrorCode::Cancelled, "Cancelled."))),
        };
        client.bar.finish_and_clear();
        outcome
    });
    runtime.shutdown_background();
    show(outcome?, output)
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

#[derive(Serialize)]
struct Shown<'a> {
    run: String,
    pack: Option<&'a str>,
    output: &'a Option<Value>,
    #[serde(skip_serializing_if = "<[Mend]>::is_empty")]
    mends: &'a [Mend],
    revision: &'a str,
    usage: packhost_engine::Usage,
}

fn show(outcome: Outcome, output: Output) -> Result<(), Error> {
    let answer = match outcome.result {
        Ok(answer) => answer,
        Err(Ended::Failed(failure)) => return Err(failure.into()),
        Err(Ended::Asks(question)) => {
            return Err(Error::failed(format!("the pack asks \"{}\"", question.id)));
        }
    };
    let shown = Shown {
        run: outcome.run.to_string(),
        pack: outcome.pack.as_ref().map(packhost_core::PackName::as_str),
        output: &answer.structured,
        mends: &outcome.mends,
        revision: &outcome.revision,
        usage: outcome.usage,
    };
    output.answer(&shown, || {
        for mend in &outcome.mends {
            eprintln!("{NOTE}mended{NOTE:#}: {mend}");
        }
        text(&answer);
    });
    Ok(())
}

fn text(answer: &Answer) {
    if let Some(value) = &answer.structured {
        println!("{value:#}");
        return;
    }
    for block in &answer.content {
        match block {
            Block::Text(text) => println!("{text}"),
            Block::Image { mime_type, data } | Block::Audio { mime_type, data } => {
                println!("{DIM}({mime_type}, {} bytes){DIM:#}", data.len());
            }
            Block::Resource { uri, .. } | Block::Link { uri, .. } => println!("{uri}"),
        }
    }
}

/// A person at a terminal.
struct Terminal {
    bar: ProgressBar,
}

#[async_trait]
impl Client for Terminal {
    fn progress(&self, progress: Progress) {
        if let Some(message) = progress.message {
            self.bar.set_message(message);
        }
    }

    fn log(&self, _: LogLine) {}

    async fn ask(&self, _: Question) -> Reply {
        Reply::Unsupported
    }
}
