//! What came of a call, as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhost_artifacts::Artifact;
use packhost_core::RunId;
use packhost_engine::{Answer, Block, ResourceBody, SessionUse, Usage};
use packhost_schema::Mend;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::artifacts::ArtifactAbout;

/// The answer of a call.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CallResult {
    /// Which call it was.
    run: String,
    /// The answer as data, as the pack's output schema describes it. Absent where the pack answers with content alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Value>,
    /// The answer for a person or a model. Never empty.
    content: Vec<Content>,
    /// What was mended in the input before the pack saw it.
    mends: Vec<Mended>,
    /// The manifest's revision that the call ran under.
    revision: String,
    /// What the call used.
    usage: Used,
    /// The sandbox that it had, where it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Value>,
    /// What it has made, to be fetched below `/v1/artifacts`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    artifacts: Vec<ArtifactAbout>,
}

/// A part of an answer.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Content {
    /// Text.
    Text { text: String },
    /// An image, in base64 (RFC 4648 section 4).
    Image { mime_type: String, data: String },
    /// Sound, in base64.
    Audio { mime_type: String, data: String },
    /// Content under a URI of its own: `text`, or `data` in base64.
    Resource {
        uri: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        mime_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<String>,
    },
    /// A pointer to content.
    Link {
        uri: String,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        mime_type: Option<String>,
        /// In bytes.
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
    },
}

/// Something in the input that could only mean one thing, and was read as that.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Mended {
    /// Where, as a JSON pointer (RFC 6901) into the input.
    pointer: String,
    /// What was done, such as `from_string`.
    kind: Value,
    /// What was sent, long values shortened.
    from: Value,
    /// What it was read as, long values shortened.
    to: Value,
}

/// What a call used.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Used {
    /// Microseconds spent waiting for a place.
    queued_us: u64,
    /// Microseconds that it ran.
    ran_us: u64,
    /// The most linear memory that was in use, in bytes.
    memory: u64,
    /// Outgoing requests made.
    requests: u64,
}

impl From<&Mend> for Mended {
    fn from(mend: &Mend) -> Self {
        Self {
            pointer: mend.pointer.clone(),
            kind: json!(mend.kind),
            from: mend.from.clone(),
            to: mend.to.clone(),
        }
    }
}

impl From<Usage> for Used {
    fn from(usage: Usage) -> Self {
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            queued_us: micros(usage.queued),
            ran_us: micros(usage.ran),
            memory: usage.memory,
            requests: usage.requests,
        }
    }
}

impl From<Block> for Content {
    fn from(block: Block) -> Self {
        match block {
            Block::Text(text) => Self::Text { text },
            Block::Image { mime_type, data } => Self::Image { mime_type, data: STANDARD.encode(data) },
            Block::Audio { mime_type, data } => Self::Audio { mime_type, data: STANDARD.encode(data) },
            Block::Resource { uri, mime_type, body } => {
                let (text, data) = match body {
                    ResourceBody::Text(text) => (Some(text), None),
                    ResourceBody::Binary(bytes) => (None, Some(STANDARD.encode(bytes))),
                };
                Self::Resource { uri, mime_type, text, data }
            }
            Block::Link { uri, name, title, description, mime_type, size } => {
                Self::Link { uri, name, title, description, mime_type, size }
            }
        }
    }
}

impl CallResult {
    pub(crate) fn new(
        run: RunId,
        answer: Answer,
        mends: &[Mend],
        revision: String,
        usage: Usage,
        session: Option<&SessionUse>,
        artifacts: Vec<Artifact>,
    ) -> Self {
        Self {
            run: run.to_string(),
            output: answer.structured,
            content: answer.content.into_iter().map(Content::from).collect(),
            mends: mends.iter().map(Mended::from).collect(),
            revision,
            usage: usage.into(),
            session: session.map(|session| json!(session)),
            artifacts: artifacts.into_iter().map(ArtifactAbout::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(block: Block) -> Value {
        serde_json::to_value(Content::from(block)).expect("content is JSON")
    }

    #[test]
    fn every_block_says_what_it_is_and_no_more_than_it_has() {
        assert_eq!(wire(Block::Text("hi".into())), json!({"type": "text", "text": "hi"}));
        let image = Block::Image { mime_type: "image/png".into(), data: vec![0xff, 0xfe] };
        assert_eq!(wire(image), json!({"type": "image", "mime_type": "image/png", "data": "//4="}));
        let resource =
            Block::Resource { uri: "test://a".into(), mime_type: None, body: ResourceBody::Binary(vec![0]) };
        assert_eq!(wire(resource), json!({"type": "resource", "uri": "test://a", "data": "AA=="}));
        let link = Block::Link {
            uri: "file:///a".into(),
            name: "a".into(),
            title: None,
            description: None,
            mime_type: None,
            size: Some(7),
        };
        assert_eq!(wire(link), json!({"type": "link", "uri": "file:///a", "name": "a", "size": 7}));
    }
}
