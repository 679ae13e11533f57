//! The supervisor as a host meets it: the real binary, a real socket, real processes.

mod attach;
mod breaking;
mod connection;
mod conversation;
mod host;
mod programs;
mod streams;
mod terminal;
mod trees;
