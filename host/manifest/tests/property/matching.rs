//! What is allowed is what the oracle says, whatever the order, and a denial wins.

use packhost_core::{Identity, PackName};
use packhost_manifest::{Decision, Manifest, Origin, Source};
use proptest::prelude::*;
use serde_json::json;

use crate::oracle::{
    Rule, entry_rule, inputs, parse, requests, rules_yaml, session_rule, session_yaml, source, vars,
};

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Allowed,
    Reported,
    Denied,
}

impl From<&Decision> for Said {
    fn from(decision: &Decision) -> Self {
        match decision {
            Decision::Allowed(_) => Self::Allowed,
            Decision::Reported(..) => Self::Reported,
            Decision::Denied(_) => Self::Denied,
        }
    }
}

fn pack() -> PackName {
    "a.b".parse().unwrap()
}

fn manifest(rules: &[Rule], report: bool) -> Manifest {
    let mut entry = json!({ "http": rules_yaml(rules) });
    if report {
        entry["report"] = true.into();
    }
    parse(&[source("a.yaml", &json!({ "version": 1, "packs": { "a.b": entry } }))])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn decisions_agree_with_brute_force(rules in prop::collection::vec(entry_rule(), 0..4), report in any::<bool>(), at in 0..9_usize) {
        let manifest = manifest(&rules, report);
        let input = &inputs()[at];
        let grants = manifest.entry(&pack()).unwrap().narrow(input, &vars());
        for request in requests() {
            let expected = match rules.iter().any(|rule| rule.allows(&request, input)) {
                true => Said::Allowed,
                // A tunnel is opened by no report mode.
                false if report && request.method != "CONNECT" => Said::Reported,
                false => Said::Denied,
            };
            let decision = grants.http.decide(request.method, &request.url());
            prop_assert_eq!(Said::from(&decision), expected, "{:?}: {:?}", request, decision);
        }
    }

    #[test]
    fn decisions_about_a_sandbox_agree_with_brute_force(rules in prop::collection::vec(session_rule(), 0..4), own in prop::collection::vec(entry_rule(), 0..2), report in any::<bool>(), at in 0..9_usize) {
        let http: Vec<_> = rules.iter().map(session_yaml).collect();
        let mut entry = json!({ "http": rules_yaml(&own), "session": { "on": ["docker"], "image": "i", "http": http } });
        if report {
            entry["report"] = true.into();
        }
        // Of rules for the same hosts one may hide a tunnel of the other, which is refused.
        let parsed = Manifest::parse(&[source("a.yaml", &json!({ "version": 1, "packs": { "a.b": entry } }))]);
        prop_assume!(parsed.is_ok());
        let input = &inputs()[at];
        let session = parsed.unwrap().entry(&pack()).unwrap().narrow(input, &vars()).session.unwrap();
        for request in requests() {
            let ends_tls = rules.iter().any(|rule| rule.ends_tls(&request, input));
            let hidden = ends_tls && request.method == "CONNECT";
            let expected = !hidden && rules.iter().any(|rule| rule.allows(&request, input));
            let decision = session.http.decide(request.method, &request.url());
            prop_assert_eq!(matches!(decision, Decision::Allowed(_)), expected, "{:?}: {:?}", request, decision);
            prop_assert!(!matches!(decision, Decision::Reported(..)));
            prop_assert_eq!(session.http.terminates(&request.url()), ends_tls);
            if request.method == "CONNECT" {
                prop_assert_eq!(matches!(session.http.tunnel(&request.url()), Decision::Allowed(_)), expected);
            }
        }
    }

    #[test]
    fn order_does_not_matter(rules in prop::collection::vec(entry_rule(), 1..5), names in Just(["a", "b", "c", "d"]).prop_shuffle()) {
        let mut turned = rules.clone();
        turned.reverse();
        let (one, other) = (manifest(&rules, true), manifest(&turned, true));
        prop_assert_eq!(one.revision(), other.revision());
        let without = manifest(&rules, false);
        prop_assert_ne!(one.revision(), without.revision());
        let file = |name: &str| source(name, &json!({ "version": 1, "packs": { name: { "http": rules_yaml(&rules) } } }));
        let sorted: Vec<Source> = ["a", "b", "c", "d"].iter().map(|name| file(name)).collect();
        let shuffled: Vec<Source> = names.iter().map(|name| file(name)).collect();
        let (one, other) = (parse(&sorted), parse(&shuffled));
        prop_assert_eq!(one.revision(), other.revision());
    }

    #[test]
    fn a_denial_wins_wherever_it_stands(rules in prop::collection::vec(entry_rule(), 0..3), first in any::<bool>(), beside in any::<bool>()) {
        let mut granting = json!({ "http": rules_yaml(&rules), "callers": ["local"], "report": true });
        let mut sources = Vec::new();
        if beside {
            granting["deny"] = true.into();
        } else {
            sources.push(source("deny.yaml", &json!({ "version": 1, "packs": { "a.b": { "deny": true } } })));
        }
        let at = if first { 0 } else { sources.len() };
        sources.insert(at, source("a.yaml", &json!({ "version": 1, "packs": { "a.b": granting } })));
        let manifest = parse(&sources);
        let entry = manifest.entry(&pack()).unwrap();
        prop_assert!(!entry.admits(&Identity::local()));
        for request in requests() {
            let decision = entry.narrow(&inputs()[0], &vars()).http.decide(request.method, &request.url());
            prop_assert!(matches!(decision, Decision::Denied(_)));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>(), soup in "(version: 1\n|packs:\n|  a\\.b:\n|    http: |\\[|\\]|\\{|\\}|url: |host: |\"\\$\\{input|\\}\"|, |\n|\t|- |&a |\\*a |\\*\\.|deny: true|limits: |time: 99999999999s|é|\u{202e}){0,40}") {
        for text in [text, soup] {
            let _ = Manifest::parse(&[Source { name: "a".into(), text, origin: Origin::Operator }]).map_err(|e| e.to_string());
        }
    }

    #[test]
    fn no_value_makes_the_patterns_panic(text in any::<String>(), near in "(\\*|\\.|a|/|\\$\\{input\\.|\\}|%2f|\\[|::|é|xn--|1){0,12}") {
        for text in [text, near] {
            let rule = json!([{ "host": &text }, { "url": &text }, { "host": "a.test", "paths": [&text], "methods": [&text], "addresses": [&text] }]);
            let entry = json!({ "http": rule, "fs": [{ "host": &text, "guest": &text }], "env": { &text: &text }, "config": { &text: &text }, "limits": { "time": &text }, "callers": [&text], "ask": [&text], "session": { "on": [&text], "image": &text, "files": { "read_write": [&text], "read_only": [&text] }, "idle": &text, "http": [{ "host": &text, "tls": &text }] }, "command": { "run": [&text], "title": &text, "description": &text, "input": { &text: &text }, "examples": [&text] } });
            let _ = Manifest::parse(&[source("a", &json!({ "version": 1, "packs": { "a": entry, &text: {} } }))]).map_err(|e| e.to_string());
        }
    }
}
