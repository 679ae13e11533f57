//! This binary as a person or another program calls it.

use std::env;
use std::path::{Path, PathBuf};

use crate::exit::Error;

/// Where this binary is.
pub(crate) fn path() -> Result<PathBuf, Error> {
    env::current_exe().map_err(|error| Error::failed(format!("where this binary is: {error}")))
}

/// What to type to call this binary again: `packhost` where a shell finds this one under that name, its path elsewhere.
pub(crate) fn command() -> String {
    let Ok(own) = path() else { return "packhost".into() };
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|dir| dir.join("packhost")).find(|file| file.is_file());
    if found.is_some_and(|found| is_same(&found, &own)) {
        "packhost".into()
    } else {
        quote(&own.to_string_lossy())
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// A word for a POSIX shell.
pub(crate) fn quote(word: &str) -> String {
    let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(&b));
    if plain && !word.is_empty() { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word() {
        assert_eq!(quote("/usr/bin/packhost"), "/usr/bin/packhost");
        assert_eq!(quote("/my files/it's"), r"'/my files/it'\''s'");
        assert_eq!(quote("$HOME;ls"), "'$HOME;ls'");
        assert_eq!(quote(""), "''");
    }
}
