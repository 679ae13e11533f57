//! The HTTP API over real sockets, with a real engine and a real component behind it.

mod calls;
mod host;
mod keys;
mod later;
mod operator;
mod reading;
mod strangers;
