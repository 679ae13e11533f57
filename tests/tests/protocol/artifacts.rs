//! What components keep through `packhost:pack/artifacts`.

use packhost_tests::guests;
use packhost_tests::host::{Setup, wait_until};
use packhost_tests::record;
use packhost_tests::rpc::{Rpc, result};
use serde_json::{Value, json};

fn host(entry: &str) -> Setup {
    let policy = format!("version: 1\npacks:\n  maker:\n{entry}");
    Setup::new().policy(&policy).packs(guests::maker()).warmed()
}

fn connect(setup: &Setup) -> Rpc {
    let mut rpc = setup.mcp();
    rpc.initialize();
    rpc
}

fn make(rpc: &mut Rpc, input: Value) -> Value {
    rpc.call("maker", input)
}

/// Whatever there is, with the manifests that the host signs.
fn kept(setup: &Setup) -> Vec<Value> {
    let listed = setup.run(["--json", "artifacts", "ls"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    listed.json()["artifacts"].as_array().expect("a list").clone()
}

fn links(result: &Value) -> Vec<&Value> {
    let blocks = result["content"].as_array().expect("blocks").iter();
    blocks.filter(|block| block["type"] == "resource_link").collect()
}

#[test]
fn what_a_component_keeps_is_linked_read_and_signed() {
    let setup = host("    artifacts: true\n    limits: { keep: 2d }\n");
    let mut rpc = connect(&setup);
    // More than a piece, and not a whole number of them.
    let made = make(&mut rpc, json!({ "name": "ten digits.txt", "size": 3_000_007 }));
    let links = links(&made);
    assert_eq!(links.len(), 1, "{made}");
    assert_eq!((&links[0]["name"], &links[0]["size"]), (&json!("ten digits.txt"), &json!(3_000_007)));
    assert_eq!(made["structuredContent"]["uris"][0], links[0]["uri"], "{made}");
    let uri = links[0]["uri"].as_str().expect("an address");
    let read = result(rpc.request("resources/read", json!({ "uri": format!("{uri}?bytes=-8") })));
    assert_eq!(read["contents"][0]["text"], "90123456", "{read}");
    let verified = setup.run(["artifacts", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    assert!(verified.stdout.contains("sound"), "{verified:?}");
    let one = kept(&setup).into_iter().find(|one| one["kind"] == "made").expect("it is kept");
    let lifetime = one["expires"].as_u64().zip(one["created"].as_u64()).expect("times");
    assert_eq!(lifetime.0 - lifetime.1, 2 * 24 * 3_600_000, "as long as the entry says");
    let by_hand = setup.run(["call", "maker", r#"{ "name": "by hand", "size": 5 }"#]);
    assert_eq!(by_hand.code, 0, "{by_hand:?}");
    assert!(kept(&setup).iter().any(|one| one["name"] == "by hand"), "the command line keeps it as well");
    let digest = one["digest"].as_str().expect("a digest");
    assert_eq!(made["structuredContent"]["digest"], digest);
}

#[test]
fn a_host_whose_store_is_lost_goes_on_once_what_it_had_is_removed() {
    let setup = host("    artifacts: true\n");
    let call = || setup.run(["call", "maker", r#"{ "name": "a", "size": 5 }"#]);
    assert_eq!(call().code, 0);
    std::fs::remove_dir_all(setup.state().join("artifacts")).expect("the directory is the test's");
    let refused = setup.run(["mcp"]);
    assert!(refused.code == 1 && refused.stderr.contains("packhost artifacts rm --missing"), "{refused:?}");
    let verified = setup.run(["--json", "artifacts", "verify"]);
    assert_eq!(verified.code, 1, "{verified:?}");
    let found = verified.json()["runs"][0]["artifacts"].as_array().expect("a list").clone();
    assert!(found.len() == 2 && found.iter().all(|one| one["finding"]["is"] == "lost"), "{verified:?}");
    let removed = setup.run(["--json", "artifacts", "rm", "--missing"]);
    let ids = removed.json()["removed"].clone();
    assert_eq!((removed.code, ids.as_array().map(Vec::len)), (0, Some(2)), "{removed:?}");
    let act = record::of_kind(&setup.state(), "act").pop().expect("it is on record");
    assert_eq!((&act["verb"], &act["subject"]), (&json!("artifacts.rm"), &json!("missing")), "{act}");
    assert!(act["details"]["artifacts"].as_str().is_some_and(|names| names.starts_with("art-")), "{act}");
    assert_eq!(call().code, 0);
    assert_eq!(kept(&setup).len(), 2, "one, and what is signed for it");
    let none = setup.run(["artifacts", "rm", "--missing"]);
    assert_eq!((none.code, none.stdout.trim()), (0, "nothing is missing"), "{none:?}");
    let verified = setup.run(["artifacts", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    let id = ids[0].as_str().expect("an id");
    for wrong in [&["artifacts", "rm"][..], &["artifacts", "rm", "--missing", id]] {
        assert_eq!(setup.run(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn an_artifact_that_is_not_there_is_named_and_whoever_reads_may_have_enough() {
    let setup = host("    artifacts: true\n");
    assert_eq!(setup.run(["call", "maker", r#"{ "name": "a", "size": 5 }"#]).code, 0);
    let kept = kept(&setup);
    let id = kept[0]["id"].as_str().expect("an id");
    let (reader, writer) = std::io::pipe().expect("pipes can be had");
    drop(reader);
    let got = setup.command(["artifacts", "get", id]).stdout(writer).output().expect("the binary starts");
    assert!(got.status.success() && got.stderr.is_empty(), "{got:?}");
    let never = "art-h6sd745k3t4wxk08rjnk1jkpd7";
    for verb in ["get", "rm"] {
        let refused = setup.run(["--json", "artifacts", verb, never]);
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(
            refused.code == 13 && said.contains(&format!("There is no artifact {never}.")),
            "{refused:?}"
        );
    }
}

#[test]
fn nothing_is_kept_of_a_call_that_fails_or_of_what_is_not_finished() {
    let setup = host("    artifacts: true\n    limits: { time: 1s }\n");
    let mut rpc = connect(&setup);
    for (then, code) in [("fail", "handler_failed"), ("spin", "timeout")] {
        let failed = make(&mut rpc, json!({ "name": "a", "size": 10, "then": then }));
        assert_eq!(failed["_meta"]["packhost/error"]["code"], code, "{failed}");
    }
    wait_until("what failed calls have kept is gone", &|| kept(&setup).is_empty());
    let left = make(&mut rpc, json!({ "name": "a", "size": 10, "then": "leave" }));
    assert_eq!(links(&left).len(), 1, "{left}");
    assert_eq!(kept(&setup).len(), 2, "one, and what is signed for it");
}

#[test]
fn a_caller_has_as_much_room_as_the_host_says() {
    let setup = host("    artifacts: true\n").env("PACKHOST_ARTIFACTS_PER_CALLER", "1MiB");
    let mut rpc = connect(&setup);
    let refused = make(&mut rpc, json!({ "name": "a", "size": 2_000_000 }));
    assert_eq!(refused["isError"], true, "{refused}");
    assert!(kept(&setup).is_empty(), "nothing is kept of it");
    let made = make(&mut rpc, json!({ "name": "a", "size": 100_000 }));
    assert_eq!(links(&made).len(), 1, "{made}");
    let wrong = setup.run(["mcp", "--artifacts-most", "1KiB"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("of at least 1MiB"), "{wrong:?}");
}

#[test]
fn a_pack_keeps_what_it_is_granted_and_no_more() {
    let refused = host("    limits: { keep: 2d }\n");
    let listed = refused.run(["--json", "packs", "list"]);
    assert!(listed.stdout.contains("its entry has no \\\"artifacts\\\""), "{listed:?}");
    let setup = host("    artifacts: true\n    limits: { time: 60s }\n");
    let mut rpc = connect(&setup);
    for (input, said) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "a\nb" }), "name"),
        (json!({ "name": "a", "media_type": "nonsense" }), "media type"),
        (json!({ "name": "a", "times": 101 }), "100 artifacts"),
    ] {
        let failed = make(&mut rpc, input.clone());
        let text = failed["content"][0]["text"].as_str().unwrap_or_default();
        assert!(failed["isError"] == true && text.contains(said), "{input}: {failed}");
    }
    wait_until("what failed calls have kept is gone", &|| kept(&setup).is_empty());
}
