//! An entry is taken under a ceiling exactly if brute force finds nothing that the ceiling does not allow.

use packhost_manifest::{Manifest, Origin, Source};
use proptest::prelude::*;
use serde_json::json;

use crate::oracle::{ceiling_rule, entry_rule, inputs, requests, rules_yaml, source};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn containment_agrees_with_brute_force(rule in entry_rule(), ceiling in prop::collection::vec(ceiling_rule(), 1..5)) {
        let set = [source("a.yaml", &json!({
            "version": 1,
            "packs": { "a": { "http": rules_yaml(std::slice::from_ref(&rule)) } },
            "ceiling": { "http": rules_yaml(&ceiling) },
        }))];
        let beyond = inputs().into_iter().find_map(|input| {
            requests().into_iter().find(|request| {
                rule.allows(request, &input) && !ceiling.iter().any(|own| own.allows(request, &input))
            })
        });
        match (Manifest::parse(&set), beyond) {
            (Ok(_), Some(request)) => prop_assert!(false, "taken, though it allows {request:?}"),
            (Err(errors), None) => prop_assert!(false, "refused, though brute force finds nothing: {errors}"),
            _ => {}
        }
    }
}

#[test]
fn each_counterexample_is_shown() {
    let entries = [
        ("http: [{host: api.x.test, methods: [GET, POST]}]", "may send POST https://api.x.test/"),
        ("http: [{host: x.test}]", "may send GET https://x.test/"),
        ("http: [{host: '*.test.test'}]", "may send GET https://any.test.test/"),
        (
            "http: [{host: '${input.a}.${input.b}.x.test'}, {host: '${input.a}.y.test'}]",
            "may send GET https://any.y.test/",
        ),
        ("http: [{host: api.x.test, addresses: ['10.0.0.0/7']}]", "at the address 11.0.0.0"),
        ("http: [{host: 10.0.0.1}]", "may send GET https://10.0.0.1/"),
        ("http: [{host: p.test, paths: ['/v1/**']}]", "may send GET https://p.test/v1"),
        ("http: [{host: p.test}]", "may send GET https://p.test/any"),
        ("http: [{host: whole.test}]", "may send GET https://whole.test/any%2Fpath"),
        ("fs: [{host: '${state}/other', guest: /f}]", "may read ${state}/other"),
        ("fs: [{host: '/srv/${input.p}', guest: /f, mode: read-write}]", "may write /srv/any"),
        ("fs: [{host: '~/x', guest: /f}]", "may read ~/x"),
        ("env: {HOME: x}", "may have the environment variable HOME"),
        ("ask: [user, model]", "may ask the model"),
        ("limits: {time: 20s}", "may use time 20s, and the ceiling is 15s"),
    ];
    let ceiling = "ceiling:\n  http: [{host: '*.x.test', addresses: ['10.0.0.0/9', '10.128.0.0/9']}, {host: p.test, paths: [/v1/*]}, {host: whole.test, paths: [/**]}]\n  fs: [{host: '${state}/files', mode: read-write}, {host: /srv}]\n  env: [TZ]\n  ask: [user]\n  limits: {time: 15s}\n";
    let parse = |entry: &str| {
        let text = format!("version: 1\npacks:\n  a.b:\n    {entry}\n{ceiling}");
        Manifest::parse(&[Source { name: "a.yaml".into(), text, origin: Origin::Operator }])
    };
    for (entry, expected) in entries {
        let errors = parse(entry).expect_err(entry).to_string();
        assert!(errors.contains(expected) && errors.starts_with("a.yaml:4:5"), "{entry}: {errors}");
    }
    for entry in [
        "http: [{host: '*.a.x.test', addresses: ['10.0.0.0/8']}]",
        "http: [{host: '${input.a}.x.test', paths: [/a]}]",
        "http: [{host: p.test, paths: [/v1/a, '/v1/${input.x}']}]",
        "fs: [{host: '${state}/files/${input.p}', guest: /f, mode: read-write}, {host: /srv/x, guest: /g}]",
        "env: {TZ: UTC}",
        "{limits: {time: 15s}, ask: [user]}",
        "{deny: true, env: {HOME: x}}",
    ] {
        assert!(parse(entry).is_ok(), "{entry}: {}", parse(entry).unwrap_err());
    }
    let manifest = parse("{}").unwrap();
    assert_eq!(manifest.entries().next().unwrap().limits.time.as_secs(), 10);
    let text = "version: 1\npacks: {a: {}}\nceiling: {limits: {time: 3s}}";
    let lowered =
        Manifest::parse(&[Source { name: "a".into(), text: text.into(), origin: Origin::Operator }]).unwrap();
    assert_eq!(lowered.entries().next().unwrap().limits.time.as_secs(), 3);
}
