//! Artifacts in a bucket: the built binary against a server that speaks S3 and checks every signature.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use packhost_test_s3::{BUCKET, KEY_ID, SECRET, Server};
use packhost_tests::guests;
use packhost_tests::host::{Ran, Served, Setup};
use packhost_tests::http::{self, Response};
use packhost_tests::record;
use serde_json::{Value, json};

/// Where the host keeps its artifacts.
const PLACE: &str = "artifacts/packhost/eu";
/// What the pack `maker` writes, over and over.
const DIGITS: &str = "0123456789";
/// More than a piece, and not a whole number of them.
const SIZE: usize = 9_000_007;

fn maker() -> Setup {
    let policy = "version: 1\npacks:\n  maker:\n    artifacts: true\n    limits: { time: 60s }\n";
    Setup::new().policy(policy).packs(guests::maker())
}

/// With the key in a file, as a service would have it.
fn in_the_bucket(server: &Server) -> Setup {
    let setup = maker();
    let key = key_file(&setup, SECRET, 0o600);
    setup.args(["--artifacts-s3", &server.url(PLACE), "--artifacts-s3-key", &key])
}

/// A file with the key, as an option names it.
fn key_file(setup: &Setup, secret: &str, mode: u32) -> String {
    let path = setup.root().join("keys/s3");
    fs::create_dir_all(setup.root().join("keys")).expect("the directory is the test's");
    fs::write(&path, format!("{KEY_ID} {secret}\n")).expect("the directory is the test's");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the file is the test's");
    format!("file:{}", path.display())
}

fn good(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

fn refused(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, 1, "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{word} is not in {}", ran.stderr);
    }
    hides(&format!("{ran:?}"));
}

fn hides(text: &str) {
    assert!(!text.contains(SECRET), "the secret is shown: {text}");
}

fn kept(setup: &Setup) -> Vec<Value> {
    let listed = good(setup.run(["--json", "artifacts", "ls"])).json();
    listed["artifacts"].as_array().expect("a list").clone()
}

fn ids(kept: &[Value]) -> Vec<&str> {
    kept.iter().map(|one| one["id"].as_str().expect("an id")).collect()
}

fn send(served: &Served, method: &str, path: &str, head: &[(&str, &str)], body: &str) -> Response {
    http::send(served.address, head, method, path, body.as_bytes())
}

fn make(served: &Served, size: usize) -> Value {
    let body = json!({ "input": { "name": "digits.txt", "size": size } }).to_string();
    let answer =
        send(served, "POST", "/v1/packs/maker/calls", &[("content-type", "application/json")], &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.message()
}

/// Every file below a directory.
fn files(dir: &Path, each: &mut dyn FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(dir).expect("it is there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files(&path, each);
        } else if path.is_file() {
            each(&path, &fs::read(&path).expect("readable"));
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn what_a_call_leaves_is_in_the_bucket_and_nowhere_else() {
    let server = Server::start();
    let setup = in_the_bucket(&server).args(["--log", "info,packhost=trace,object_store=trace"]).warmed();
    let served = setup.serve(&[]);
    let made = make(&served, SIZE);
    let id = made["artifacts"][0]["id"].as_str().expect("an id");
    let blobs = format!("{PLACE}/blobs");
    assert_eq!(server.names(&blobs).len(), 2, "what was made, and what was signed for it");
    assert_eq!(server.parts(), 0);
    let content = format!("/v1/artifacts/{id}/content");
    let part = send(&served, "GET", &content, &[("range", "bytes=-8")], "");
    assert_eq!((part.status, part.text()), (206, "90123456".into()));
    assert_eq!(send(&served, "GET", &content, &[], "").body.len(), SIZE);
    let listed = kept(&setup);
    assert!(listed.len() == 2 && ids(&listed).contains(&id), "{listed:?}");
    let whole = good(setup.run(["artifacts", "get", id]));
    assert!(whole.stdout.len() == SIZE && whole.stdout.starts_with(DIGITS));
    good(setup.run(["artifacts", "verify"]));
    let again = DIGITS.repeat(10);
    let state = setup.state();
    files(&state, &mut |path, bytes| {
        let path = path.strip_prefix(&state).expect("it is in there");
        assert!(!path.starts_with("artifacts"), "{}", path.display());
        // Packs that were compiled.
        if path.starts_with("cache") {
            return;
        }
        for text in [again.as_str(), SECRET] {
            assert!(!holds(bytes, text), "{text} is in {}", path.display());
        }
    });
    assert_eq!(send(&served, "DELETE", &format!("/v1/artifacts/{id}"), &[], "").status, 204);
    assert_eq!(server.names(&blobs).len(), 1);
    good(setup.run(["artifacts", "rm"].into_iter().chain(ids(&kept(&setup)))));
    assert_eq!((server.names(&blobs).len(), kept(&setup)), (0, Vec::new()));
    let (code, log) = served.terminate();
    assert_eq!(code, 0, "{log}");
    hides(&log);
}

#[test]
fn a_key_that_is_none_is_said_and_not_shown() {
    let server = Server::start();
    let url = server.url(PLACE);
    let with = |id: &str, secret: &str| {
        maker()
            .args(["--artifacts-s3", &url])
            .env("AWS_ACCESS_KEY_ID", id)
            .env("AWS_SECRET_ACCESS_KEY", secret)
    };
    good(with(KEY_ID, SECRET).run(["artifacts", "ls"]));
    let wrong = "not-the-secret-key-either";
    for verb in [&["artifacts", "ls"][..], &["call", "maker", "{ \"name\": \"a\" }"]] {
        let ran = with(KEY_ID, wrong).run(verb);
        refused(&ran, &["refuses the access key", "SignatureDoesNotMatch"]);
        assert!(!ran.stderr.contains(wrong) && !ran.stderr.contains(KEY_ID), "{ran:?}");
    }
    refused(&maker().args(["--artifacts-s3", &url]).run(["artifacts", "ls"]), &["AWS_ACCESS_KEY_ID"]);
    refused(
        &with(KEY_ID, SECRET).env("AWS_SESSION_TOKEN", "a").run(["artifacts", "ls"]),
        &["AWS_SESSION_TOKEN"],
    );
    let open = maker();
    let key = key_file(&open, SECRET, 0o644);
    let words = ["--artifacts-s3", &url, "--artifacts-s3-key", &key, "artifacts", "ls"];
    refused(&open.run(words), &["open to other users (mode 644)"]);
    refused(&open.run(["--artifacts-s3-key", &key, "artifacts", "ls"]), &["--artifacts-s3 names none"]);
    let pasted = open.run(["--artifacts-s3", &url, "--artifacts-s3-key", SECRET, "artifacts", "ls"]);
    assert!(pasted.code == 2 && pasted.stderr.contains("never the key itself"), "{pasted:?}");
    hides(&format!("{pasted:?}"));
}

#[test]
fn no_pack_is_granted_the_file_of_the_key() {
    let setup = maker();
    let key = key_file(&setup, SECRET, 0o600);
    let (dir, file) = (setup.root().join("keys"), setup.root().join("keys/s3").display().to_string());
    let rule = format!("{{ host: \"{}\", guest: /files, mode: read-only }}", dir.display());
    let policy = format!("version: 1\npacks:\n  fs.read:\n    fs: [{rule}]\n");
    fs::write(setup.policy_file(), policy).expect("the directory is the test's");
    good(setup.run(["policy", "check"]));
    refused(&setup.run(["--artifacts-s3-key", &key, "policy", "check"]), &["fs.read", &file]);
}

#[test]
fn a_host_takes_no_other_store_for_its_own() {
    let server = Server::start();
    let setup = maker();
    let key = key_file(&setup, SECRET, 0o600);
    let call = ["call", "maker", "{ \"name\": \"a\", \"size\": 5 }"];
    good(setup.run(call));
    let url = server.url(PLACE);
    let options = ["--artifacts-s3", url.as_str(), "--artifacts-s3-key", key.as_str()];
    let there = |words: &[&str]| setup.run(options.iter().chain(words));
    for words in [&["artifacts", "ls"][..], &["artifacts", "gc"], &call] {
        refused(&there(words), &["a directory of this host", &url, "packhost artifacts moved"]);
    }
    assert_eq!(server.names(BUCKET), [""; 0], "nothing was written into it");
    refused(&there(&["artifacts", "moved"]), &["2 of 2 objects are not in"]);
    let from = setup.state().join("artifacts");
    fs::create_dir_all(server.dir("artifacts/packhost")).expect("the server's directory is the test's");
    let copied = Command::new("cp").arg("-r").arg(from).arg(server.dir(PLACE)).status();
    assert!(copied.expect("cp is there").success());
    let moved = good(there(&["--json", "artifacts", "moved"])).json();
    assert_eq!(moved, json!({ "store": url, "objects": 2 }));
    let act = record::of_kind(&setup.state(), "act").pop().expect("on record");
    assert_eq!((&act["verb"], &act["subject"]), (&json!("artifacts.moved"), &json!(url)), "{act}");
    good(there(&["artifacts", "verify"]));
    good(there(&call));
    // Whoever forgets the options is not in the directory again.
    for words in [&["artifacts", "ls"][..], &["artifacts", "gc"], &call] {
        refused(&setup.run(words), &[&url, "a directory of this host"]);
    }
    server.make("another");
    let another = server.url("another");
    let words = ["--artifacts-s3", &another, "--artifacts-s3-key", &key, "artifacts", "ls"];
    refused(&setup.run(words), &[&url, &another]);
    let stranger = maker();
    refused(&stranger.run(options.iter().chain(&["artifacts", "ls"])), &["another state database"]);
    let doctor = there(&["--json", "doctor"]).json();
    let checks = doctor["checks"].as_array().expect("checks");
    let found = checks.iter().find(|check| check["what"] == "artifacts").expect("it is looked at");
    assert_eq!(found["found"], json!(format!("kept in {url}")), "{doctor}");
}
