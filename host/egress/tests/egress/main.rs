//! The way out, against real sockets on loopback.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod coded;
mod corpus;
mod credentials;
mod decisions;
mod dns;
mod dns_encrypted;
mod dns_hostile;
mod dns_servers;
mod exchange;
mod hostile;
mod http2;
mod limits;
mod literals;
mod placeholders;
mod pool;
mod proxy;
mod signing;
mod support;
mod tls;
