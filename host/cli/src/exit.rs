//! How the process ends: exit codes, and errors as sentences.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use packhost_core::Failure;
use packhost_manifest::Diagnostics;

use crate::output::Output;

/// Why a verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A call ended with one of the closed set.
    #[error(transparent)]
    Call(#[from] Failure),
    /// The manifest has errors.
    #[error(transparent)]
    Manifest(#[from] Diagnostics),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Everything else, as a sentence.
    #[error("{0}")]
    Failed(String),
    /// It was said already.
    #[error("")]
    Said,
}

impl Error {
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.display().to_string(), source }
    }

    pub(crate) fn failed(sentence: impl Into<String>) -> Self {
        Self::Failed(sentence.into())
    }
}

/// 0 for done, a code of the closed set for a call that failed, 1 for everything else. Wrong command lines end
/// with 2 before this.
pub(crate) fn code(done: Result<(), Error>, output: Output) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    match &error {
        Error::Call(failure) => output.failure(failure),
        Error::Manifest(diagnostics) => output.diagnostics(diagnostics),
        Error::Said => {}
        Error::File { .. } | Error::Failed(_) => output.error(&error.to_string()),
    }
    match error {
        Error::Call(failure) => ExitCode::from(failure.code.exit()),
        _ => ExitCode::FAILURE,
    }
}
