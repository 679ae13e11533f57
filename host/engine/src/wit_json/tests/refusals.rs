//! What is wrong with an input is said with its place, what was expected and what was found.

use packhost_core::ErrorCode;
use serde_json::{Value, json};

use super::{Ready, engine};

fn refusals(types: &str, param: &str, cases: &[(Value, &str, &str, &str)]) {
    let wat = format!(
        r#"(component {types}
            (core module $m
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                (func (export "take") (param i32 i32)))
            (core instance $i (instantiate $m))
            (func (export "take") (param "v" (list {param}))
                (canon lift (core func $i "take") (memory $i "memory") (realloc (func $i "realloc")))))"#
    );
    let guest = Ready::new(&engine(), &wat);
    for (value, pointer, expected, got) in cases {
        let input = json!({"v": [value]});
        let failure = guest.signatures[0].lower(&input).expect_err(&format!("{input} was taken"));
        assert_eq!(failure.code, ErrorCode::InvalidInput);
        assert_eq!(failure.advice.pointer.as_deref(), Some(format!("/v/0{pointer}").as_str()), "{input}");
        assert_eq!(failure.advice.expected.as_deref(), Some(*expected), "{input}");
        assert_eq!(failure.advice.got.as_deref(), Some(*got), "{input}");
        assert_eq!(failure.message, format!("/v/0{pointer}: expected {expected}, got {got}."));
    }
}

#[test]
fn numbers() {
    let int = "an integer from 0 to 65535";
    refusals(
        "",
        "u16",
        &[
            (json!(70000), "", int, "70000"),
            (json!(-1), "", int, "-1"),
            (json!(1.5), "", int, "1.5"),
            (json!("12"), "", int, "\"12\""),
            (json!(null), "", int, "null"),
        ],
    );
    let wide = "an integer from -9223372036854775808 to 9223372036854775807, as a decimal string beyond 9007199254740991";
    refusals(
        "",
        "s64",
        &[
            (json!("9223372036854775808"), "", wide, "\"9223372036854775808\""),
            (json!("007"), "", wide, "\"007\""),
            (json!("-0"), "", wide, "\"-0\""),
            (json!("+1"), "", wide, "\"+1\""),
            (json!(""), "", wide, "\"\""),
            // Already rounded by whoever wrote it.
            (json!(9_007_199_254_740_992.0), "", wide, "9007199254740992.0"),
            (json!(u64::MAX), "", wide, "18446744073709551615"),
        ],
    );
    let single = "a number from -3.4028234663852886e38 to 3.4028234663852886e38, \"NaN\", \"Infinity\" or \"-Infinity\"";
    refusals("", "f32", &[(json!(1e39), "", single, "1e+39"), (json!("nan"), "", single, "\"nan\"")]);
}

#[test]
fn texts() {
    let char = "a string of one character";
    refusals("", "char", &[(json!("ab"), "", char, "\"ab\""), (json!(""), "", char, "\"\"")]);
    refusals(
        "(type $b (list u8))",
        "$b",
        &[
            (json!("a!"), "", "bytes as a base64 string", "\"a!\""),
            (json!([1, 2]), "", "bytes as a base64 string", "an array of 2"),
        ],
    );
    let long = format!("\"{}…\"", "y".repeat(60));
    refusals("", "bool", &[(json!("y".repeat(70_000)), "", "true or false", &long)]);
}

#[test]
fn records_and_unions() {
    let types = r#"
        (type $mode' (enum "fast" "slow")) (export $mode "mode" (type $mode'))
        (type $opts' (record (field "limit" u8) (field "mode" (option $mode)))) (export $opts "opts" (type $opts'))
        (type $pick' (variant (case "all") (case "some" $opts))) (export $pick "pick" (type $pick'))"#;
    let int = "an integer from 0 to 255";
    refusals(
        types,
        "$opts",
        &[
            (json!({}), "/limit", int, "nothing"),
            (json!({"limit": 256}), "/limit", int, "256"),
            (
                json!({"limit": 1, "mode": "quick"}),
                "/mode",
                "one of \"fast\", \"slow\", or null",
                "\"quick\"",
            ),
            (
                json!({"limit": 1, "a/b~c": []}),
                "/a~1b~0c",
                "only the members \"limit\", \"mode\"",
                "an array of 0",
            ),
            (json!([]), "", "an object", "an array of 0"),
        ],
    );
    let union = "an object {\"tag\": name, \"val\": value} with a tag of \"all\", \"some\"";
    refusals(
        types,
        "$pick",
        &[
            (json!("all"), "", union, "\"all\""),
            (json!({}), "/tag", "one of \"all\", \"some\"", "nothing"),
            (json!({"tag": "none"}), "/tag", "one of \"all\", \"some\"", "\"none\""),
            (json!({"tag": "all", "val": 1}), "/val", "only the members \"tag\"", "1"),
            (json!({"tag": "some"}), "/val", "an object", "nothing"),
            (json!({"tag": "some", "val": {"limit": -1}}), "/val/limit", int, "-1"),
        ],
    );
}

#[test]
fn lists_of_every_kind() {
    refusals(
        "(type $t (tuple u8 bool))",
        "$t",
        &[(json!([1]), "", "an array of 2", "an array of 1"), (json!([1, 2]), "/1", "true or false", "2")],
    );
    let flags = "an array with any of \"read\", \"write\", each once";
    refusals(
        r#"(type $f' (flags "read" "write")) (export $f "f" (type $f'))"#,
        "$f",
        &[
            (json!(["read", "read"]), "/1", flags, "\"read\""),
            (json!(["exec"]), "/0", flags, "\"exec\""),
            (json!({"read": true}), "", flags, "an object"),
        ],
    );
    refusals("(type $b (list u8 4))", "$b", &[(json!("AAAA"), "", "4 bytes as a base64 string", "3 bytes")]);
    refusals(
        "(type $m (map u8 bool))",
        "$m",
        &[
            (json!([[1]]), "/0", "a pair [key, value]", "an array of 1"),
            (json!({"1": true}), "", "an array of pairs [key, value]", "an object"),
        ],
    );
    refusals("(type $m (map string bool))", "$m", &[(json!({"a/b": 1}), "/a~1b", "true or false", "1")]);
    let nested = "null or an object {\"some\": value}";
    refusals(
        "(type $o (option bool)) (type $oo (option $o))",
        "$oo",
        &[
            (json!(true), "", nested, "true"),
            (json!({"some": 1}), "/some", "true or false, or null", "1"),
            (json!({"some": true, "more": 1}), "", nested, "an object"),
        ],
    );
}

#[test]
fn the_input_itself() {
    let wat = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func (export "f") (canon lift (core func $i "f"))))"#;
    let guest = Ready::new(&engine(), wat);
    let refuse = |input| guest.signatures[0].lower(&input).expect_err("it was taken").message;
    assert_eq!(refuse(json!([])), "the input: expected an object, got an array of 0.");
    assert_eq!(refuse(json!({"x": 1})), "/x: expected no members, got 1.");
}
