//! `packhost:pack/ask`: questions to the agent's user or model, for packs that the manifest lets ask.

use std::sync::Arc;
use std::time::Duration;

use packhost_manifest::Entry;
use packhost_package::Outline;
use serde_json::Value;
use wasmtime::component::{HasSelf, Linker};

use super::Granted;
use super::bindings::ask::{self, Answer, AskError, Host};
use crate::call::{Asked, Client, Question, Reply};
use crate::runtime::{Guest, Stop};

/// Questions that one call may ask.
const QUESTIONS: u32 = 16;
/// Bytes of one question, with its schema.
const QUESTION: usize = 16 << 10;
/// How long an answer may take. A person is slow, so the call's own time stands still meanwhile.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    ask::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

pub(super) fn unmet(outline: &Outline, entry: &Entry) -> Option<String> {
    let granted = entry.ask.user || entry.ask.model;
    (super::imports(outline, "packhost:pack/ask") && !granted)
        .then(|| "it asks questions (packhost:pack/ask) and its entry has no \"ask\"".into())
}

pub(super) fn build(granted: &Granted<'_>) -> Ask {
    let grants = &granted.grants.ask;
    Ask {
        client: Arc::clone(granted.client),
        user: grants.user,
        model: grants.model,
        left: QUESTIONS,
        stop: Arc::clone(granted.stop),
        suspended: None,
    }
}

/// The questions of one call.
pub(crate) struct Ask {
    client: Arc<dyn Client>,
    user: bool,
    model: bool,
    left: u32,
    stop: Arc<Stop>,
    /// The question that the call waits for, if it ended because of one.
    pub(crate) suspended: Option<Box<Question>>,
}

/// Ends the guest: the client answers by calling again.
#[derive(Debug, thiserror::Error)]
#[error("suspended until the client has answered")]
struct Suspended;

impl Ask {
    /// Whether one more question of this kind and size may be asked; nothing of it was looked at before this.
    fn take(&mut self, granted: bool, id: &str, bytes: usize) -> Result<(), AskError> {
        if !granted {
            return Err(AskError::Denied);
        }
        if self.left == 0 || bytes > QUESTION || id.is_empty() || id.len() > 64 {
            return Err(AskError::Failed);
        }
        self.left -= 1;
        Ok(())
    }

    async fn put(&mut self, question: Question) -> wasmtime::Result<Result<Reply, AskError>> {
        let reply = {
            let _paused = self.stop.pause();
            tokio::time::timeout(PATIENCE, self.client.ask(question.clone())).await
        };
        match reply.unwrap_or(Reply::Failed) {
            Reply::Suspend => {
                self.suspended = Some(Box::new(question));
                Err(Suspended.into())
            }
            Reply::Unsupported => Ok(Err(AskError::Unsupported)),
            Reply::Failed => Ok(Err(AskError::Failed)),
            reply => Ok(Ok(reply)),
        }
    }
}

impl Host for Guest {
    async fn user(&mut self, question: ask::Question) -> wasmtime::Result<Result<Answer, AskError>> {
        let bytes = question.message.len() + question.schema.len();
        if let Err(error) = self.ask.take(self.ask.user, &question.id, bytes) {
            return Ok(Err(error));
        }
        let Ok(schema) = serde_json::from_str::<Value>(&question.schema) else {
            return Ok(Err(AskError::Failed));
        };
        let body = Asked::User { message: question.message, schema };
        let reply = self.ask.put(Question { id: question.id, body }).await?;
        Ok(reply.and_then(|reply| match reply {
            Reply::Accepted(value) => Ok(Answer::Accepted(value.to_string())),
            Reply::Declined => Ok(Answer::Declined),
            Reply::Cancelled => Ok(Answer::Cancelled),
            _ => Err(AskError::Failed),
        }))
    }

    async fn model(&mut self, prompt: ask::Prompt) -> wasmtime::Result<Result<String, AskError>> {
        if let Err(error) = self.ask.take(self.ask.model, &prompt.id, prompt.text.len()) {
            return Ok(Err(error));
        }
        let body = Asked::Model { text: prompt.text, max_tokens: prompt.max_tokens };
        let reply = self.ask.put(Question { id: prompt.id, body }).await?;
        Ok(reply.and_then(|reply| match reply {
            Reply::Text(text) => Ok(text),
            _ => Err(AskError::Failed),
        }))
    }
}
