//! What leaves a call, without the credentials that it has used. A pack is given no value; this is for what a server may have
//! taught it in a spelling that egress does not know.

use std::sync::Arc;

use async_trait::async_trait;
use packhost_core::Failure;
use packhost_egress::{Redactor, Used};
use serde_json::Value;

use crate::call::{Answer, Asked, Block, Client, Ended, LogLine, Progress, Question, Reply, ResourceBody};

/// The one who asked, as a call may speak to it.
pub(super) struct Redacted {
    client: Arc<dyn Client>,
    used: Used,
}

impl Redacted {
    pub(super) fn client(client: &Arc<dyn Client>, used: &Used) -> Arc<dyn Client> {
        Arc::new(Self { client: Arc::clone(client), used: used.clone() })
    }
}

#[async_trait]
impl Client for Redacted {
    fn progress(&self, mut progress: Progress) {
        if let (Some(message), Some(redactor)) = (&mut progress.message, self.used.redactor()) {
            text(&redactor, message);
        }
        self.client.progress(progress);
    }

    fn log(&self, line: LogLine) {
        self.client.log(line);
    }

    async fn ask(&self, question: Question) -> Reply {
        let question = match self.used.redactor() {
            Some(redactor) => asked(&redactor, question),
            None => question,
        };
        self.client.ask(question).await
    }
}

/// A line of the call's log, for the client and for the operator's.
pub(super) fn line(used: &Used, mut line: LogLine) -> LogLine {
    if let Some(redactor) = used.redactor() {
        text(&redactor, &mut line.context);
        text(&redactor, &mut line.message);
    }
    line
}

/// What came of the call.
pub(super) fn result(used: &Used, result: Result<Answer, Ended>) -> Result<Answer, Ended> {
    let Some(redactor) = used.redactor() else { return result };
    match result {
        Ok(mut answer) => {
            json(&redactor, &mut answer.structured);
            answer.content.iter_mut().for_each(|one| block(&redactor, one));
            Ok(answer)
        }
        Err(Ended::Failed(failure)) => Err(Ended::Failed(failed(&redactor, failure))),
        Err(Ended::Asks(question)) => Err(Ended::Asks(Box::new(asked(&redactor, *question)))),
    }
}

fn text(redactor: &Redactor, text: &mut String) {
    if let std::borrow::Cow::Owned(clean) = redactor.text(text) {
        *text = clean;
    }
}

fn bytes(redactor: &Redactor, bytes: &mut Vec<u8>) {
    if let std::borrow::Cow::Owned(clean) = redactor.bytes(bytes) {
        *bytes = clean;
    }
}

fn texts<'a>(redactor: &Redactor, all: impl IntoIterator<Item = &'a mut Option<String>>) {
    all.into_iter().flatten().for_each(|one| text(redactor, one));
}

fn json(redactor: &Redactor, value: &mut Option<Value>) {
    if let Some(value) = value {
        redactor.json(value);
    }
}

fn failed(redactor: &Redactor, mut failure: Failure) -> Failure {
    text(redactor, &mut failure.message);
    let advice = &mut *failure.advice;
    texts(
        redactor,
        [&mut advice.pointer, &mut advice.expected, &mut advice.got, &mut advice.fix, &mut failure.cause],
    );
    json(redactor, &mut advice.example);
    json(redactor, &mut advice.details);
    failure
}

fn asked(redactor: &Redactor, mut question: Question) -> Question {
    text(redactor, &mut question.id);
    match &mut question.body {
        Asked::User { message, schema } => {
            text(redactor, message);
            redactor.json(schema);
        }
        Asked::Model { text: prompt, .. } => text(redactor, prompt),
    }
    question
}

fn block(redactor: &Redactor, block: &mut Block) {
    match block {
        Block::Text(one) => text(redactor, one),
        Block::Image { mime_type, data } | Block::Audio { mime_type, data } => {
            text(redactor, mime_type);
            bytes(redactor, data);
        }
        Block::Resource { uri, mime_type, body } => {
            text(redactor, uri);
            texts(redactor, [mime_type]);
            match body {
                ResourceBody::Text(one) => text(redactor, one),
                ResourceBody::Binary(data) => bytes(redactor, data),
            }
        }
        Block::Link { uri, name, title, description, mime_type, .. } => {
            text(redactor, uri);
            text(redactor, name);
            texts(redactor, [title, description, mime_type]);
        }
    }
}
