//! Builds `packs-wasm/` with a cargo of its own, stamps each component and writes the table of them.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use packhost_core::Digest;
use packhost_package::{Description, nested};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    watch(&root)?;
    let mut packs = Vec::new();
    for built in nested::build(&root.join("packs-wasm"), &[], "packs-wasm")? {
        let description = Description::read(&built.bytes)?;
        let description =
            description.ok_or_else(|| format!("{} does not describe itself: no pack!", built.name))?;
        let name = String::from(description.name);
        fs::write(out.join(format!("{name}.wasm")), &built.bytes)?;
        packs.push((name, Digest::of(&built.bytes)));
    }
    packs.sort();
    let mut table = String::from("&[");
    for (name, digest) in packs {
        let bytes = format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\"))");
        writeln!(table, "Shipped {{ name: \"{name}\", digest: \"{digest}\", bytes: {bytes} }},")?;
    }
    fs::write(out.join("shipped.rs"), table + "]")?;
    Ok(())
}

/// Build again when a source changes, and not when a test case does.
fn watch(root: &Path) -> Result<(), Box<dyn Error>> {
    let packs = root.join("packs-wasm");
    nested::watch([root.join("wit")]);
    nested::watch(["Cargo.toml", "Cargo.lock", ".cargo"].map(|part| packs.join(part)));
    for entry in fs::read_dir(&packs)? {
        let crate_dir = entry?.path();
        if crate_dir.join("Cargo.toml").is_file() {
            nested::watch(["Cargo.toml", "src"].map(|part| crate_dir.join(part)));
        }
    }
    Ok(())
}
