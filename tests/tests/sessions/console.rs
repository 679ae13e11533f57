//! The console in headless Chromium, on a host that has something to show. What is looked at is in `console/console.mjs`.

use std::io::Write;
use std::process::Stdio;

use packhost_tests::host::{Ran, Setup};
use packhost_tests::tools::{installed, node};
use serde_json::json;

const SECRET: &str = "a value that nobody may see";

const POLICY: &str = "version: 1
extends: shipped
packs:
  http.fetch:
    http:
      - { host: api.example, credentials: [TOKEN] }
    limits: { time: 20s }
";

/// A picture of one point, from Python.
const PICTURE: &str = "import base64, os
os.mkdir('out')
open('out/plot.png', 'wb').write(base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='))
open('out/table.csv', 'w').write('a,b\\n1,2\\n')";

fn call(setup: &Setup, pack: &str, input: &serde_json::Value) -> Ran {
    setup.run(["--json", "call", pack, &input.to_string()])
}

fn kept(setup: &Setup) {
    let binding = json!({
        "hosts": ["api.example"], "packs": ["http.fetch"],
        "places": [{ "header": { "name": "authorization", "scheme": "Bearer" } }],
    });
    let mut command = setup.command(["vault", "set", "TOKEN", "--bind", &binding.to_string()]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary starts");
    child.stdin.take().expect("it is piped").write_all(SECRET.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn an_operator_sees_everything_and_no_secret_with_any_screen_and_by_keyboard_alone() {
    let setup = Setup::new().policy(POLICY).warmed();
    kept(&setup);
    assert_eq!(call(&setup, "text.stats", &json!({ "text": "to be or not to be" })).code, 0);
    let drawn = call(&setup, "python.run", &json!({ "code": PICTURE }));
    assert_eq!(drawn.code, 0, "{drawn:?}");
    let denied = call(&setup, "http.fetch", &json!({ "url": "https://other.example/page" }));
    assert_eq!(denied.code, 15, "{denied:?}");
    let made = setup.run(["tokens", "create", "operator", "--scope", "admin"]);
    let served = setup.serve(&[]);
    let mut command = std::process::Command::new(node());
    command.args(["--test", "--test-concurrency=1"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/console/console.mjs"));
    command.env("NODE_PATH", installed("node_modules"));
    command.env("CONSOLE_URL", format!("http://{}/console/", served.address));
    command.env("CONSOLE_TOKEN", made.stdout.trim()).env("CONSOLE_SECRETS", SECRET);
    let looked = Ran::from(command.output().expect("Node.js starts"));
    assert_eq!(looked.code, 0, "{}\n{}", looked.stdout, looked.stderr);
}
