//! The session protocol: what the host and the supervisor in a sandbox say to each other over one byte stream.
//!
//! Owns: the words ([`message`]), how they and the bytes between them are framed ([`frame`]), how many exchanges share
//! the one stream ([`mux`]), and every bound of it ([`limits`]). Both sides use this crate and nothing else of each other.
//! Refuses: processes, files, sandboxes, policy. docs/src/sessions/protocol.md is its specification.
//!
//! Neither side trusts the other with its memory: what is read is bounded before it is read.

pub mod frame;
pub mod limits;
pub mod message;
pub mod mux;

pub use frame::{Frame, FrameError, Frames, Kind};
pub use mux::{Incoming, Mux, MuxError, Role, Stream};
