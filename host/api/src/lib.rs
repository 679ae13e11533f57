//! The HTTP API under `/v1`, for programs that are not MCP clients.
//!
//! Owns: the resources, their JSON and the OpenAPI document that is made of both; problem details (RFC 9457) for the
//! closed set of errors; the three ways to wait for a call; answers that are kept to be fetched, and idempotency keys.
//! Refuses: sockets, the size and the pace of a request, and who calls (that is `packhost-http`, which mounts the routes);
//! any way to run a pack but [`Engine::dispatch`](packhost_engine::Engine::dispatch).

mod acts;
mod answer;
mod api;
mod artifacts;
mod asked;
mod call;
mod calls;
mod desk;
mod extract;
mod health;
mod job;
mod kept;
mod key;
mod links;
mod openapi;
mod operations;
mod packs;
mod problem;
mod record;
mod reply;
mod sessions;
mod stream;

pub use api::{Api, DOCUMENT, StillLetsIn};
pub use desk::Desk;
pub use problem::Problem;
