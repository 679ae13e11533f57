//! Names of sandboxes and of hosts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const LENGTH: usize = 26;
/// Crockford's base 32, in lower case: no letters that look like digits.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 26 letters and digits, 130 random bits: nobody guesses one.
fn fresh() -> String {
    let mut random = [0; LENGTH];
    // A kernel without randomness leaves nothing to be safe with.
    getrandom::fill(&mut random).expect("the kernel gives random bytes");
    random.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect()
}

fn valid(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| LETTERS.contains(&byte))
}

/// A text that is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: {LENGTH} lower-case letters and digits")]
pub struct InvalidId;

macro_rules! id {
    ($(#[doc = $doc:literal])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new one, never handed out before.
            ///
            /// # Panics
            ///
            /// On a kernel that gives no random bytes.
            pub fn fresh() -> Self {
                Self(fresh())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if valid(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// One sandbox. Chosen before it is made, so that one whose making was interrupted can be found.
    SandboxId
}
id! {
    /// One host: the state directory that it belongs to. Sandboxes of another host are not seen and not touched.
    HostId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_nothing_else_does() {
        let id = SandboxId::fresh();
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_ne!(id, SandboxId::fresh());
        for bad in [
            "",
            "abc",
            "../../../../../etc/passwdx",
            "ABCDEFGHJKMNPQRSTVWXYZ0123",
            "ilou0123456789abcdefghjkmn",
        ] {
            assert_eq!(bad.parse::<SandboxId>(), Err(InvalidId), "{bad}");
        }
    }
}
