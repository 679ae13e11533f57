//! What the vault must hold after what was done to it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use packhost_vault::{Vault, VaultError};

use crate::{binding, bindings, everything, name, secret};

/// A credential: the number that its value is made of, and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) number: u32,
    pub(crate) version: u64,
}

/// Something that is done to one credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Set(u32),
    Rotate(u32),
    Bind,
    Remove,
}

impl Deed {
    /// Does it; the version is 0 for what is gone.
    pub(crate) fn run(self, vault: &Vault, of: &str) -> Result<u64, VaultError> {
        let credential = name(of);
        match self {
            Self::Set(number) => vault.set(&credential, &secret(&text(of, number)), &bindings()),
            Self::Rotate(number) => vault.rotate(&credential, &secret(&text(of, number))),
            Self::Bind => vault.bind(&credential, &[binding("c.example")]),
            Self::Remove => vault.remove(&credential).map(|()| 0),
        }
    }

    /// What is there once it was done.
    pub(crate) fn after(self, before: Option<Kept>) -> Option<Kept> {
        let version = before.map_or(1, |before| before.version + 1);
        match self {
            Self::Set(number) | Self::Rotate(number) => Some(Kept { number, version }),
            Self::Bind => before.map(|before| Kept { version, ..before }),
            Self::Remove => None,
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(number) => write!(f, "set:{number}"),
            Self::Rotate(number) => write!(f, "rotate:{number}"),
            Self::Bind => f.write_str("bind"),
            Self::Remove => f.write_str("remove"),
        }
    }
}

impl FromStr for Deed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, number) = text.split_once(':').unwrap_or((text, "0"));
        let number = number.parse().map_err(|_| text.to_owned())?;
        match word {
            "set" => Ok(Self::Set(number)),
            "rotate" => Ok(Self::Rotate(number)),
            "bind" => Ok(Self::Bind),
            "remove" => Ok(Self::Remove),
            _ => Err(text.to_owned()),
        }
    }
}

/// The value of this number: some fit into a page of the database, others into several.
pub(crate) fn text(name: &str, number: u32) -> String {
    let length = if number.is_multiple_of(5) { 9000 } else { 20 };
    format!("{name} {number} {}", "x".repeat(length))
}

/// What the vault holds. No value is any other than one that was given to it.
pub(crate) fn found(vault: &Vault) -> BTreeMap<String, Kept> {
    let all = everything(vault).into_iter().map(|(about, value)| {
        let of = about.name.to_string();
        let number = value.split(' ').nth(1).and_then(|number| number.parse().ok());
        let number = number.unwrap_or_else(|| panic!("{of} has a value that nobody gave to it"));
        assert!(value == text(&of, number), "{of} has a value that nobody gave to it");
        (of, Kept { number, version: about.version })
    });
    all.collect()
}
