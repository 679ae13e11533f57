//! The official MCP conformance suite (npm `@modelcontextprotocol/conformance`) against the built binary. Its fixtures
//! are packs, so each scenario goes from the wire to a guest and back.

use std::process::Command;

use packhost_tests::guests;
use packhost_tests::host::Setup;
use packhost_tests::tools;

fn run(version: &str) {
    let script = tools::installed("node_modules/@modelcontextprotocol/conformance/dist/index.js");
    let setup = Setup::new().packs(guests::conformance_dir());
    let policy = guests::conformance_policy().display().to_string();
    let setup = setup.args(["--policy", &policy]);
    // The suite does not wait for a first call that is being compiled.
    assert_eq!(setup.run(["packs", "compile"]).code, 0);
    let host = setup.serve(&[]);
    let root = tempfile::TempDir::new().expect("a temporary directory");
    let suite = Command::new(tools::node())
        .arg(script)
        .args(["server", "--url", &host.url, "--suite", "all", "--spec-version", version])
        .arg("--expected-failures")
        .arg(guests::conformance_expected_failures())
        .arg("-o")
        .arg(root.path().join("out"))
        .current_dir(root.path())
        .output()
        .expect("Node.js starts");
    let said = String::from_utf8_lossy(&suite.stdout);
    assert!(suite.status.success(), "{said}\n{}", String::from_utf8_lossy(&suite.stderr));
}

#[test]
fn version_2025_11_25() {
    run("2025-11-25");
}

#[test]
fn version_2026_07_28() {
    run("2026-07-28");
}
