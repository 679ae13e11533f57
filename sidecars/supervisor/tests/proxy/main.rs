//! What leaves a sandbox and what comes into it over the network, against a host that the tests script.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod clients;
mod dns;
mod forward;
mod http;
mod limits;
mod network;
mod socks;
mod socks_refused;
mod support;
mod usage;
