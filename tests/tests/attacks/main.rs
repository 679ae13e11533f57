//! Hostile guests, files and edits against the built binary: each promise of the threat model that only the whole can
//! keep, and each thing that other hosts of components got wrong.
//!
//! Every test starts a host of its own, mostly with one guest and without the shipped packs, so that little is compiled.

mod answers;
mod cache;
mod calls;
mod components;
mod doors;
mod edits;
mod files;
mod grants;
mod plain;
mod requests;
mod scene;
mod secrets;
mod sockets;
mod space;
mod speech;
mod time;
mod traversal;
