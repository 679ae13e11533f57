//! The one place where an outgoing HTTP request leaves the host.
//!
//! Owns: reading the request's URL once (WHATWG), asking the rules, resolving a granted name once, holding every
//! address it has against the manifest's table, connecting to an address that was checked, TLS, one exchange over
//! HTTP/2 or HTTP/1.1, putting credentials, or what is signed with them, in place of their placeholders and taking both out of
//! what comes back, what a call may spend on all of that, and the server side of an HTTP proxy ([`Egress::serve_proxy`]) for
//! whoever has no other way out. Refuses: knowing where rules and credentials come from, following redirects, retrying what may
//! have had an effect, proxies from the environment, a connection that two packs or two callers share, and anything that is
//! not `http` or `https`.
//!
//! ```no_run
//! # use packhost_egress::*;
//! # async fn doc(rules: std::sync::Arc<dyn Rules>) -> Result<(), Box<dyn std::error::Error>> {
//! let egress = Egress::new(Settings::default())?;
//! let call = CallEgress::new(rules, Allowance::default());
//! let request = http::Request::get("https://example.com/").body(String::new())?;
//! let response = egress.send(request, &call, Waits::default()).await?;
//! # Ok(()) }
//! ```

mod account;
mod address;
mod body;
mod budget;
mod call;
mod connect;
mod connection;
mod contact;
mod credential;
mod decode;
mod error;
mod headers;
mod pool;
mod proxy;
mod redact;
mod resolve;
mod rules;
mod send;
mod settings;
mod target;
mod tls;
mod transfer;
mod wire;

pub use account::{Account, Quota};
pub use budget::{Allowance, Spent};
pub use call::{CallEgress, Ending, Holding};
pub use contact::{Contact, Contacts, Decision};
pub use credential::{CredentialError, CredentialUse, Credentials, Form, Misplaced, Opened, Unsigned, Used};
pub use error::{EgressError, Resource, SetupError, Wait};
pub use packhost_redact::{Redactor, Stream as RedactedStream};
pub use packhost_signing::Signing;
pub use proxy::{ProxyError, ProxyWaits, SessionCa};
pub use redact::ResponseBody;
pub use resolve::{EncryptedResolver, NameServer, NameServerError, Resolve, Resolving, SystemResolver};
pub use rules::{Rules, Verdict};
pub use rustls::pki_types::CertificateDer;
pub use send::Egress;
pub use settings::{Settings, Waits};

/// What nobody but a fuzz target reaches.
#[cfg(fuzzing)]
pub mod fuzzing {
    pub use crate::proxy::begins;
}
