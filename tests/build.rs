//! Builds the guests of the suites and the fixtures of the conformance suite, and writes a component file for each.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use packhost_package::nested;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    watch(&here);
    for folder in ["guests", "conformance"] {
        empty(&out.join(folder))?;
    }
    for built in nested::build(&here.join("guests"), &["--workspace", "--examples"], "guests")? {
        // What a folder of the workspace holds, a folder of the same name will: `guests` and `conformance`.
        fs::write(out.join(&built.package).join(format!("{}.wasm", built.name)), &built.bytes)?;
    }
    Ok(())
}

fn watch(here: &Path) {
    nested::watch(
        ["guests", "conformance/Cargo.toml", "conformance/src", "conformance/fixtures"].map(|p| here.join(p)),
    );
    nested::watch(["../wit", "../packs-wasm/Cargo.toml", "../packs-wasm/sdk"].map(|p| here.join(p)));
}

/// A component that is no longer built is no longer there.
fn empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(folder),
    }
}
