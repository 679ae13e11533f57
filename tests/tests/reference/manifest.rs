//! `manifest.md`, from the JSON Schema of manifest files and the table of limits.

use packhost_manifest::{
    Callers, FsMode, LimitKind, Limits, Manifest, Origin, Scheme, Source, Target, schema,
};
use serde_json::{Map, Value, json};

use crate::{MADE, head, is, row};

const INTRO: &str = "\
One or more YAML files make one set, which takes effect as a whole or not at all. What is not granted is denied; what is not
known is an error with its file, line and column. [The manifest](../manifest.md) says how the keys work together;
`packhost policy schema` prints this page as a JSON Schema, with the exact patterns of texts.
";

const EXAMPLE: &str = "\
version: 1
extends: shipped
packs:
  http.fetch:
    http:
      - url: \"${input.url}\"
      - host: \"*.example.com\"
        methods: [GET, POST]
        paths: [\"/v1/**\"]
    limits: { time: 20s, requests: 4 }
  fs.read:
    fs: [{ host: \"${state}/files\", guest: /files }]
    callers: [local, \"token:ci\"]
  text.stats: {}
  web.scrape: { deny: true }
";

/// What it means that a key is not there. A key that this does not know is a key that nobody has thought about yet.
fn absent(object: &str, key: &str) -> &'static str {
    match (object, key) {
        ("file", "extends") => "your files are all there is",
        ("file", "packs") => "no packs",
        ("file", "ceiling") => "no ceiling",
        ("entry", "http" | "fs" | "env" | "config" | "ask") => "nothing",
        ("entry", "callers") => "every caller",
        ("entry", "limits") => "the defaults",
        ("entry", "narrow") => "the same for every caller",
        ("narrowing", "limits") => "the entry's",
        ("narrowing", "credentials") => "all that the entry's rules name",
        ("entry", "report") => "denied, and that is all",
        ("entry", "deny") => "not denied",
        ("entry", "session") => "no sandbox",
        ("entry", "record_input") => "its hash alone",
        ("entry", "workspace") => "no workspace",
        ("entry", "artifacts") => "nothing is kept but what programs leave in `out/`",
        ("entry", "command") => "the pack is a component",
        ("session", "image") => "the machine's own files",
        ("session", "files" | "http" | "env") => "nothing",
        ("session", "idle") => "`60s`",
        ("session", "lifetime") => "`1h`",
        ("session", "warm") => "`0`",
        ("session-files" | "ceiling-session-files" | "ceiling-session", _) => "nothing",
        ("session-http-rule", "tls") => "the host does not look into TLS",
        ("command", "title") => "the pack's name",
        ("command", "output") => "any JSON",
        ("command", "examples") => "none",
        ("ceiling", "limits") => "the most of each limit",
        ("ceiling", _) => "nothing",
        ("http-rule" | "ceiling-http-rule" | "session-http-rule", "host" | "url") => "the other is there",
        ("http-rule" | "ceiling-http-rule" | "session-http-rule", "scheme") => {
            "`https` with `host`, any with `url`"
        }
        ("http-rule" | "ceiling-http-rule" | "session-http-rule", "ports") => {
            "the scheme's own with `host`, any with `url`"
        }
        ("http-rule" | "ceiling-http-rule" | "session-http-rule", "methods") => "`GET`, `HEAD`",
        ("http-rule" | "ceiling-http-rule" | "session-http-rule", "paths") => "every path",
        ("http-rule" | "ceiling-http-rule" | "session-http-rule", "addresses") => "public addresses",
        ("http-rule" | "ceiling-http-rule" | "session-http-rule", "credentials") => "none",
        ("fs-rule" | "ceiling-fs-rule", "mode") => "`read-only`",
        other => panic!("say in this test what it means that {other:?} is absent"),
    }
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema[key].as_str().unwrap_or_default()
}

/// The definition that a reference leads to.
fn definition(schema: &Value) -> Option<&str> {
    text(schema, "$ref").strip_prefix("#/$defs/")
}

/// The first of alternatives: the other one is nothing at all.
fn first(schema: &Value) -> &Value {
    if schema["anyOf"].is_array() { &schema["anyOf"][0] } else { schema }
}

/// Everything that a schema refers to, in order.
fn references<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
    found.extend(definition(schema));
    match schema {
        Value::Object(fields) => fields.values().for_each(|value| references(value, found)),
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// What a value is, in words.
fn kind(schema: &Value) -> String {
    let schema = first(schema);
    let code = |value: &Value| format!("`{}`", flow(value));
    if let Some(name) = definition(schema) {
        return format!("[{}](#{name})", name.replace('-', " "));
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(code).collect::<Vec<_>>().join(" or ");
    }
    match text(schema, "type") {
        "" => code(&schema["const"]),
        "array" => match kind(&schema["items"]).as_str() {
            "text" => "list of texts".into(),
            items => format!("list: {items}"),
        },
        "object" if schema["additionalProperties"].is_null() => "a JSON object".into(),
        "object" => format!("map from text to {}", kind(&schema["additionalProperties"])),
        "integer" => format!("whole number, {} to {}", schema["minimum"], schema["maximum"]),
        _ => "text".into(),
    }
}

/// A value that the schema takes, where it says one. `templates`: one that depends on a call's input may be it.
fn example(schema: &Value, templates: bool) -> Option<Value> {
    let schema = first(schema);
    let fits = |value: &&Value| templates || !value.to_string().contains("${input");
    let examples = schema["examples"].as_array().into_iter().flatten().filter(fits);
    let fixed = [&schema["const"], &schema["enum"][0]].into_iter().filter(|value| !value.is_null());
    if let Some(value) = examples.chain(fixed).next() {
        return Some(value.clone());
    }
    match text(schema, "type") {
        "array" => {
            let items = &schema["items"];
            let several = items["examples"].as_array().into_iter().flatten().filter(fits).take(2);
            let several: Vec<Value> = several.cloned().collect();
            let one = || example(items, templates).map(|value| Value::Array(vec![value]));
            if several.is_empty() { one() } else { Some(Value::Array(several)) }
        }
        "object" => {
            let name = example(&schema["propertyNames"], templates)?.as_str()?.to_owned();
            let value = example(&schema["additionalProperties"], templates)?;
            Some(Value::Object(Map::from_iter([(name, value)])))
        }
        "integer" if schema["minimum"] == 0 => Some(json!(1)),
        // The others are ports.
        "integer" => Some(json!(8443)),
        _ => None,
    }
}

/// A value as YAML on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
            let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
            if starts && text.chars().all(plain) { text.clone() } else { value.to_string() }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}: {}", flow(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn section(id: &str, object: &Value) -> String {
    let mut section = format!("\n## {}\n\n{}\n\n", id.replace('-', " "), text(object, "description"));
    section += &head(&["key", "value", "if absent", "meaning", "example"]);
    let required = object["required"].as_array().into_iter().flatten();
    let required: Vec<&str> = required.filter_map(Value::as_str).collect();
    for (key, schema) in object["properties"].as_object().expect("an object has properties") {
        let absent = if required.contains(&key.as_str()) { "required" } else { absent(id, key) };
        let example = example(schema, !id.starts_with("ceiling"));
        let example = example.map(|value| format!("`{key}: {}`", flow(&value))).unwrap_or_default();
        section += &row(&[&format!("`{key}`"), &kind(schema), absent, text(schema, "description"), &example]);
    }
    section
}

fn limits(object: &Value) -> String {
    let mut section = format!("\n## limits\n\n{}\n\n", text(object, "description"));
    section +=
        "Times have `ms`, `s`, `m` or `h`; sizes have `B`, `KiB`, `MiB` or `GiB`; all numbers are whole.\n\n";
    section += &head(&["limit", "value", "default", "least", "most", "meaning", "example"]);
    for limit in Limits::TABLE {
        let kind = match limit.kind {
            LimitKind::Time => "time",
            LimitKind::Size => "size",
            LimitKind::Count => "whole number",
        };
        let [default, min, max] = [limit.default, limit.min, limit.max].map(|value| limit.show(value));
        let (name, example) = (format!("`{}`", limit.name), format!("`{}: {default}`", limit.name));
        section += &row(&[&name, kind, &default, &min, &max, limit.doc, &example]);
    }
    section
}

fn page() -> String {
    let schema = schema();
    let mut page = format!("# Manifest, version 1\n\n{MADE}\n\n{INTRO}\n```yaml\n{EXAMPLE}```\n");
    page += &section("file", &schema);
    let mut open = Vec::new();
    references(&schema["properties"], &mut open);
    let mut done: Vec<&str> = Vec::new();
    while !open.is_empty() {
        let id = open.remove(0);
        if done.contains(&id) {
            continue;
        }
        done.push(id);
        let object = &schema["$defs"][id];
        page += &if id == "limits" { limits(object) } else { section(id, object) };
        references(object, &mut open);
    }
    assert_eq!(done.len(), schema["$defs"].as_object().map_or(0, Map::len), "something is not in the page");
    page
}

fn read(text: &str) -> Manifest {
    let source = Source { name: "a.yaml".into(), text: text.into(), origin: Origin::Operator };
    let mut sources = packhost_manifest::shipped();
    sources.push(source);
    Manifest::parse(&sources).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn the_manifest_reference_is_what_the_code_says() {
    is("manifest.md", &page());
}

#[test]
fn the_example_is_a_manifest() {
    let manifest = read(EXAMPLE);
    let own = manifest.entries().filter(|entry| &*entry.place.file == "a.yaml");
    assert_eq!(own.count(), 4);
}

#[test]
fn an_absent_key_means_what_is_said() {
    let manifest = read(
        "version: 1\npacks:\n  a:\n    http: [{ host: a.example }, { url: \"${input.url}\" }]\n    \
         fs: [{ host: \"${state}/files\", guest: /files }]\n",
    );
    assert_eq!(manifest.entries().count(), 1, "the shipped entries do not count");
    let entry = manifest.entries().next().expect("an entry");
    let [host, url] = entry.http.as_slice() else { panic!("two rules: {:?}", entry.http) };
    assert!(matches!(&host.target, Target::Host { scheme: Scheme::Https, ports, .. } if *ports == [443]));
    assert!(matches!(&url.target, Target::Origin { scheme: None, ports, .. } if ports.is_empty()));
    for rule in [host, url] {
        assert_eq!(rule.methods, ["GET", "HEAD"]);
        assert!(rule.paths.is_none() && rule.addresses.is_empty());
    }
    assert_eq!(entry.fs[0].mode, FsMode::ReadOnly);
    assert_eq!((&entry.callers, entry.report, entry.denied), (&Callers::Every, false, false));
    assert!(entry.env.is_empty() && entry.config.is_empty() && !entry.ask.user && !entry.ask.model);
    assert_eq!(entry.limits, Limits::default());
    assert!(manifest.ceiling().is_none());
}
