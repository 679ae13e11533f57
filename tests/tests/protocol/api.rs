//! The HTTP API of the built binary, and a stranger who reads its OpenAPI document and tries everything (PyPI's
//! `schemathesis`).

use std::process::Command;

use packhost_tests::host::{Ran, Served, Setup};
use packhost_tests::http::{self, Response};
use packhost_tests::tools::installed;
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

fn get(served: &Served, token: &str, path: &str) -> Response {
    http::send(served.address, &[("authorization", &format!("Bearer {token}"))], "GET", path, b"")
}

fn count(served: &Served, token: &str) -> Response {
    let head = [JSON, ("authorization", &format!("Bearer {token}"))];
    let body = json!({"input": {"text": "to be or not to be"}}).to_string();
    http::send(served.address, &head, "POST", "/v1/packs/text.stats/calls", body.as_bytes())
}

fn read(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("not JSON: {error}: {response:?}"))
}

fn token(setup: &Setup, name: &str, scopes: &[&str]) -> String {
    let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
    let made = setup.run(["--json", "tokens", "create", name].into_iter().chain(scopes));
    assert_eq!(made.code, 0, "{made:?}");
    made.json()["token"].as_str().expect("the token").to_owned()
}

#[test]
fn a_program_lists_calls_and_is_counted() {
    let setup = Setup::new().warmed();
    let words = token(&setup, "words", &["packs:call:text.*"]);
    let (data, watch) =
        (token(&setup, "data", &["packs:call:json.*"]), token(&setup, "watch", &["audit:read"]));
    let served = setup.serve(&[]);
    let listed = read(&get(&served, &words, "/v1/packs"));
    let names: Vec<_> =
        listed["packs"].as_array().expect("a list").iter().map(|pack| &pack["name"]).collect();
    assert!(names.contains(&&json!("text.stats")) && !names.contains(&&json!("json.query")), "{names:?}");
    let answer = read(&count(&served, &words));
    assert_eq!(answer["output"]["words"], 6, "{answer}");
    let refused = count(&served, &data);
    assert_eq!((refused.status, &read(&refused)["code"]), (404, &json!("not_found")));
    let metrics = get(&served, &watch, "/metrics").text();
    assert!(metrics.contains("packhost_calls_total{pack=\"text.stats\",outcome=\"ok\"} 1\n"), "{metrics}");
    let loaded =
        metrics.lines().find(|line| line.starts_with("packhost_components_loaded_total{from=\"cache\"}"));
    assert!(loaded.is_some_and(|line| !line.ends_with(" 0")), "it was warmed: {metrics}");
    assert!(
        metrics.contains("packhost_calls_waiting 0\n") && metrics.contains("packhost_pool_instances 0\n")
    );
    assert!(
        metrics.contains("process_resident_memory_bytes "),
        "the walls let the host see its own size: {metrics}"
    );
    for other in [&words, &data] {
        assert_eq!(get(&served, other, "/metrics").status, 403);
    }
    assert_eq!(http::send(served.address, &[], "GET", "/readyz", b"").text(), "ready\n");
}

#[test]
fn a_stranger_who_tries_everything_finds_what_the_document_says() {
    let setup = Setup::new().warmed();
    let token = token(&setup, "stranger", &["packs:call:text.*"]);
    let served = setup.serve(&["--requests-per-minute", "1000000"]);
    let document = format!("http://{}/v1/openapi.json", served.address);
    let mut command = Command::new(installed("venv/bin/schemathesis"));
    command.args(["run", &document, "--header", &format!("Authorization: Bearer {token}"), "--no-color"]);
    command.args([
        "--phases",
        "examples,coverage,fuzzing,stateful",
        "--max-examples",
        "15",
        "--seed",
        "1",
        "--no-shrink",
    ]);
    // What is valid for the document may still be no input of the pack: each pack has a schema of its own.
    command.args(["--exclude-checks", "positive_data_acceptance"]);
    command.args(["--generation-database", "none", "--request-timeout", "30"]);
    command.current_dir(setup.root()).env("NO_PROXY", "127.0.0.1");
    let ran = Ran::from(command.output().expect("it starts"));
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
}
