//! Building components with a cargo inside a cargo. For build scripts.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use serde_json::Value;

use crate::outer::of_the_outer_build;
use crate::stamp;

const TARGET: &str = "wasm32-wasip2";

/// A component that came out of a nested build.
#[derive(Debug, Clone)]
pub struct Built {
    /// The folder of the package that it is a target of, by its last name.
    pub package: String,
    /// The name of the target.
    pub name: String,
    /// The component; stamped, if it describes itself.
    pub bytes: Vec<u8>,
    /// Whether it describes itself.
    pub describes_itself: bool,
}

/// Builds the workspace in the folder `workspace` for release, with further arguments for `cargo build`, and returns
/// its components in cargo's order. What it builds stays in the folder `cache` beside the outer build's profiles, so
/// one build serves every profile.
///
/// Only to be called in a build script: it reads what cargo tells one.
///
/// # Errors
///
/// As sentences for the person who builds: no target, no compiler, what does not compile, what cannot be stamped.
pub fn build(workspace: &Path, arguments: &[&str], cache: &str) -> Result<Vec<Built>, Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    // OUT_DIR is <target>/<profile>/build/<package>/out.
    let target_dir = out.ancestors().nth(4).ok_or("OUT_DIR is not inside a target directory")?.join(cache);
    build_into(workspace, arguments, &target_dir)
}

/// The same anywhere: what it builds stays in `target_dir`.
///
/// # Errors
///
/// As [`build`].
pub fn build_into(
    workspace: &Path,
    arguments: &[&str],
    target_dir: &Path,
) -> Result<Vec<Built>, Box<dyn Error>> {
    let workspace = &workspace.canonicalize()?;
    let sysroot = rustc(&["--print", "sysroot"])?;
    have_target(Path::new(&sysroot))?;
    let mut cargo = Command::new(env::var_os("CARGO").ok_or("CARGO is not set")?);
    // Not `--locked`: a package that was just added has no entry yet. The lints of a test run hold the lock file to it.
    cargo.current_dir(workspace).args(["build", "--release", "--target", TARGET]).args(arguments);
    cargo.arg("--message-format=json-render-diagnostics").arg("--target-dir").arg(target_dir);
    for (name, _) in env::vars_os().filter(|(name, _)| of_the_outer_build(name)) {
        cargo.env_remove(name);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", remap_flags(workspace, Path::new(&sysroot))?);
    let output = cargo.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("building {} failed", workspace.display()).into());
    }
    let messages = String::from_utf8(output.stdout)?;
    messages.lines().filter_map(|line| component(&serde_json::from_str(line).ok()?)).map(read).collect()
}

/// Tells cargo to build again when one of these changes.
#[expect(clippy::print_stdout, reason = "stdout is how a build script talks to cargo")]
pub fn watch(paths: impl IntoIterator<Item = PathBuf>) {
    for path in paths {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

struct Artifact {
    package: String,
    name: String,
    file: PathBuf,
}

/// The component of one of cargo's messages, if it tells of one.
fn component(message: &Value) -> Option<Artifact> {
    let target = &message["target"];
    let cdylib = target["crate_types"].as_array()?.iter().any(|kind| kind == "cdylib");
    let file =
        message["filenames"].as_array()?.iter().filter_map(Value::as_str).find(|f| f.ends_with(".wasm"))?;
    let package = Path::new(message["manifest_path"].as_str()?).parent()?.file_name()?.to_str()?;
    cdylib.then(|| Artifact {
        package: package.to_owned(),
        name: target["name"].as_str().unwrap_or_default().to_owned(),
        file: PathBuf::from(file),
    })
}

fn read(artifact: Artifact) -> Result<Built, Box<dyn Error>> {
    let Artifact { package, name, file } = artifact;
    let bytes = fs::read(&file)?;
    match stamp::stamp(&bytes) {
        Ok(bytes) => Ok(Built { package, name, bytes, describes_itself: true }),
        Err(stamp::StampError::NoDescribe) => Ok(Built { package, name, bytes, describes_itself: false }),
        Err(error) => Err(format!("{}: {error}", file.display()).into()),
    }
}

fn rustc(args: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).args(args).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// rustup installs the target by itself from rust-toolchain.toml, unless it was told not to.
fn have_target(sysroot: &Path) -> Result<(), Box<dyn Error>> {
    if sysroot.join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).stdout(Stdio::null()).status();
    match added {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!(
            "packs are compiled for {TARGET}, which is not installed: rustup target add {TARGET}"
        )
        .into()),
    }
}

/// No path of the machine that builds ends up in a component.
fn remap_flags(workspace: &Path, sysroot: &Path) -> Result<String, Box<dyn Error>> {
    let version = rustc(&["-vV"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    let library = sysroot.join("lib/rustlib/src/rust");
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home =
        home.or_else(|| env::home_dir().map(|home| home.join(".cargo"))).ok_or("no CARGO_HOME")?;
    let flag = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let flags =
        [flag(&library, &format!("/rustc/{commit}")), flag(&cargo_home, "/cargo"), flag(workspace, "/packs")];
    Ok(flags.join("\u{1f}"))
}
