//! What a call answers.

use schemars::JsonSchema;
use serde::Serialize;

use crate::bindings::packhost::pack::types;

/// An answer as data, with further content blocks for a person or a model to look at.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// The answer as data.
    pub data: T,
    /// Further content, in the order in which it should be read.
    pub blocks: Vec<Block>,
}

impl<T> Answer<T> {
    /// An answer without further content.
    pub fn new(data: T) -> Self {
        Self { data, blocks: Vec::new() }
    }

    /// Adds a block after those that are there.
    #[must_use]
    pub fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }
}

/// A piece of content beside the structured answer.
#[derive(Debug, Clone)]
pub enum Block {
    /// Text, as Markdown or plain.
    Text(String),
    /// A picture.
    Image {
        /// Such as `image/png`.
        mime_type: String,
        /// The encoded picture.
        data: Vec<u8>,
    },
    /// A sound.
    Audio {
        /// Such as `audio/wav`.
        mime_type: String,
        /// The encoded sound.
        data: Vec<u8>,
    },
    /// Text that travels inside the answer under a URI of its own.
    Document {
        /// The URI under which it is known.
        uri: String,
        /// Such as `text/markdown`.
        mime_type: String,
        /// The text.
        text: String,
    },
    /// Bytes that travel inside the answer under a URI of their own.
    File {
        /// The URI under which they are known.
        uri: String,
        /// Such as `application/zip`.
        mime_type: String,
        /// The bytes.
        data: Vec<u8>,
    },
    /// A pointer to content that the client may fetch later.
    Link {
        /// Where it is.
        uri: String,
        /// A short name for it.
        name: String,
        /// What it is, in a sentence.
        description: Option<String>,
    },
}

impl From<Block> for types::Block {
    fn from(block: Block) -> Self {
        match block {
            Block::Text(text) => Self::Text(text),
            Block::Image { mime_type, data } => Self::Image(types::Blob { mime_type, data }),
            Block::Audio { mime_type, data } => Self::Audio(types::Blob { mime_type, data }),
            Block::Document { uri, mime_type, text } => Self::Resource(types::Resource {
                uri,
                mime_type: Some(mime_type),
                body: types::ResourceBody::Text(text),
            }),
            Block::File { uri, mime_type, data } => Self::Resource(types::Resource {
                uri,
                mime_type: Some(mime_type),
                body: types::ResourceBody::Binary(data),
            }),
            Block::Link { uri, name, description } => {
                Self::Link(types::Link { uri, name, title: None, description, mime_type: None, size: None })
            }
        }
    }
}

/// What a pack's function may return: its output, or an [`Answer`] around it.
pub trait Reply {
    /// The structured part.
    type Data: Serialize + JsonSchema;

    /// The reply as an answer.
    fn into_answer(self) -> Answer<Self::Data>;
}

impl<T: Serialize + JsonSchema> Reply for T {
    type Data = T;

    fn into_answer(self) -> Answer<T> {
        Answer::new(self)
    }
}

impl<T: Serialize + JsonSchema> Reply for Answer<T> {
    type Data = T;

    fn into_answer(self) -> Self {
        self
    }
}
