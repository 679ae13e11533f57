//! Builds `packs-wasm/` with a cargo of its own, stamps each component and writes the table of them.

use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use packhost_core::Digest;
use packhost_package::{Description, stamp};
use serde_json::Value;

const TARGET: &str = "wasm32-wasip2";

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    watch(&root)?;
    let mut packs = Vec::new();
    for component in build(&root.join("packs-wasm"), &out)? {
        let stamped = stamp::stamp(&fs::read(&component)?).map_err(|e| format!("{}: {e}", component.display()))?;
        let description = Description::read(&stamped)?.ok_or("a stamped component has a description")?;
        let name = String::from(description.name);
        fs::write(out.join(format!("{name}.wasm")), &stamped)?;
        packs.push((name, Digest::of(&stamped)));
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
    println!("cargo::rerun-if-changed={}", root.join("wit").display());
    let packs = root.join("packs-wasm");
    for part in ["Cargo.toml", "Cargo.lock", ".cargo"] {
        println!("cargo::rerun-if-changed={}", packs.join(part).display());
    }
    for entry in fs::read_dir(&packs)? {
        let crate_dir = entry?.path();
        if crate_dir.join("Cargo.toml").is_file() {
            println!("cargo::rerun-if-changed={}", crate_dir.join("Cargo.toml").display());
            println!("cargo::rerun-if-changed={}", crate_dir.join("src").display());
        }
    }
    Ok(())
}

/// Builds the workspace and returns its components.
fn build(packs: &Path, out: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    // OUT_DIR is <target>/<profile>/build/<package>/out: one build of the packs serves every profile.
    let target_dir = out.ancestors().nth(4).ok_or("OUT_DIR is not inside a target directory")?.join("packs-wasm");
    let mut cargo = Command::new(env::var_os("CARGO").ok_or("CARGO is not set")?);
    cargo.current_dir(packs).args(["build", "--release", "--locked", "--target", TARGET]);
    cargo.arg("--message-format=json-render-diagnostics").arg("--target-dir").arg(target_dir);
    for (name, _) in env::vars_os().filter(|(name, _)| of_the_outer_build(name)) {
        cargo.env_remove(name);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", remap_flags(packs)?);
    let output = cargo.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("building packs-wasm failed; is the target there? rustup target add {TARGET}").into());
    }
    let artifacts = String::from_utf8(output.stdout)?;
    Ok(artifacts.lines().filter_map(|line| component(&serde_json::from_str(line).ok()?)).collect())
}

/// The component of one of cargo's messages, if it tells of one.
fn component(message: &Value) -> Option<PathBuf> {
    let cdylib = message["target"]["kind"].as_array()?.iter().any(|kind| kind == "cdylib");
    let file = message["filenames"].as_array()?.iter().filter_map(Value::as_str).find(|f| f.ends_with(".wasm"))?;
    cdylib.then(|| PathBuf::from(file))
}

/// What the outer cargo and its user set for the outer build must not change the packs. Where packages come from
/// stays (`CARGO_HOME`, registries, network settings), and so does the job server.
fn of_the_outer_build(name: &OsString) -> bool {
    let Some(name) = name.to_str() else { return false };
    let prefixes = [
        "CARGO_BUILD_", "CARGO_CFG_", "CARGO_ENCODED_", "CARGO_FEATURE_", "CARGO_INCREMENTAL", "CARGO_MANIFEST_",
        "CARGO_PKG_", "CARGO_PRIMARY_", "CARGO_PROFILE_", "CARGO_TARGET_", "CARGO_UNSTABLE_", "RUSTC", "RUSTDOC",
        "RUSTFLAGS", "DEP_",
    ];
    let exact = ["DEBUG", "HOST", "NUM_JOBS", "OPT_LEVEL", "OUT_DIR", "PROFILE", "TARGET", "SOURCE_DATE_EPOCH"];
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || exact.contains(&name)
}

/// No path of this machine ends up in a component.
fn remap_flags(packs: &Path) -> Result<String, Box<dyn Error>> {
    let rustc = |args: &[&str]| -> Result<String, Box<dyn Error>> {
        let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).args(args).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let version = rustc(&["-vV"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    let library = Path::new(&rustc(&["--print", "sysroot"])?).join("lib/rustlib/src/rust");
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo"))).ok_or("no CARGO_HOME")?;
    let flag = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let flags =
        [flag(&library, &format!("/rustc/{commit}")), flag(&cargo_home, "/cargo"), flag(packs, "/packs")];
    Ok(flags.join("\u{1f}"))
}
