//! The supervisor as it goes into sandboxes: one static program for the architecture of this machine, inside whatever is
//! linked with this crate. Built by `build.rs` from `packhost-supervisor`, with a cargo and a profile of its own.

include!(concat!(env!("OUT_DIR"), "/digest.rs"));

/// The program: an ELF file that needs nothing of the file system that it runs in.
pub static SUPERVISOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/packhost-supervisor"));
