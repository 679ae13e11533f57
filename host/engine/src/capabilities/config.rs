//! `wasi:config/store`: the values that the manifest gives a pack. Not for secrets.

use packhost_manifest::Entry;
use packhost_package::Outline;
use wasmtime::component::Linker;
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables, add_to_linker};

use super::Granted;
use crate::runtime::Guest;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    add_to_linker(linker, |guest: &mut Guest| WasiConfig::from(&guest.config))
}

pub(super) fn unmet(outline: &Outline, entry: &Entry) -> Option<String> {
    (super::imports(outline, "wasi:config/") && entry.config.is_empty())
        .then(|| "it reads configuration (wasi:config) and its entry has no \"config\"".into())
}

pub(super) fn build(granted: &Granted<'_>) -> WasiConfigVariables {
    granted.grants.config.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}
