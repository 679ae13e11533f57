//! The Model Context Protocol: turns protocol calls into engine calls, and what comes of them into protocol results.
//!
//! Owns: how a tool, an answer, a failure, progress, a log line and a question look on the wire, in both eras of
//! the protocol (`initialize` up to 2025-11-25, stateless from 2026-07-28) behind one [`Server`]; and the stdio
//! door. Refuses: policy, business rules and limits (the engine has them), sockets and tokens (the HTTP door has
//! them). No tool that is listed here grants, loads or configures anything.

mod answer;
mod ask;
mod blocks;
mod call;
mod changes;
mod client;
mod list;
mod meta;
mod resources;
mod seal;
mod server;
mod stdio;

pub use server::Server;
pub use stdio::{StdioError, StdioSettings, serve, serve_stdio};
