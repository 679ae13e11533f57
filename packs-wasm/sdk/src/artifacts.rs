//! What a call makes and its caller keeps, for what is too large for an answer, where the manifest grants `artifacts`.

pub use crate::bindings::packhost::pack::artifacts::Made;
use crate::bindings::packhost::pack::artifacts::{self, ArtifactError, ErrorCode};

use crate::Error;

/// An artifact that is being written. Dropped without [`finish`](Self::finish) it is nothing.
#[derive(Debug)]
pub struct Writer(artifacts::Writer);

impl Writer {
    /// Begins one. `name` is a label for people, such as `report.pdf`; `media_type` is RFC 6838's.
    ///
    /// # Errors
    ///
    /// Where it is not granted, a limit is reached, or one of both is none.
    pub fn new(name: &str, media_type: &str) -> Result<Self, Error> {
        artifacts::create(name, media_type).map(Self).map_err(refusal)
    }

    /// Takes the next bytes, in pieces of any size.
    ///
    /// # Errors
    ///
    /// Where a limit is reached.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        /// What crosses into the host at once.
        const PIECE: usize = 1 << 20;
        bytes.chunks(PIECE).try_for_each(|piece| self.0.write(piece)).map_err(refusal)
    }

    /// Keeps it. The host adds a link to it to the answer.
    ///
    /// # Errors
    ///
    /// Where a limit is reached, or the host cannot keep it.
    pub fn finish(self) -> Result<Made, Error> {
        artifacts::Writer::finish(self.0).map_err(refusal)
    }
}

/// Keeps some bytes.
///
/// # Errors
///
/// As [`Writer`].
pub fn keep(name: &str, media_type: &str, bytes: &[u8]) -> Result<Made, Error> {
    let writer = Writer::new(name, media_type)?;
    writer.write(bytes)?;
    writer.finish()
}

fn refusal(error: ArtifactError) -> Error {
    match error.code {
        ErrorCode::Denied => Error::denied(error.message),
        ErrorCode::Exhausted => Error::resource_exhausted(error.message),
        ErrorCode::Invalid => Error::invalid_input(error.message),
        ErrorCode::Failed => Error::failed(error.message),
    }
}
