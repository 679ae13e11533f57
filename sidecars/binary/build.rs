//! Builds the supervisor for musl with a cargo of its own.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use sha2::{Digest as _, Sha256};

#[path = "../../host/package/src/outer.rs"]
mod outer;

use outer::of_the_outer_build;

type Outcome<T> = Result<T, Box<dyn Error>>;

const PACKAGE: &str = "packhost-supervisor";
const PROFILE: &str = "supervisor";
/// The crates that it is made of, beside those that Cargo.lock pins.
const SOURCES: [&str; 3] = ["sidecars/protocol", "sidecars/confine", "sidecars/supervisor"];

fn main() -> Outcome<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    watch(&root);
    let target = format!("{}-unknown-linux-musl", env::var("CARGO_CFG_TARGET_ARCH")?);
    let sysroot = rustc(&["--print", "sysroot"])?;
    have_target(Path::new(&sysroot), &target)?;
    // OUT_DIR is <target>/<profile>/build/<package>/out: beside the outer profiles, so one build serves them all.
    let cache = out.ancestors().nth(4).ok_or("OUT_DIR is not inside a target directory")?.join(PROFILE);
    build(&root, &target, &cache, Path::new(&sysroot))?;
    let program = fs::read(cache.join(&target).join(PROFILE).join(PACKAGE))?;
    fs::write(out.join(PACKAGE), &program)?;
    let mut digest = String::from("sha256:");
    for byte in Sha256::digest(&program) {
        write!(digest, "{byte:02x}")?;
    }
    let text = format!(
        "/// What its bytes hash to, as `sha256:` and hex.\npub static DIGEST: &str = \"{digest}\";\n"
    );
    Ok(fs::write(out.join("digest.rs"), text)?)
}

fn build(root: &Path, target: &str, cache: &Path, sysroot: &Path) -> Outcome<()> {
    let mut cargo = Command::new(env::var_os("CARGO").ok_or("CARGO is not set")?);
    cargo.current_dir(root).args(["build", "--package", PACKAGE, "--bin", PACKAGE]);
    cargo.args(["--profile", PROFILE, "--target", target, "--target-dir"]).arg(cache);
    for (name, _) in env::vars_os().filter(|(name, _)| of_the_outer_build(name)) {
        cargo.env_remove(name);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(root, sysroot)?);
    // What a build script prints on its standard output is for the outer cargo.
    let status = cargo.stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("building {PACKAGE} for {target} failed").into()) }
}

/// Build again when what the supervisor is made of changes, and not when a test does.
fn watch(root: &Path) {
    let files =
        SOURCES.into_iter().flat_map(|source| [format!("{source}/Cargo.toml"), format!("{source}/src")]);
    for file in files.chain(["Cargo.lock".to_owned(), "rust-toolchain.toml".to_owned()]) {
        println!("cargo::rerun-if-changed={}", root.join(file).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
}

/// Static, and no path of the machine that builds in it.
fn flags(root: &Path, sysroot: &Path) -> Outcome<String> {
    let version = rustc(&["-vV"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home =
        home.or_else(|| env::home_dir().map(|home| home.join(".cargo"))).ok_or("no CARGO_HOME")?;
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let flags = [
        "-Ctarget-feature=+crt-static".to_owned(),
        remap(&sysroot.join("lib/rustlib/src/rust"), &format!("/rustc/{commit}")),
        remap(&cargo_home, "/cargo"),
        remap(root, "/packhost"),
    ];
    Ok(flags.join("\u{1f}"))
}

fn rustc(arguments: &[&str]) -> Outcome<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(arguments).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// rustup installs the target by itself from rust-toolchain.toml, unless it was told not to.
fn have_target(sysroot: &Path, target: &str) -> Outcome<()> {
    if sysroot.join("lib/rustlib").join(target).is_dir() {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", target]).stdout(Stdio::null()).status();
    match added {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!(
            "the supervisor is compiled for {target}, which is not installed: rustup target add {target}"
        )
        .into()),
    }
}
