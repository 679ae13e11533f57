//! The supervisor: the one program of ours in every sandbox.
//!
//! Owns: starting programs inside and ending them with all that they started, their streams, files as the sandbox's user
//! sees them, the proxy through which alone anything leaves. Refuses: deciding what may be done; the host says, and the
//! supervisor holds it to that. It runs on one thread, so that it may fork.

pub mod files;
