//! Who makes a call.

use std::fmt;

use serde::Serialize;

const NOBODY: &str = "nobody";

/// The one on whose behalf a call runs. Limits are counted and handles are owned per caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Caller(String);

impl Caller {
    /// The person at this machine: stdio, the command line, and HTTP on loopback without a token.
    pub fn local() -> Self {
        Self("local".into())
    }

    /// The holder of a configured bearer token, by the name that the operator gave the token.
    pub fn token(name: &str) -> Self {
        Self(format!("token:{name}"))
    }

    /// Nobody yet: whose something is that stands ready for the first caller who comes. No door lets anybody in as this.
    pub fn nobody() -> Self {
        Self(NOBODY.into())
    }

    /// Whether this is nobody.
    pub fn is_nobody(&self) -> bool {
        self.0 == NOBODY
    }

    /// A caller that was written down by this host. No proof of anything: who calls is known at the door alone.
    pub fn recorded(text: &str) -> Option<Self> {
        let known = matches!(text, "local" | NOBODY)
            || text.strip_prefix("token:").is_some_and(|name| !name.is_empty());
        known.then(|| Self(text.to_owned()))
    }

    /// The caller as it stands in logs and records.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
