//! What a door hands to [`Engine::dispatch`](crate::Engine::dispatch), and what it gets back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use packhost_artifacts::Artifact;
use packhost_core::{Caller, Failure, Identity, PackName, RunId};
use packhost_schema::Mend;
use serde::Serialize;
use serde_json::Value;

use crate::peer::Peer;
use crate::session::SessionUse;

/// One call as it comes through a door: who, what, with which input, and how to reach the one who asked.
pub struct Call {
    /// The identity of this call.
    pub run: RunId,
    /// On whose behalf it runs, as the door has proved it.
    pub identity: Identity,
    /// Which door it came through, for the record.
    pub door: Door,
    /// What is known of the one who called.
    pub peer: Peer,
    /// The pack, by its own name or by the name that MCP clients see (`http.fetch` or `http_fetch`).
    pub pack: String,
    /// The input as it was sent.
    pub input: Value,
    /// The one who asked, while the call runs.
    pub client: Arc<dyn Client>,
}

impl Call {
    /// On whose behalf it runs.
    pub fn caller(&self) -> &Caller {
        &self.identity.caller
    }
}

/// A front door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// MCP over stdio.
    Stdio,
    /// MCP over streamable HTTP.
    Http,
    /// The HTTP API.
    Api,
    /// The command line.
    Cli,
}

impl Door {
    /// Its word on the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
            Self::Api => "api",
            Self::Cli => "cli",
        }
    }
}

/// The one who asked, while the call runs. Every method may be called from a guest thread and must not block.
#[async_trait]
pub trait Client: Send + Sync {
    /// How far the call has come. Called at a bounded rate.
    fn progress(&self, progress: Progress);

    /// A log line of the pack, for clients that asked for them.
    fn log(&self, line: LogLine);

    /// A question to the agent's user or model.
    async fn ask(&self, question: Question) -> Reply;
}

/// A client that wants no progress and no logs, and cannot be asked.
pub struct Nobody;

#[async_trait]
impl Client for Nobody {
    fn progress(&self, _: Progress) {}

    fn log(&self, _: LogLine) {}

    async fn ask(&self, _: Question) -> Reply {
        Reply::Unsupported
    }
}

/// How far a call has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Grows.
    pub done: f64,
    /// In the same unit as `done`.
    pub total: Option<f64>,
    /// For people.
    pub message: Option<String>,
}

/// A log line of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// The part of the pack that speaks; may be empty.
    pub context: String,
    /// What it says.
    pub message: String,
}

/// How much a log line matters, as `wasi:logging` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// For the pack's author.
    Debug,
    /// Worth knowing.
    Info,
    /// Odd, but the call goes on.
    Warn,
    /// Something failed.
    Error,
    /// The call cannot go on.
    Critical,
}

/// A question to the agent's side. `id` is the same when the call is run again with the answers it has had.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Names the question within the call, 1 to 64 bytes.
    pub id: String,
    /// Who is asked what.
    pub body: Asked,
}

/// Who is asked what.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// The person who uses the agent.
    User {
        /// In a sentence.
        message: String,
        /// JSON Schema of a flat object.
        schema: Value,
    },
    /// The model that the client offers.
    Model {
        /// The prompt.
        text: String,
        /// The most that it may answer, in tokens.
        max_tokens: u32,
    },
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The person's answer: an object that should match the question's schema.
    Accepted(Value),
    /// The model's answer.
    Text(String),
    /// The person said no.
    Declined,
    /// The person closed the question.
    Cancelled,
    /// This client cannot be asked.
    Unsupported,
    /// The client was asked and did not answer as it should.
    Failed,
    /// The client answers only by calling again: the call ends with [`Ended::Asks`].
    Suspend,
}

/// What the address of an artifact begins with; its id follows.
pub const ARTIFACTS: &str = "packhost://artifacts/";

/// What came of a call.
#[derive(Debug)]
pub struct Outcome {
    /// Which call.
    pub run: RunId,
    /// The pack that was meant, where there is one.
    pub pack: Option<PackName>,
    /// The answer, or why there is none.
    pub result: Result<Answer, Ended>,
    /// What was mended in the input before the pack saw it.
    pub mends: Vec<Mend>,
    /// The manifest's revision that the call started under.
    pub revision: String,
    /// The sandbox that it had, where it had one.
    pub session: Option<SessionUse>,
    /// What it has made.
    pub artifacts: Vec<Artifact>,
    /// What the call used.
    pub usage: Usage,
}

/// Why a call ended without an answer.
#[derive(Debug)]
pub enum Ended {
    /// With one of the closed set of errors.
    Failed(Failure),
    /// It waits for the client, which answers by calling again.
    Asks(Box<Question>),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What a pack answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// The answer as data.
    pub structured: Option<Value>,
    /// Content for a person or a model. Never empty at a door: without blocks of the pack's own it is the
    /// structured answer as text.
    pub content: Vec<Block>,
}

/// A content block.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Text.
    Text(String),
    /// An image.
    Image {
        /// Media type.
        mime_type: String,
        /// The bytes.
        data: Vec<u8>,
    },
    /// Sound.
    Audio {
        /// Media type.
        mime_type: String,
        /// The bytes.
        data: Vec<u8>,
    },
    /// Content under a URI of its own.
    Resource {
        /// Its URI.
        uri: String,
        /// Media type.
        mime_type: Option<String>,
        /// The content.
        body: ResourceBody,
    },
    /// A pointer to content.
    Link {
        /// Its URI.
        uri: String,
        /// A short name.
        name: String,
        /// For people.
        title: Option<String>,
        /// For people.
        description: Option<String>,
        /// Media type.
        mime_type: Option<String>,
        /// In bytes.
        size: Option<u64>,
    },
}

/// The content of an embedded resource.
#[derive(Debug, Clone, PartialEq)]
pub enum ResourceBody {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// What a call used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Time spent waiting for a place.
    #[serde(rename = "queued_us", serialize_with = "micros")]
    pub queued: Duration,
    /// Time from taking the component to the end of the guest.
    #[serde(rename = "ran_us", serialize_with = "micros")]
    pub ran: Duration,
    /// The most linear memory that was in use, in bytes.
    pub memory: u64,
    /// Outgoing requests made.
    pub requests: u64,
}

fn micros<S: serde::Serializer>(time: &Duration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
