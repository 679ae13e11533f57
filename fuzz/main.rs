//! Every fuzz target in one program: they share nearly all of their dependencies, which are then compiled and linked once.
//! Which one runs is in the environment variable `FUZZ_TARGET`. `cargo xtask fuzz` runs each of them.
#![no_main]

mod targets {
    pub(crate) mod audit_lines;
    pub(crate) mod dns;
    pub(crate) mod json;
    pub(crate) mod launcher;
    pub(crate) mod link;
    pub(crate) mod manifest;
    pub(crate) mod mending;
    pub(crate) mod mux;
    pub(crate) mod patterns;
    pub(crate) mod placeholders;
    pub(crate) mod proxy;
    pub(crate) mod redactor;
    pub(crate) mod section;
    pub(crate) mod session_frames;
    pub(crate) mod sni;
    pub(crate) mod socks;
    pub(crate) mod templates;
    pub(crate) mod unpack;
    pub(crate) mod url_decision;
    pub(crate) mod vault_record;
}

use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

/// What is done with an input.
#[derive(Clone, Copy)]
enum Target {
    Bytes(fn(&[u8])),
    /// As much of the input as is UTF-8.
    Text(fn(&str)),
}

use Target::{Bytes, Text};

const TARGETS: [(&str, Target); 20] = [
    ("audit_lines", Bytes(targets::audit_lines::fuzz)),
    ("dns", Bytes(targets::dns::fuzz)),
    ("json", Bytes(targets::json::fuzz)),
    ("launcher", Bytes(targets::launcher::fuzz)),
    ("link", Bytes(targets::link::fuzz)),
    ("manifest", Text(targets::manifest::fuzz)),
    ("mending", Bytes(targets::mending::fuzz)),
    ("mux", Bytes(targets::mux::fuzz)),
    ("patterns", Text(targets::patterns::fuzz)),
    ("placeholders", Text(targets::placeholders::fuzz)),
    ("proxy", Bytes(targets::proxy::fuzz)),
    ("redactor", Bytes(targets::redactor::fuzz)),
    ("section", Bytes(targets::section::fuzz)),
    ("session_frames", Bytes(targets::session_frames::fuzz)),
    ("sni", Bytes(targets::sni::fuzz)),
    ("socks", Bytes(targets::socks::fuzz)),
    ("templates", Text(targets::templates::fuzz)),
    ("unpack", Bytes(targets::unpack::fuzz)),
    ("url_decision", Text(targets::url_decision::fuzz)),
    ("vault_record", Bytes(targets::vault_record::fuzz)),
];

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let asked = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET is the name of a file in fuzz/targets");
    let target = TARGETS.iter().find(|(name, _)| *name == asked);
    target.unwrap_or_else(|| panic!("there is no fuzz target {asked}")).1
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| match *TARGET {
    Bytes(fuzz) => fuzz(bytes),
    Text(fuzz) => fuzz(text(bytes)),
});

fn text(bytes: &[u8]) -> &str {
    let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    std::str::from_utf8(&bytes[..valid]).unwrap_or_default()
}

/// Runs it, and sees that because of it this thread never held more than so many bytes.
fn within_memory<T>(most: usize, run: impl FnOnce() -> T) -> T {
    let mut result = None;
    let memory = allocation_counter::measure(|| result = Some(run()));
    let held = usize::try_from(memory.bytes_max).unwrap_or(usize::MAX);
    assert!(held <= most, "{held} bytes of memory, where {most} are the most");
    result.expect("it has run")
}

/// The result of a future that has nothing to wait for: memory is always ready.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("memory is not ready"),
    }
}
