//! The room as its users have it: one binary for all of its tests.
#![allow(clippy::unwrap_used)]

mod chain;
mod faults;
mod files;

use std::path::Path;

use packhost_keyring::Keyring;

const CONTEXT: &str = "packhost test v1";

fn opened(dir: &Path) -> Keyring {
    Keyring::open(dir.join("keys")).unwrap()
}
