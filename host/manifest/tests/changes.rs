//! What an edit changes, as far as the ceiling is in it.
#![allow(clippy::unwrap_used)]

use packhost_manifest::{Manifest, Origin, Source, diff};

fn manifest(text: &str) -> Manifest {
    let source =
        Source { name: "a.yaml".into(), text: format!("version: 1\n{text}"), origin: Origin::Operator };
    Manifest::parse(&[source]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn ceiling(old: &str, new: &str) -> (Vec<String>, Vec<String>) {
    let diff = diff(&manifest(old), &manifest(new));
    (diff.ceiling_gained, diff.ceiling_lost)
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn taking_the_ceiling_away_widens_and_adding_one_narrows() {
    let with = "ceiling: {env: [TZ], limits: {time: 15s}}";
    let gone = "grant without bounds: there is no ceiling any more";
    assert_eq!(ceiling(with, ""), (lines(&[gone]), lines(&[])));
    let new = "grant without bounds: there is a ceiling now";
    assert_eq!(ceiling("", with), (lines(&[]), lines(&[new])));
    assert_eq!(ceiling("", ""), (lines(&[]), lines(&[])));
    assert_eq!(ceiling("", "ceiling: {}"), (lines(&[]), lines(&[new])), "an empty ceiling bounds most");
    assert_ne!(manifest("").revision(), manifest("ceiling: {}").revision());
    let shown = diff(&manifest(with), &manifest("")).to_string();
    assert!(shown.contains("ceiling\n  + may grant without bounds"), "{shown}");
}

#[test]
fn a_limit_that_the_ceiling_does_not_name_is_at_its_maximum() {
    let (without, with) = ("ceiling: {}", "ceiling: {limits: {time: 15s}}");
    assert_eq!(ceiling(with, without), (lines(&["use time up to 10m (before: 15s)"]), lines(&[])));
    assert_eq!(ceiling(without, with), (lines(&[]), lines(&["use time up to 15s (before: 10m)"])));
    let most = "ceiling: {limits: {time: 10m}}";
    assert_eq!(ceiling(without, most), (lines(&[]), lines(&[])));
    assert_eq!(manifest(without).revision(), manifest(most).revision(), "they say the same");
}

#[test]
fn what_the_ceiling_names_comes_and_goes() {
    let (less, more) =
        ("ceiling: {config: [a], ask: [user]}", "ceiling: {config: [a, b], env: [TZ], ask: [user]}");
    let named = lines(&["have the config value b", "have the environment variable TZ"]);
    assert_eq!(ceiling(less, more), (named.clone(), lines(&[])));
    assert_eq!(ceiling(more, less), (lines(&[]), named));
}

#[test]
fn an_edit_that_only_gives_takes_nothing() {
    let loses = |old: &str, new: &str| {
        let entry =
            |entry: &str| manifest(&format!("packs: {{a: {entry}}}")).entries().next().unwrap().clone();
        entry(old).loses_under(&entry(new))
    };
    let http = |rest: &str| format!("{{http: [{{host: a.test, {rest}}}]}}");
    for (narrow, wide) in [
        ("{callers: [local]}".into(), "{callers: [local, \"token:ci\"]}".into()),
        ("{callers: [local]}".into(), "{}".into()),
        ("{limits: {time: 5s}}".into(), "{limits: {time: 6s}}".into()),
        ("{env: {A: b}}".into(), "{env: {A: b, C: d}}".into()),
        ("{}".into(), "{ask: [user]}".into()),
        (http("methods: [GET]"), http("methods: [GET, POST]")),
        (http("paths: [/a]"), http("paths: [/a, /b]")),
        (http("paths: [/a]"), http("")),
        (http(""), http("addresses: [10.0.0.0/8]")),
        (http("addresses: [10.1.0.0/16]"), http("addresses: [10.0.0.0/8]")),
        (http("ports: [443]"), http("ports: [443, 8443]")),
        (http(""), http("credentials: [A]")),
        (http("credentials: [A]"), http("credentials: [B, A]")),
        (http(""), "{http: [{host: b.test}, {host: a.test}]}".into()),
        ("{http: [{url: '${input.u}', scheme: https}]}".into(), "{http: [{url: '${input.u}'}]}".into()),
        (
            "{fs: [{host: /srv/a, guest: /a}]}".into(),
            "{fs: [{host: /srv/a, guest: /a, mode: read-write}]}".into(),
        ),
        ("{deny: true}".into(), "{}".into()),
        ("{}".into(), "{report: true}".into()),
        (http("paths: [/a]"), http("paths: [/a]}], report: true, fs: [{host: /srv, guest: /f")),
    ] as [(String, String); 19]
    {
        assert!(!loses(&narrow, &narrow), "{narrow} under itself");
        assert!(!loses(&narrow, &wide), "{narrow} under {wide}");
        assert!(loses(&wide, &narrow), "{wide} under {narrow}");
    }
    let (one, two) = (
        "{http: [{host: a.test, methods: [GET, POST]}]}",
        "{http: [{host: a.test, methods: [POST]}, {host: a.test, methods: [GET]}]}",
    );
    assert!(!loses(one, two) && !loses(two, one), "the same in two rules");
    assert!(loses("{env: {A: b}}", "{env: {A: c}}"), "another value");
    assert!(loses(&http(""), "{http: [{host: b.test}]}"), "another host");
}

#[test]
fn report_mode_comes_and_goes() {
    let words = "send every request to a public host, also where no rule allows it (report)";
    let (off, on) = ("packs: {a: {}}", "packs: {a: {report: true}}");
    let change = |old: &str, new: &str| diff(&manifest(old), &manifest(new)).packs.remove(0);
    assert_eq!((change(off, on).gained, change(off, on).lost), (lines(&[words]), lines(&[])));
    assert_eq!((change(on, off).gained, change(on, off).lost), (lines(&[]), lines(&[words])));
    assert_eq!(ceiling("ceiling: {}", "ceiling: {report: true}"), (lines(&[words]), lines(&[])));
    assert_eq!(ceiling("ceiling: {report: true}", "ceiling: {}"), (lines(&[]), lines(&[words])));
    assert!(
        diff(&manifest(off), &manifest("packs: {a: {report: true, deny: true}}")).packs[0].gained.is_empty()
    );
}
