//! Slips as small models make them, and what becomes of them.

use packhost_core::{ErrorCode, Failure};
use serde_json::{Value, json};

use crate::{Accepted, Contract, MendKind};

fn fetch() -> Contract {
    let schema = json!({
        "type": "object",
        "properties": {
            "url": {"type": "string", "format": "uri", "description": "The page to fetch."},
            "method": {"enum": ["GET", "POST"], "default": "GET"},
            "max_bytes": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000},
            "follow": {"type": "boolean"},
            "ratio": {"type": "number"},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            "ids": {"type": "array", "items": {"type": "integer"}},
            "filter": {"$ref": "#/$defs/filter"},
            "target": {"oneOf": [
                {"type": "object", "properties": {"kind": {"const": "file"}, "path": {"type": "string"}}, "required": ["kind", "path"], "additionalProperties": false},
                {"type": "object", "properties": {"kind": {"const": "page"}, "number": {"type": "integer"}}, "required": ["kind", "number"], "additionalProperties": false}
            ]},
            "when": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "string"}}]}
        },
        "required": ["url"],
        "additionalProperties": false,
        "$defs": {"filter": {"type": "object", "properties": {"deep": {"type": "integer"}, "next": {"$ref": "#/$defs/filter"}}, "additionalProperties": false}}
    });
    let examples = vec![json!({"url": "https://example.org/", "max_bytes": 100})];
    Contract::compile(&schema).expect("a schema").with_examples(examples).expect("valid examples")
}

const URL: &str = "https://a.example/";

fn with(key: &str, value: Value) -> Value {
    json!({"url": URL, key: value})
}

fn mended(input: Value) -> Accepted {
    fetch().accept(input.clone()).unwrap_or_else(|failure| panic!("{input} was refused: {failure}"))
}

fn refused(input: Value) -> Failure {
    let failure = fetch().accept(input.clone()).expect_err(&format!("{input} was taken"));
    assert_eq!(failure.code, ErrorCode::InvalidInput);
    let example = failure.advice.example.clone().expect("an example");
    assert_eq!(fetch().accept(example.clone()).map(|a| a.mends), Ok(vec![]), "{example} is not valid");
    failure
}

#[test]
fn one_slip_each() {
    use MendKind as K;
    let cases = [
        (
            with("max_bytes", json!("5")),
            with("max_bytes", json!(5)),
            K::FromString,
            "\"max_bytes\" was text; read as 5",
        ),
        (
            with("follow", json!("true")),
            with("follow", json!(true)),
            K::FromString,
            "\"follow\" was text; read as true",
        ),
        (
            with("ratio", json!("0.5")),
            with("ratio", json!(0.5)),
            K::FromString,
            "\"ratio\" was text; read as 0.5",
        ),
        (json!({"url": 5}), json!({"url": "5"}), K::ToString, "\"url\" was a number; read as \"5\""),
        (
            with("headers", json!("{\"a\": \"b\"}")),
            with("headers", json!({"a": "b"})),
            K::FromJson,
            "\"headers\" was an object written as text; read as an object",
        ),
        (
            with("headers", json!({"a~/b": 1})),
            with("headers", json!({"a~/b": "1"})),
            K::ToString,
            "\"a~/b\" was a number; read as \"1\"",
        ),
        (
            with("tags", json!("news")),
            with("tags", json!(["news"])),
            K::ToList,
            "\"tags\" was a single value; read as a list of one",
        ),
        (
            with("tags", json!("[\"a\", \"b\"]")),
            with("tags", json!(["a", "b"])),
            K::FromJson,
            "\"tags\" was a list written as text; read as a list",
        ),
        (
            with("ids", json!(7)),
            with("ids", json!([7])),
            K::ToList,
            "\"ids\" was a single value; read as a list of one",
        ),
        (
            with("ids", json!([1, "2"])),
            with("ids", json!([1, 2])),
            K::FromString,
            "\"/ids/1\" was text; read as 2",
        ),
        (
            json!({"input": {"url": URL}}),
            json!({"url": URL}),
            K::Unwrapped,
            "the arguments were wrapped in \"input\"; read without it",
        ),
        (
            with("maxBytes", json!(5)),
            with("max_bytes", json!(5)),
            K::Renamed,
            "\"maxBytes\" was read as \"max_bytes\"",
        ),
        (json!({"URL": URL}), json!({"url": URL}), K::Renamed, "\"URL\" was read as \"url\""),
        (with("follow", Value::Null), json!({"url": URL}), K::NullDropped, "\"follow\" was null; left out"),
        (
            with("method", json!("get")),
            with("method", json!("GET")),
            K::Recased,
            "\"method\" was \"get\"; read as \"GET\"",
        ),
        (with("method", Value::Null), json!({"url": URL}), K::NullDropped, "\"method\" was null; left out"),
        (
            with("filter", json!({"next": {"deep": "3"}})),
            with("filter", json!({"next": {"deep": 3}})),
            K::FromString,
            "\"deep\" was text; read as 3",
        ),
        (
            with("target", json!({"kind": "page", "number": "3"})),
            with("target", json!({"kind": "page", "number": 3})),
            K::FromString,
            "\"number\" was text; read as 3",
        ),
    ];
    for (sent, read, kind, sentence) in cases {
        let accepted = mended(sent);
        assert_eq!(accepted.value, read);
        let kinds: Vec<_> = accepted.mends.iter().map(|mend| mend.kind).collect();
        assert_eq!(kinds, [kind], "{read}");
        assert_eq!(accepted.mends[0].to_string(), sentence);
    }
}

#[test]
fn several_slips_at_once() {
    let sent = json!({"arguments": "{\"URL\": \"https://a.example/\", \"max-bytes\": \"5\", \"ids\": \"[1, \\\"2\\\"]\", \"follow\": null}"});
    let accepted = mended(sent);
    assert_eq!(accepted.value, json!({"url": URL, "max_bytes": 5, "ids": [1, 2]}));
    let report = serde_json::to_value(&accepted.mends).expect("a report");
    assert_eq!(report[0]["kind"], "from_json");
    assert_eq!(
        report[1],
        json!({"pointer": "/arguments", "kind": "unwrapped", "from": "arguments", "to": null})
    );
    assert_eq!(mended(json!(format!("{{\"url\": \"{URL}\"}}"))).value, json!({"url": URL}));
}

#[test]
fn what_could_mean_two_things_is_refused() {
    let cases = [
        with("max_bytes", json!("")),
        with("max_bytes", json!("five")),
        with("max_bytes", json!("007")),
        with("max_bytes", json!(1.5)),
        with("max_bytes", json!("1.5")),
        with("max_bytes", json!(true)),
        with("follow", json!("yes")),
        with("follow", json!(1)),
        with("follow", json!("")),
        with("tags", json!("a, b")),
        with("tags", json!("")),
        with("tags", json!("[\"a\"")),
        with("tags", json!([1.10])),
        with("ids", json!("1 2")),
        with("when", json!("5")),
        with("method", json!("gets")),
        json!({"url": 1.10}),
        json!({"url": null}),
        json!({}),
        json!({"url": URL, "Url": URL}),
        json!({"url": URL, "maxBytes": 1, "MaxBytes": 2}),
        json!({"input": {"url": URL}, "url": URL}),
        json!({"input": {"input": {"url": URL}}}),
        json!({"request": {"url": URL}}),
        json!([URL]),
        json!(URL),
        json!(null),
        with("ids", json!(["12345678901234567890123"])),
    ];
    for sent in cases {
        refused(sent);
    }
}

#[test]
fn a_wrapper_that_the_schema_knows_is_no_wrapper() {
    for schema in [
        json!({"type": "object", "properties": {"input": {"type": "integer"}}, "additionalProperties": false}),
        json!({"type": "object", "additionalProperties": {"type": "object", "required": ["a"]}}),
        json!({"type": "object", "patternProperties": {"^i": {"type": "string"}}}),
    ] {
        let contract = Contract::compile(&schema).expect("a schema");
        assert!(contract.accept(json!({"input": {}})).is_err(), "{schema}");
    }
}

#[test]
fn a_refusal_says_where_what_and_how() {
    let cases = [
        (
            with("max_bytes", json!("lots")),
            "/max_bytes",
            "Wrong value at /max_bytes: expected an integer or null, got the text \"lots\".",
        ),
        (
            with("max_bytes", json!(0)),
            "/max_bytes",
            "Wrong value at /max_bytes: expected an integer or null of at least 1, got the number 0.",
        ),
        (
            json!({"max_bytes": 1}),
            "/url",
            "The property \"url\" is missing: expected text (The page to fetch).",
        ),
        (json!({"ulr": URL}), "/ulr", "There is no property \"ulr\"; did you mean \"url\"?"),
        (
            with("method", json!("fetch")),
            "/method",
            "Wrong value at /method: expected \"GET\" or \"POST\", got the text \"fetch\".",
        ),
        (
            with("target", json!({"kind": "page", "number": "x"})),
            "/target/number",
            "Wrong value at /target/number: expected an integer, got the text \"x\".",
        ),
        (
            with("filter", json!({"zzz": 1})),
            "/filter/zzz",
            "There is no property \"zzz\" in /filter; there is \"deep\" or \"next\".",
        ),
        (json!([1]), "", "The input is wrong: expected an object, got a list of 1."),
    ];
    for (sent, pointer, message) in cases {
        let failure = refused(sent);
        assert_eq!(failure.message, message);
        assert_eq!(failure.advice.pointer.as_deref(), Some(pointer));
        assert!(
            failure.advice.fix.is_some() && failure.advice.expected.is_some() && failure.advice.got.is_some()
        );
    }
}

#[test]
fn the_example_is_what_was_sent_put_right() {
    let example = |sent| refused(sent).advice.example;
    assert_eq!(
        example(json!({"url": URL, "max_bytes": "lots", "tags": ["a"]})),
        Some(json!({"url": URL, "max_bytes": 100, "tags": ["a"]}))
    );
    assert_eq!(example(json!({"ulr": URL})), Some(json!({"url": URL})));
    assert_eq!(example(json!({"tags": []})), Some(json!({"tags": [], "url": "https://example.org/"})));
    assert_eq!(example(with("method", json!("fetch"))), Some(with("method", json!("GET"))));
    assert_eq!(example(json!("nonsense")), Some(json!({"url": "https://example.org/", "max_bytes": 100})));
    let long = example(json!({"url": "x".repeat(100_000), "follow": "maybe"})).expect("an example");
    assert!(long.to_string().len() < 2048, "an example stays short");
    let headers: Value = (0..20).map(|n| (format!("{n}{}", "é".repeat(90)), json!("é".repeat(90)))).collect();
    let wide = example(json!({"url": URL, "follow": "maybe", "headers": headers}));
    assert_eq!(
        wide,
        Some(json!({"url": "https://example.org/", "max_bytes": 100})),
        "so does one cut in many places"
    );
}

#[test]
fn an_example_that_cannot_be_proven_is_left_out() {
    let contract =
        Contract::compile(&json!({"type": "string", "pattern": "^[A-F]{7}-[0-9]{3}$"})).expect("a schema");
    let failure = contract.accept(json!("x")).expect_err("no match");
    assert_eq!(failure.advice.example, None);
    assert_eq!(
        failure.advice.fix.as_deref(),
        Some("Send text that matches the pattern ^[A-F]{7}-[0-9]{3}$.")
    );
}

#[test]
fn an_answer_is_judged_without_being_told() {
    let contract = fetch();
    assert_eq!(contract.check(&json!({"url": "a"})), Ok(()));
    let failure = contract.check(&json!({"url": "a", "max_bytes": "s3cret"})).expect_err("a wrong answer");
    assert_eq!(failure.code, ErrorCode::InvalidOutput);
    assert!(failure.message.ends_with("at /max_bytes, expected an integer or null."), "{}", failure.message);
    assert!(failure.cause.as_deref().is_some_and(|cause| cause.contains("/properties/max_bytes/type")));
    assert!(!format!("{failure:?}").contains("s3cret"));
}

#[test]
fn the_small_parts_of_a_large_input_are_mended() {
    use MendKind as K;
    let large = json!({
        "url": URL, "ids": vec![1; 5000], "max_bytes": "5", "follow": null, "method": "Post",
        "filter": {"Deep": "3"}, "tags": "news",
    });
    let accepted = mended(large.clone());
    let mut read = json!({
        "url": URL, "ids": vec![1; 5000], "max_bytes": 5, "method": "POST", "filter": {"deep": 3}, "tags": ["news"],
    });
    assert_eq!(accepted.value, read);
    let report: Vec<_> = accepted.mends.iter().map(|mend| (mend.pointer.as_str(), mend.kind)).collect();
    assert_eq!(
        report,
        [
            ("/max_bytes", K::FromString),
            ("/follow", K::NullDropped),
            ("/method", K::Recased),
            ("/filter/Deep", K::Renamed),
            ("/filter/deep", K::FromString),
            ("/tags", K::ToList)
        ]
    );
    read["url"] = "x".repeat(2 << 20).into();
    let mut long = read.clone();
    long["max_bytes"] = "5".into();
    assert_eq!(mended(long).value, read);
    for (key, wrong) in [("max_bytes", json!("five")), ("url", Value::Null), ("unknown", json!(1))] {
        let mut wrong_too = large.clone();
        wrong_too[key] = wrong;
        assert!(refused(wrong_too).message.contains("too large to say where"), "{key}");
    }
}

#[test]
fn a_huge_input_is_refused_in_bounded_time() {
    let contract = fetch();
    let many = with("ids", vec![json!("1"); 200_000].into());
    assert!(contract.accept(many.clone()).is_err() && contract.check(&many).is_err());
    let deep = (0..100).fold(json!({"deep": "x"}), |inner, _| json!({"next": inner}));
    assert!(contract.accept(with("filter", deep)).is_err());
    let names: Value =
        (0..4000).map(|n| (format!("maxBytes{n}"), json!(1))).collect::<serde_json::Map<_, _>>().into();
    assert!(contract.accept(names).is_err());
}
