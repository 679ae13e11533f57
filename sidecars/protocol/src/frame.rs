//! Frames: a kind, a length, and that many bytes.
//!
//! A frame is one byte of [`Kind`], the length as three bytes in network order, and the payload. The length is checked
//! against the kind's bound before a byte of the payload is read.

use minicbor::{Decode, Encode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::limits;

/// What is in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A message: CBOR (RFC 8949).
    Message = 0,
    /// Standard input of a program, or the bytes of a file.
    Input = 1,
    /// Standard output of a program, or the bytes of a file.
    Output = 2,
    /// Standard error of a program.
    Error = 3,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Message, Self::Input, Self::Output, Self::Error].into_iter().find(|kind| *kind as u8 == byte)
    }

    /// The most bytes that a frame of this kind may have.
    pub fn limit(self) -> usize {
        match self {
            Self::Message => limits::MESSAGE,
            Self::Input | Self::Output | Self::Error => limits::DATA,
        }
    }
}

/// A frame that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What is in it.
    pub kind: Kind,
    /// The payload, at most [`Kind::limit`] bytes.
    pub payload: Vec<u8>,
}

/// What is wrong with what the other side sent, or with the stream.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream broke.
    #[error("the stream broke: {0}")]
    Broken(#[from] std::io::Error),
    /// The stream ended in the middle of a frame.
    #[error("the stream ended in the middle of a frame")]
    Cut,
    /// There is no such kind.
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    /// The frame is larger than one of its kind may be.
    #[error("a frame of {length} bytes, where {limit} are the most")]
    TooLong {
        /// What it says.
        length: usize,
        /// What its kind allows.
        limit: usize,
    },
    /// The message is none that is known here.
    #[error("a message that cannot be read: {0}")]
    Message(#[from] minicbor::decode::Error),
    /// The frame is of another kind than comes here.
    #[error("a frame of kind {0:?} where another one belongs")]
    Unexpected(Kind),
}

/// The frames of one exchange, both ways.
#[derive(Debug)]
pub struct Frames<S> {
    stream: S,
}

const HEAD: usize = 4;

impl<S> Frames<S> {
    /// Frames on this stream.
    pub fn new(stream: S) -> Self {
        Self { stream }
    }

    /// The stream itself, for what follows without frames.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// The stream itself.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

impl<S: AsyncRead + Unpin> Frames<S> {
    /// The next frame; `None` at the end of the stream between two frames. Not cancel-safe: a read that is dropped may
    /// leave the stream in the middle of a frame.
    ///
    /// # Errors
    ///
    /// Any [`FrameError`] but [`FrameError::Message`].
    pub async fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let mut head = [0; HEAD];
        if self.stream.read(&mut head[..1]).await? == 0 {
            return Ok(None);
        }
        self.exactly(&mut head[1..]).await?;
        let [kind, length @ ..] = head;
        let kind = Kind::of(kind).ok_or(FrameError::Kind(kind))?;
        let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        if length > kind.limit() {
            return Err(FrameError::TooLong { length, limit: kind.limit() });
        }
        let mut payload = vec![0; length];
        self.exactly(&mut payload).await?;
        Ok(Some(Frame { kind, payload }))
    }

    /// The next frame, which has to be a message.
    ///
    /// # Errors
    ///
    /// Any [`FrameError`]; the end of the stream is [`FrameError::Cut`].
    pub async fn message<M: for<'b> Decode<'b, ()>>(&mut self) -> Result<M, FrameError> {
        let frame = self.next().await?.ok_or(FrameError::Cut)?;
        frame.message()
    }

    async fn exactly(&mut self, buffer: &mut [u8]) -> Result<(), FrameError> {
        match self.stream.read_exact(buffer).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(FrameError::Cut),
            Err(error) => Err(error.into()),
        }
    }
}

impl Frame {
    /// The message in this frame.
    ///
    /// # Errors
    ///
    /// [`FrameError::Unexpected`] for a frame of data and [`FrameError::Message`] for what cannot be read.
    pub fn message<M: for<'b> Decode<'b, ()>>(&self) -> Result<M, FrameError> {
        match self.kind {
            Kind::Message => Ok(minicbor::decode(&self.payload)?),
            kind => Err(FrameError::Unexpected(kind)),
        }
    }
}

impl<S: AsyncWrite + Unpin> Frames<S> {
    /// Writes a message. Nothing is held back: what is written is on its way.
    ///
    /// # Errors
    ///
    /// [`FrameError::TooLong`] for a message that the other side would refuse, and [`FrameError::Broken`].
    pub async fn say<M: Encode<()>>(&mut self, message: &M) -> Result<(), FrameError> {
        let mut payload = Vec::with_capacity(64);
        // Writing into a vector cannot fail, and no message of ours has an encoder that does.
        let _ = minicbor::encode(message, &mut payload);
        self.write(Kind::Message, &payload).await
    }

    /// Writes data, in as many frames as it takes. No data, no frame.
    ///
    /// # Errors
    ///
    /// [`FrameError::Broken`].
    pub async fn data(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), FrameError> {
        for piece in bytes.chunks(limits::DATA) {
            self.write(kind, piece).await?;
        }
        Ok(())
    }

    async fn write(&mut self, kind: Kind, payload: &[u8]) -> Result<(), FrameError> {
        let (length, limit) = (payload.len(), kind.limit());
        if length > limit {
            return Err(FrameError::TooLong { length, limit });
        }
        let mut frame = Vec::with_capacity(HEAD + length);
        frame.push(kind as u8);
        frame.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()[1..]);
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).await?;
        Ok(self.stream.flush().await?)
    }
}
