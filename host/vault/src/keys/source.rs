//! The words in which an operator says where the master key comes from.

use std::path::PathBuf;
use std::str::FromStr;

use super::KeySource;

/// The name of the systemd credential, where only `systemd` is said.
const SYSTEMD: &str = "vault-key";

/// Why a text names no source of the master key. Says nothing of the text, which may be a key in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySourceError {
    /// None of the forms.
    #[error(
        "the master key comes from file:PATH, systemd, systemd:NAME, env:VARIABLE or command:PROGRAM ARGUMENTS"
    )]
    Form,
    /// `file:` and nothing else.
    #[error("\"file:\" is followed by the path of a file")]
    File,
    /// The name is that of another file than a credential's.
    #[error("\"systemd:\" is followed by the name of a credential, as in LoadCredential=")]
    Systemd,
    /// No name that a variable can have.
    #[error("\"env:\" is followed by the name of an environment variable")]
    Env,
    /// No program, or quotes that do not end.
    #[error(
        "\"command:\" is followed by a program and its arguments, quoted as for a shell; no shell is involved"
    )]
    Command,
}

impl FromStr for KeySource {
    type Err = KeySourceError;

    /// `file:PATH`, `systemd`, `systemd:NAME`, `env:VARIABLE` or `command:PROGRAM ARGUMENTS`. A file of the host's own is
    /// where the host has its state, so that no text names it.
    fn from_str(text: &str) -> Result<Self, KeySourceError> {
        if text == "systemd" {
            return Ok(Self::Systemd(SYSTEMD.into()));
        }
        let (kind, rest) = text.split_once(':').ok_or(KeySourceError::Form)?;
        match kind {
            "file" if !rest.is_empty() => Ok(Self::File(PathBuf::from(rest))),
            "file" => Err(KeySourceError::File),
            "systemd" if is_credential(rest) => Ok(Self::Systemd(rest.into())),
            "systemd" => Err(KeySourceError::Systemd),
            "env" if is_variable(rest) => Ok(Self::Env(rest.into())),
            "env" => Err(KeySourceError::Env),
            "command" => match shlex::split(rest) {
                Some(words) if words.first().is_some_and(|program| !program.is_empty()) => {
                    Ok(Self::Command(words))
                }
                _ => Err(KeySourceError::Command),
            },
            _ => Err(KeySourceError::Form),
        }
    }
}

/// What is valid as a file's name is valid as that of a credential (systemd.exec(5), `LoadCredential=`).
fn is_credential(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && name.len() <= 255 && !name.contains(['/', ':', '\0'])
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_has_a_word() {
        let command = |words: &[&str]| KeySource::Command(words.iter().map(|word| (*word).into()).collect());
        for (text, source) in [
            ("file:/etc/packhost/key", KeySource::File("/etc/packhost/key".into())),
            ("file:my: key", KeySource::File("my: key".into())),
            ("systemd", KeySource::Systemd("vault-key".into())),
            ("systemd:other.key", KeySource::Systemd("other.key".into())),
            ("env:PACKHOST_KEY", KeySource::Env("PACKHOST_KEY".into())),
            ("command:pass show packhost", command(&["pass", "show", "packhost"])),
            ("command:get 'a name' \"$HOME\"", command(&["get", "a name", "$HOME"])),
        ] {
            assert_eq!(text.parse(), Ok(source), "{text}");
        }
    }

    #[test]
    fn what_is_no_source_is_refused_and_not_repeated() {
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        for (text, wrong) in [
            ("", KeySourceError::Form),
            (key, KeySourceError::Form),
            ("vault:AAECAwQF", KeySourceError::Form),
            ("file", KeySourceError::Form),
            ("file:", KeySourceError::File),
            ("systemd:", KeySourceError::Systemd),
            ("systemd:..", KeySourceError::Systemd),
            ("systemd:../shadow", KeySourceError::Systemd),
            ("env:", KeySourceError::Env),
            ("env:A=AAECAwQF", KeySourceError::Env),
            ("command:", KeySourceError::Command),
            ("command: ", KeySourceError::Command),
            ("command:''", KeySourceError::Command),
            ("command:pass 'AAECAwQF", KeySourceError::Command),
        ] {
            let refused = text.parse::<KeySource>().expect_err(text);
            assert_eq!(refused, wrong, "{text}");
            assert!(!refused.to_string().contains("AAEC"), "{refused}");
        }
    }
}
