//! What a person types or a program pipes in, and nobody else may see: values and passphrases.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

use age::secrecy::SecretString;
use packhost_core::CredentialName;
use packhost_vault::{Secret, VaultError};
use zeroize::Zeroizing;

use super::terminal::Hidden;
use crate::exit::Error;

/// The most bytes that are read of stdin: a value, its line break, and one more that shows that it is too long.
const MOST: usize = Secret::MAX + 3;
/// The shortest passphrase of an export, in characters: whoever has the file may guess as often as he likes.
const PASSPHRASE: usize = 12;

/// The value of this credential: typed twice on a terminal, otherwise what stdin has.
pub(super) fn value(name: &CredentialName) -> Result<Secret, Error> {
    let value =
        if io::stdin().is_terminal() { twice(&format!("value of {name} (not shown): "))? } else { piped()? };
    Ok(Secret::new(&value).map_err(VaultError::from)?)
}

/// Which passphrase is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passphrase {
    /// One that is chosen now.
    New,
    /// One that was chosen before.
    Known,
}

/// A passphrase: from stdin where that is no terminal and free, otherwise from the terminal.
pub(super) fn passphrase(which: Passphrase, stdin_is_taken: bool) -> Result<SecretString, Error> {
    let prompt = "passphrase (not shown): ";
    let bytes = if !stdin_is_taken && !io::stdin().is_terminal() {
        piped()?
    } else if which == Passphrase::New {
        twice(prompt)?
    } else {
        Hidden::start()?.ask(prompt)?
    };
    let text =
        std::str::from_utf8(&bytes).map_err(|_| Error::failed("the passphrase is not text (UTF-8)"))?;
    if which == Passphrase::New && text.chars().count() < PASSPHRASE {
        return Err(Error::failed(format!("a passphrase has at least {PASSPHRASE} characters")));
    }
    Ok(SecretString::from(text))
}

fn twice(prompt: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut terminal = Hidden::start()?;
    let (first, second) = (terminal.ask(prompt)?, terminal.ask("once more: ")?);
    if first == second {
        Ok(first)
    } else {
        Err(Error::failed("the two are not the same; nothing was changed"))
    }
}

/// All of stdin without the line break at its end. It is read past the buffer of the standard library, which nobody wipes.
fn piped() -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |error: io::Error| Error::failed(format!("stdin: {error}"));
    let stdin = File::from(io::stdin().as_fd().try_clone_to_owned().map_err(failed)?);
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST + 1));
    stdin.take(MOST as u64).read_to_end(&mut bytes).map_err(failed)?;
    cut(&mut bytes);
    Ok(bytes)
}

/// Takes off one `\n` or `\r\n`.
fn cut(bytes: &mut Vec<u8>) {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_is_cut_off() {
        for (given, kept) in [
            ("value", "value"),
            ("value\n", "value"),
            ("value\r\n", "value"),
            ("value\n\n", "value\n"),
            ("value\r", "value\r"),
            ("value \n", "value "),
            ("\n", ""),
            ("", ""),
        ] {
            let mut bytes = given.as_bytes().to_vec();
            cut(&mut bytes);
            assert_eq!(bytes, kept.as_bytes(), "{given:?}");
        }
    }
}
