//! The Model Context Protocol, end to end: the built binary against rmcp's client, PyPI's `mcp`, and raw messages; over
//! stdio and HTTP, with a handshake (2025-11-25) and without (2026-07-28); and who may call over HTTP;
//! and the HTTP API beside it.

mod api;
mod artifacts;
mod bucket;
mod calls;
mod changes;
mod clients;
mod corpus;
mod corpus_http;
mod guard;
mod listing;
mod load;
mod naughty;
mod oauth;
mod provider;
mod python;
mod record;
mod serving;
mod tls;
mod tokens;
mod traces;
mod wire;
