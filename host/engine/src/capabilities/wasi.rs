//! The interfaces of WASI that every guest gets: clocks, randomness, streams, its own environment. What they lead
//! to is this call's and nothing of the host's: no inherited variable, argument, stream or socket.

use wasmtime::component::Linker;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use super::Granted;
use super::filesystem::{self, FilesystemError};
use crate::runtime::{Flavour, Guest, LogStream};

pub(super) fn link(linker: &mut Linker<Guest>, flavour: Flavour) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    if flavour == Flavour::Concurrent {
        wasmtime_wasi::p3::add_to_linker(linker)?;
    }
    Ok(())
}

pub(super) fn build(granted: &Granted<'_>) -> Result<WasiCtx, FilesystemError> {
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdout(LogStream(granted.logs.clone()))
        .stderr(LogStream(granted.logs.clone()))
        .max_random_size(granted.limits.random)
        // A file operation may block for good (a pipe, a dead network file system): on a thread of its own it can be
        // left behind, and the guest's thread goes on.
        .allow_blocking_current_thread(false)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    for (name, value) in &granted.grants.env {
        builder.env(name, value);
    }
    filesystem::build(&mut builder, granted)?;
    Ok(builder.build())
}
