//! The supervisor as a host meets it: the real binary, a real socket, real processes.

mod host;
mod programs;
