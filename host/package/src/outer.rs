//! What a cargo inside of a cargo must not hear of the outer one. The build script of `sidecars/binary` has this file as a module
//! too: for one function it depends on no crate.

use std::ffi::OsStr;

/// Whether the outer cargo or its user set this variable for the outer build: it must not change what the inner one makes. Where
/// packages come from stays (`CARGO_HOME`, registries, network settings), and so does the job server.
pub(crate) fn of_the_outer_build(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let prefixes = [
        "CARGO_BUILD_",
        "CARGO_CFG_",
        "CARGO_ENCODED_",
        "CARGO_FEATURE_",
        "CARGO_INCREMENTAL",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "CARGO_PRIMARY_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "CARGO_UNSTABLE_",
        "RUSTC",
        "RUSTDOC",
        "RUSTFLAGS",
        "DEP_",
    ];
    let exact =
        ["DEBUG", "HOST", "NUM_JOBS", "OPT_LEVEL", "OUT_DIR", "PROFILE", "TARGET", "SOURCE_DATE_EPOCH"];
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || exact.contains(&name)
}
