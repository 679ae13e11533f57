//! The proxy on one byte stream, with a client that may send anything.

mod forward;
mod limits;
mod noise;
mod requests;
mod support;
mod terminate;
mod terminate_refused;
mod tunnel;
mod tunnel_refused;
