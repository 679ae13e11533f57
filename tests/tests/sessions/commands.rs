//! Packs that are a command of the manifest, without a component.

use packhost_tests::host::Setup;
use packhost_tests::rpc::result;
use serde_json::{Value, json};

use crate::{answer, connect, failure, text};

fn with(run: &str, more: &str) -> Setup {
    Setup::new().policy(&format!(
        r#"
version: 1
packs:
  word.count:
    command:
      run: {run}
      description: Counts words.
      input: {{ type: object, properties: {{ text: {{ type: string }} }}, required: [text], additionalProperties: false }}
      output: {{ type: object, properties: {{ words: {{ type: integer }} }}, required: [words] }}
      examples: [{{ text: "to be or not" }}]
    session:
      on: [process]
      files: {{ read_write: [/tmp], read_only: [/usr, /lib, /lib64, /bin] }}
{more}
"#
    ))
}

const COUNT: &str = r#"[python3, -c, "import json,sys; print(json.dumps({'words': len(json.load(sys.stdin)['text'].split())}))"]"#;

#[test]
fn any_program_that_reads_and_writes_json_is_a_pack() {
    let setup = with(COUNT, "");
    let mut rpc = connect(&setup);
    let listed = result(rpc.request("tools/list", json!({})));
    let tool = &listed["tools"][0];
    assert_eq!(
        (tool["name"].as_str(), tool["description"].as_str()),
        (Some("word_count"), Some("Counts words."))
    );
    assert_eq!(
        answer(rpc.call("word_count", json!({ "text": "to be or not to be" }))),
        json!({ "words": 6 })
    );
    // It is mended, refused and explained as any other.
    assert_eq!(answer(rpc.call("word_count", json!({ "text": 7 }))), json!({ "words": 1 }));
    let refused = rpc.call("word_count", json!({}));
    assert_eq!(failure(&refused)["example"], json!({ "text": "to be or not" }), "{refused}");
    let shown = setup.run(["--json", "call", "word.count", "{\"text\": \"a b\"}"]).json();
    assert_eq!(shown["output"], json!({ "words": 2 }));
    assert_eq!(shown["session"]["backend"], "process");
    let (_, _, log) = rpc.close();
    assert!(!log.contains("cannot be loaded"), "there is no component to load: {log}");
}

#[test]
fn what_goes_wrong_in_it_is_said_in_the_closed_set() {
    let code = |run: &str| -> Value {
        let setup = with(run, "    limits: { time: 2s, output: 1KiB }");
        let mut rpc = connect(&setup);
        failure(&rpc.call("word_count", json!({ "text": "a" }))).clone()
    };
    let failed = code("[sh, -c, \"echo it broke >&2; exit 3\"]");
    assert_eq!(failed["code"], "handler_failed", "{failed}");
    assert!(
        text(&failed, "message").contains("exit code 3") && text(&failed, "message").contains("it broke")
    );
    assert_eq!(code("[sh, -c, \"echo no json\"]")["code"], "invalid_output");
    assert_eq!(code("[sh, -c, \"echo '{}'\"]")["code"], "invalid_output");
    assert_eq!(code("[sh, -c, \"yes\"]")["code"], "timeout");
    assert_eq!(code("[sh, -c, \"head -c 5000 /dev/zero\"]")["code"], "resource_exhausted");
    assert_eq!(code("[no-such-program]")["code"], "not_found");
}

#[test]
fn a_command_of_the_name_of_a_component_is_not_served_and_neither_is_it() {
    let setup = Setup::new().policy(
        "version: 1\npacks:\n  text.stats:\n    command: { run: [cat], description: x, input: { type: object } }\n    session: { on: [process], files: { read_only: [/usr, /lib, /lib64, /bin] } }\n",
    );
    let listed = setup.run(["--json", "packs", "list"]).json();
    assert_eq!(listed["packs"], json!([]), "{listed}");
    assert!(listed["not_served"].to_string().contains("there is a component of that name"), "{listed}");
}
