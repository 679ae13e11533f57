//! The one place where an outgoing HTTP request leaves the host.
//!
//! Owns: reading the request's URL once (WHATWG), asking the rules, resolving a granted name once, holding every
//! address it has against the manifest's table, connecting to an address that was checked, TLS, one HTTP/1.1 exchange,
//! putting credentials, or what is signed with them, in place of their placeholders and taking both out of what comes back,
//! and what a call may spend on all of that. Refuses: knowing where rules and credentials come from, following redirects, retrying, proxies from
//! the environment, sharing a connection between two requests, and anything that is not `http` or `https`.
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

mod address;
mod body;
mod budget;
mod call;
mod connect;
mod contact;
mod credential;
mod decode;
mod error;
mod headers;
mod redact;
mod resolve;
mod rules;
mod send;
mod target;
mod tls;
mod transfer;
mod wire;

pub use budget::{Allowance, Spent};
pub use call::{CallEgress, Ending, Holding};
pub use contact::{Contact, Contacts, Decision};
pub use credential::{CredentialError, CredentialUse, Credentials, Form, Misplaced, Opened, Unsigned, Used};
pub use error::{EgressError, Resource, SetupError, Wait};
pub use packhost_redact::Redactor;
pub use packhost_signing::Signing;
pub use redact::ResponseBody;
pub use resolve::{Resolve, Resolving, SystemResolver};
pub use rules::{Rules, Verdict};
pub use rustls::pki_types::CertificateDer;
pub use send::{Egress, Settings, Waits};
