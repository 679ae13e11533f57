//! A credential that is about to leave.

use serde::{Deserialize, Serialize};

use super::cut::{host, texts};

/// Written before a credential's value, or a signature made with it, leaves with a request. The value is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialUse {
    /// The run's id.
    pub run: String,
    /// The pack.
    pub pack: String,
    /// On whose behalf.
    pub caller: String,
    /// The credential's name.
    pub credential: String,
    /// Which version of its value.
    pub version: u64,
    /// The host that it goes to.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The method of the request.
    pub method: String,
    /// Where in the request it stands, such as `header authorization`.
    pub place: String,
    /// What is made with it, where it signs and does not leave itself: `hmac`, `sigv4`, `jwt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signs: Option<String>,
}

impl CredentialUse {
    /// Its kind in the log.
    pub const KIND: &'static str = "credential";

    pub(super) fn shorten(&mut self) {
        texts([&mut self.run, &mut self.pack, &mut self.caller, &mut self.credential]);
        host(&mut self.host);
        texts([&mut self.method, &mut self.place]);
        texts(&mut self.signs);
    }
}
