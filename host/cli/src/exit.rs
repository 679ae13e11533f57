//! How the process ends: exit codes, and errors as sentences.

use std::env;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use packhost_audit::AuditError;
use packhost_core::{ErrorCode, Failure};
use packhost_manifest::Diagnostics;
use packhost_state::StateError;
use packhost_vault::VaultError;

use crate::output::Output;

/// The status of a process that was interrupted, as shells have it: 128 and the number of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why a verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// One of the closed set.
    #[error(transparent)]
    Call(#[from] Failure),
    /// A call ended with one of the closed set, and that was said already.
    #[error("")]
    Ended(ErrorCode),
    /// The manifest has errors.
    #[error(transparent)]
    Manifest(#[from] Diagnostics),
    /// The manifest would give packs what is the host's own; a line each.
    #[error("{0}")]
    Exposed(String),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The vault or its database, for another reason than what somebody asked for.
    #[error(transparent)]
    Vault(VaultError),
    /// The record cannot be written or read.
    #[error("the record: {0}")]
    Record(#[from] AuditError),
    /// What an operator wanted to do cannot be put on record, and so was not done.
    #[error("nothing was done, because it cannot be put on record: {0}")]
    Unrecorded(AuditError),
    /// Everything else, as a sentence.
    #[error("{0}")]
    Failed(String),
    /// A program that was run on somebody's behalf ended with this, and has said why.
    #[error("")]
    Exited(u8),
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
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

    /// What programs tell errors of commands apart by; none of these is in the closed set of calls.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Call(failure) => failure.code.as_str(),
            Self::Ended(code) => code.as_str(),
            Self::Manifest(_) | Self::Exposed(_) => "manifest_invalid",
            Self::File { .. } => "file_failed",
            Self::Vault(VaultError::State(_)) => "state_failed",
            Self::Vault(_) => "vault_failed",
            Self::Record(_) | Self::Unrecorded(_) => "record_failed",
            Self::Interrupted => "interrupted",
            Self::Failed(_) | Self::Said | Self::Exited(_) => "command_failed",
        }
    }
}

impl From<VaultError> for Error {
    /// What somebody asked for in vain is one of the closed set, as it is of `call` and `packs show`.
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::NotFound(name) => {
                Failure::new(ErrorCode::NotFound, format!("There is no credential {name}."))
                    .fix("`packhost vault list` has them all.")
                    .into()
            }
            VaultError::Secret(_)
            | VaultError::Binding(_)
            | VaultError::Taken(_)
            | VaultError::Unfit { .. } => {
                Failure::new(ErrorCode::InvalidInput, sentence(&error.to_string())).into()
            }
            VaultError::Unbound { .. } => {
                Failure::new(ErrorCode::CredentialDenied, sentence(&error.to_string())).into()
            }
            error => Self::Vault(error),
        }
    }
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        Self::Vault(error.into())
    }
}

/// With a capital, and a full stop where there is no question mark.
pub(crate) fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(letters).chain((!words.ends_with('?')).then_some('.')).collect()
}

/// 0 for done, a code of the closed set for a call that failed, 1 for everything else. Wrong command lines end
/// with 2 before this.
pub(crate) fn code(done: Result<(), Error>, output: Output) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    match &error {
        Error::Call(failure) => output.failure(failure),
        Error::Manifest(diagnostics) => output.diagnostics(error.code(), diagnostics),
        Error::Said | Error::Ended(_) | Error::Exited(_) => {}
        Error::Exposed(_)
        | Error::File { .. }
        | Error::Vault(_)
        | Error::Record(_)
        | Error::Unrecorded(_)
        | Error::Failed(_)
        | Error::Interrupted => output.error(error.code(), &error.to_string()),
    }
    match error {
        Error::Call(failure) => ExitCode::from(failure.code.exit()),
        Error::Ended(code) => ExitCode::from(code.exit()),
        Error::Interrupted => ExitCode::from(INTERRUPTED),
        Error::Exited(code) => ExitCode::from(code),
        _ => ExitCode::FAILURE,
    }
}

/// A wrong command line ends with 2, `--help` and `--version` with 0. Who asked for JSON is told in JSON, where stdout is
/// not a protocol's.
pub(crate) fn not_started(error: &clap::Error) -> ExitCode {
    let asked = |word: &str| env::args_os().skip(1).any(|arg| arg == word);
    if error.use_stderr() && asked("--json") && !asked("mcp") {
        let text = error.render().to_string();
        let text = text.trim().trim_start_matches("error: ");
        Output::new(true).error("wrong_command_line", text);
    } else {
        // A closed stdout or stderr leaves nobody to tell.
        let _ = error.print();
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_ends_the_process_in_its_own_way() {
        for &code in ErrorCode::ALL {
            let failure = || Failure::new(code, "It broke.").fix("Mend it.");
            let errors = [Error::from(failure()), Error::Ended(code)];
            for error in errors {
                assert_eq!(error.code(), code.as_str());
                let ended = super::code(Err(error), Output::to_stderr(false));
                assert_eq!(format!("{ended:?}"), format!("{:?}", ExitCode::from(code.exit())), "{code}");
            }
        }
    }

    #[test]
    fn what_was_asked_of_the_vault_in_vain_is_of_the_closed_set() {
        let name = || "A".parse().expect("a good name");
        for (error, code) in [
            (VaultError::NotFound(name()), "not_found"),
            (VaultError::Secret(packhost_vault::SecretError::Empty), "invalid_input"),
            (VaultError::Taken(vec![name()]), "invalid_input"),
            (VaultError::Damaged(name()), "vault_failed"),
        ] {
            assert_eq!(Error::from(error).code(), code);
        }
        assert_eq!(sentence("the value is empty"), "The value is empty.");
        assert_eq!(sentence("is it?"), "Is it?");
    }

    #[test]
    fn errors_of_commands_are_not_taken_for_errors_of_calls() {
        let own = [
            Error::Manifest(Diagnostics(Vec::new())),
            Error::file(Path::new("a"), io::ErrorKind::NotFound.into()),
            Error::failed("no"),
            Error::from(VaultError::NotOurs("$KEY".into())),
            Error::from(StateError::File { path: "a".into(), source: io::ErrorKind::NotFound.into() }),
            Error::Exposed(String::new()),
            Error::Interrupted,
        ];
        for error in own {
            assert!(ErrorCode::ALL.iter().all(|code| code.as_str() != error.code()), "{}", error.code());
        }
    }
}
