//! The HTTP door: MCP's streamable HTTP at `/mcp`, for both eras of the protocol, the HTTP API at `/v1`, and what an
//! operator asks at `/healthz`, `/readyz` and `/metrics`.
//!
//! Owns: sockets, connections and their bounds, TLS, the header that shows who calls and the challenge to whoever does not
//! show it, the Host and Origin checks against DNS rebinding, which proxies are believed, and the end of it all in good order. Refuses: what the messages
//! mean (that is `packhost-mcp` and `packhost-api`), what a token proves (`packhost-callers`), and an address that others
//! reach without a token.

mod body;
mod client;
mod connection;
mod gate;
mod guard;
mod held;
mod listener;
mod metrics;
mod names;
mod proof;
mod service;
mod sessions;
mod settings;
#[cfg(test)]
mod tests;
mod tls;
mod vitals;

pub use listener::{bind, serve};
pub use settings::{BindError, Settings};
pub use tls::{TlsError, TlsFiles};
