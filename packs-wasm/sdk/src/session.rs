//! Programs outside the component, in the call's own sandbox, where the manifest grants `session`.

use std::time::Duration;

use crate::bindings::packhost::pack::session::{self, ErrorCode, SessionError};
pub use crate::bindings::packhost::pack::session::{Captured, Entry, EntryKind, Finished};

use crate::Error;

/// A program to run.
#[derive(Debug, Clone)]
pub struct Command(session::Command);

impl Command {
    /// Bytes of each output that are kept unless something else is said.
    pub const MAX_OUTPUT: u32 = 256 << 10;

    /// This program, found in `PATH` where its name has no slash, without arguments.
    pub fn new(program: impl Into<String>) -> Self {
        Self(session::Command {
            argv: vec![program.into()],
            env: Vec::new(),
            cwd: None,
            stdin: Vec::new(),
            timeout_ms: None,
            max_output: Self::MAX_OUTPUT,
        })
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.0.argv.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable besides those that the manifest sets.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.env.push((name.into(), value.into()));
        self
    }

    /// Sets where it runs: an absolute path inside.
    #[must_use]
    pub fn cwd(mut self, dir: impl Into<String>) -> Self {
        self.0.cwd = Some(dir.into());
        self
    }

    /// Sets what it reads on standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.stdin = bytes.into();
        self
    }

    /// Sets after how long it is killed with all that it started.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.0.timeout_ms = Some(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Sets how many bytes of each output are kept, at most 16 MiB.
    #[must_use]
    pub fn max_output(mut self, bytes: u32) -> Self {
        self.0.max_output = bytes;
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    ///
    /// Where it could not be started. One that ran and failed is none: look at how it [`Finished`].
    pub fn run(&self) -> Result<Finished, Error> {
        session::run(&self.0).map_err(refusal)
    }
}

/// Reads at most `most` bytes from the start of a file of the sandbox, by its absolute path.
///
/// # Errors
///
/// `not-found` and the like.
pub fn read(path: &str, most: u32) -> Result<Captured, Error> {
    session::read(path, most).map_err(refusal)
}

/// Writes a file of the sandbox, by its absolute path, with directories above it that are missing.
///
/// # Errors
///
/// `denied` and the like.
pub fn write(path: &str, data: &[u8], executable: bool) -> Result<(), Error> {
    session::write(path, data, executable).map_err(refusal)
}

/// What is below a directory of the sandbox, down to `depth` levels.
///
/// # Errors
///
/// `not-found` and the like.
pub fn entries(path: &str, depth: u32, most: u32) -> Result<Vec<Entry>, Error> {
    session::entries(path, depth, most).map_err(refusal)
}

fn refusal(error: SessionError) -> Error {
    let SessionError { code, message } = error;
    match code {
        ErrorCode::Denied => Error::denied(message),
        ErrorCode::NotFound => Error::not_found(message),
        ErrorCode::Exhausted => Error::resource_exhausted(message),
        ErrorCode::Invalid => Error::invalid_input(message),
        ErrorCode::Unavailable | ErrorCode::Failed => Error::failed(message),
    }
}
