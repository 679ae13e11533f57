//! Which exports become tools, and under which names.

use super::discover;
use crate::wit_json::discover::Discovered;

fn names(discovered: &Discovered) -> Vec<&str> {
    discovered.signatures.iter().map(|signature| signature.name.as_str()).collect()
}

fn reasons(discovered: &Discovered) -> Vec<String> {
    discovered.left_out.iter().map(ToString::to_string).collect()
}

/// A component with a function `$f` without parameters, and these exports.
fn exporting(exports: &str) -> String {
    format!(
        r#"(component
            (core module $m (func (export "f")) (func (export "one") (param i32)))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (instance $words (export "words" (func $f)))
            {exports})"#
    )
}

#[test]
fn functions_are_named_without_package_and_version() {
    let found = discover(&exporting(
        r#"(export "add" (func $f))
           (export "demo:text/count@0.1.0" (instance $words))
           (export "demo:text/word-LIST@1.2.3-rc.1" (instance $words))
           (export "plain" (instance $words))"#,
    ));
    assert_eq!(names(&found), ["add", "count.words", "plain.words", "word-list.words"]);
    assert_eq!(found.left_out, []);
    assert!(names(&found).iter().all(|name| name.parse::<packhost_core::PackName>().is_ok()));
}

#[test]
fn two_functions_of_one_name_are_both_refused() {
    let found = discover(&exporting(
        r#"(export "demo:text/count@0.1.0" (instance $words))
           (export "demo:text/count@0.2.0" (instance $words))
           (export "other:text/count" (instance $words))
           (export "add" (func $f))"#,
    ));
    assert_eq!(names(&found), ["add"]);
    assert_eq!(found.left_out.len(), 3);
    for reason in reasons(&found) {
        assert!(
            reason.contains("demo:text/count@0.1.0#words and demo:text/count@0.2.0#words and other:"),
            "{reason}"
        );
        assert!(reason.ends_with("would all be called \"count.words\""), "{reason}");
    }
}

#[test]
fn entry_points_for_hosts_are_no_tools() {
    let found = discover(&exporting(
        r#"(instance $run (export "run" (func $f)))
           (export "wasi:cli/run@0.2.6" (instance $run))
           (export "wasi:http/incoming-handler@0.2.6" (instance $run))
           (export "packhost:pack/handler@0.1.0" (instance $run))
           (export "add" (func $f))"#,
    ));
    assert_eq!(names(&found), ["add"]);
    assert_eq!(found.left_out.len(), 3);
    assert_eq!(
        reasons(&found)[0],
        "the export wasi:cli/run@0.2.6 is not a tool: it is an entry point for hosts"
    );
}

#[test]
fn what_is_not_a_value_leaves_the_other_functions_usable() {
    let found = discover(&exporting(
        r#"(type $r' (resource (rep i32))) (export $r "handle" (type $r'))
           (type $wrapped (list (tuple u8 (own $r))))
           (func (export "keep") (param "it" (borrow $r)) (canon lift (core func $i "one")))
           (func (export "take") (param "it" (own $r)) (canon lift (core func $i "one")))
           (func (export "[method]handle.close") (param "self" (borrow $r)) (canon lift (core func $i "one")))
           (func (export "pour") (param "it" (stream u8)) (canon lift (core func $i "one")))
           (func (export "wait") (param "it" (future u8)) (canon lift (core func $i "one")))
           (core module $empty) (export "raw" (core module $empty))
           (export "add" (func $f))"#,
    ));
    assert_eq!(names(&found), ["add"]);
    let not = |export: &str, why: &str| format!("the export {export} is not a tool: {why}");
    let value = "which is not a value that JSON can hold";
    assert_eq!(
        reasons(&found),
        [
            not("raw", "it is neither a function nor an interface of functions"),
            not("keep", &format!("its parameter \"it\" holds a borrowed resource, {value}")),
            not("take", &format!("its parameter \"it\" holds a resource, {value}")),
            not("[method]handle.close", "it belongs to a resource, and resources do not outlive a call"),
            not("pour", &format!("its parameter \"it\" holds a stream, {value}")),
            not("wait", &format!("its parameter \"it\" holds a future, {value}")),
        ]
    );
}

/// Pairs of pairs of pairs: 40 lines of types that would unfold to 2^n.
#[test]
fn types_that_unfold_without_end_are_refused() {
    let types = |from: &str, levels: usize, of: fn(&str) -> String| {
        let mut text = format!("(type $t0 {from})");
        for level in 1..=levels {
            text += &format!("(type $t{level} {})", of(&format!("$t{}", level - 1)));
        }
        let echo =
            "(canon lift (core func $i \"echo\") (memory $i \"memory\") (realloc (func $i \"realloc\")))";
        format!(
            r#"(component {text}
                (core module $m
                    (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                    (func (export "echo") (param i32 i32)))
                (core instance $i (instantiate $m))
                (func (export "f") (param "p" (list $t{levels})) {echo}))"#
        )
    };
    let reason = |wat: &str| reasons(&discover(wat)).pop().unwrap_or_default();
    let wide = types("(list string)", 14, |t| format!("(tuple {t} {t})"));
    assert!(reason(&wide).ends_with("its parameter \"p\" holds more than 4000 types"), "{}", reason(&wide));
    let deep = types("(list string)", 40, |t| format!("(list {t})"));
    assert!(reason(&deep).ends_with("types nested deeper than 24 levels"), "{}", reason(&deep));
    let heavy = types("(list string)", 21, |t| format!("(result {t} (error string))"));
    assert!(reason(&heavy).contains("the JSON Schema of its input is larger"), "{}", reason(&heavy));
    let fine = types("(list string)", 10, |t| format!("(result {t} (error string))"));
    assert_eq!(names(&discover(&fine)), ["f"]);
}

#[test]
fn the_number_of_tools_is_bounded() {
    let exports: String = (0..300).map(|n| format!("(export \"f{n}\" (func $f))")).collect();
    let found = discover(&exporting(&exports));
    assert_eq!(found.signatures.len(), 256);
    assert_eq!(found.left_out.len(), 1, "the rest is one message");
}
