//! Packs that are a program.

use super::*;

pub(super) const TOOL: &str = "\
session: {on: [docker], image: tools}
command:
  run: [/usr/local/bin/tool, --json]
  title: Tool
  description: Does it.
  input: {type: object, properties: {a: {type: string}}}
  output: {type: object}
  examples: [{a: b}]";

#[test]
fn a_command_is_a_pack_without_a_component() {
    let text = format!("version: 1\npacks:\n  a:\n    {}", TOOL.replace('\n', "\n    "));
    let command = only(&manifest(&text)).command.unwrap();
    assert_eq!(command.run, ["/usr/local/bin/tool", "--json"]);
    assert_eq!((command.title.as_deref(), command.description.as_str()), (Some("Tool"), "Does it."));
    assert_eq!(command.input, json!({ "type": "object", "properties": { "a": { "type": "string" } } }));
    assert_eq!(
        (command.output, command.examples),
        (Some(json!({ "type": "object" })), vec![json!({ "a": "b" })])
    );
    assert_eq!(command.place.line, 5);
    let with = |old: &str, new: &str| {
        assert!(TOOL.contains(old), "{old}");
        TOOL.replace(old, new)
    };
    for (lines, at, message, instead) in [
        (
            with("session: {on: [docker], image: tools}\n", ""),
            (4, 5),
            "this entry has no session",
            "add \"session\"",
        ),
        (with("[/usr/local/bin/tool, --json]", "[]"), (6, 12), "\"run\" is empty", "name the program"),
        (with("[/usr/local/bin/tool, --json]", "[tool, '${input.a}']"), (6, 19), "as they stand", ""),
        (with("[/usr/local/bin/tool, --json]", "['']"), (6, 13), "no name", ""),
        (with("[/usr/local/bin/tool, --json]", "[tool, 5]"), (6, 19), "must be a text", "in quotes"),
        (with("  description: Does it.\n", ""), (6, 7), "\"description\" is missing", ""),
        (with("Does it.", "' '"), (8, 20), "\"description\" is empty", ""),
        (
            with("  input: {type: object, properties: {a: {type: string}}}\n", ""),
            (6, 7),
            "\"input\" is missing",
            "",
        ),
        (with("{type: object, properties: {a: {type: string}}}", "[]"), (9, 14), "must be a map", ""),
        (with("{a: {type: string}}", "{a: {}, a: {}}"), (9, 49), "\"a\" is here twice", ""),
        (TOOL.replace("title", "titel"), (7, 7), "unknown key", "did you mean \"title\"?"),
        (format!("{TOOL}\nhttp: []"), (12, 5), "\"http\" is for a component", "under session.http"),
        (format!("{TOOL}\nask: [user]"), (12, 5), "\"ask\" is for a component", "delete the key"),
    ] {
        refused(&lines, at, message, instead);
    }
    refused(&with("title: Tool", &format!("title: {}", "a".repeat(101))), (7, 14), "at most 100 bytes", "");
    let many = format!("[{}]", vec!["a"; 65].join(", "));
    refused(&with("[/usr/local/bin/tool, --json]", &many), (6, 12), "more than 64 texts", "");
}
