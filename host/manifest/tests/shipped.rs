//! The manifests that come with the host, and what is said about them.
#![allow(clippy::unwrap_used)]

use packhost_core::{Identity, PackName};
use packhost_manifest::{Cases, Entry, Manifest, Origin, Sentence, Source, diff, explain, schema, shipped};

fn operator(name: &str, text: &str) -> Source {
    Source { name: name.into(), text: text.into(), origin: Origin::Operator }
}

fn pack(name: &str) -> PackName {
    name.parse().unwrap()
}

#[test]
fn the_shipped_cases_hold() {
    let manifest = Manifest::parse(&shipped()).unwrap_or_else(|errors| panic!("{errors}"));
    let text = include_str!("../../../policies/tests/cases.yaml");
    let cases = Cases::parse(&operator("policies/tests/cases.yaml", text))
        .unwrap_or_else(|errors| panic!("{errors}"));
    let failed: Vec<_> = cases.run(&manifest).into_iter().filter(|outcome| !outcome.passed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(cases.0.len() > 30);
}

#[test]
fn a_case_that_does_not_hold_says_why() {
    let manifest = Manifest::parse(&shipped()).unwrap();
    let text = "- {pack: web.scrape, input: {url: 'https://a.example/'}, request: 'GET https://b.example/', expect: allow}";
    let outcomes = Cases::parse(&operator("cases.yaml", text)).unwrap().run(&manifest);
    assert!(!outcomes[0].passed());
    assert!(
        outcomes[0].why.starts_with("No rule of web.scrape allows GET https://b.example/."),
        "{}",
        outcomes[0].why
    );
    for bad in [
        "- {pack: a, expect: allow}",
        "- {pack: a, read: /x, env: A, expect: deny}",
        "- {pack: a, read: /x}",
        "a: b",
        "- {pack: a, request: x, expect: deny}",
    ] {
        assert!(Cases::parse(&operator("cases.yaml", bad)).is_err(), "{bad}");
    }
}

#[test]
fn the_example_ceiling_holds_the_shipped_entries() {
    let text = include_str!("../../../policies/ceiling.yaml.example");
    let mut sources = shipped();
    sources.push(operator("ceiling.yaml", text));
    let manifest = Manifest::parse(&sources).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(manifest.entries().count(), Manifest::parse(&shipped()).unwrap().entries().count());
    sources.pop();
    sources.push(operator("ceiling.yaml", &text.replace("url: any", "host: a.example")));
    let errors = Manifest::parse(&sources).unwrap_err().to_string();
    assert!(errors.contains("beyond the ceiling: http.fetch may send GET https://any.example/"), "{errors}");
    assert!(errors.contains("policies/http.yaml:21"), "{errors}");
}

#[test]
fn an_entry_is_explained_with_its_lines() {
    let manifest = Manifest::parse(&shipped()).unwrap();
    let explained = explain(&manifest, &pack("web.scrape"));
    let said = |sentences: &[Sentence]| {
        let line = |one: &Sentence| {
            (one.text.clone(), one.place.as_ref().map(ToString::to_string).unwrap_or_default())
        };
        sentences.iter().map(line).collect::<Vec<_>>()
    };
    let (may, limits) = (
        "send GET to the origin given in \"url\", only",
        "use at most 20s a call, 128MiB of memory, 1MiB output, 8 requests and 10MiB transfer",
    );
    let placed = |text: &str, place: &str| (text.to_owned(), place.to_owned());
    assert_eq!(
        said(&explained.may),
        [placed(may, "policies/web.yaml:9"), placed(limits, "policies/web.yaml:10")]
    );
    let rest = "do anything else: no files, no environment, no config, no questions, no credentials, no sessions, no artifacts";
    assert_eq!(said(&explained.may_not), [placed(rest, "")]);
    let nothing = explain(&manifest, &pack("not.there"));
    assert!(nothing.may.is_empty() && nothing.may_not[0].text.contains("no entry"));
}

#[test]
fn that_inputs_are_on_record_is_explained_and_is_an_edit_that_stops_no_call() {
    let with = |entry: &str| {
        let text = format!("version: 1\npacks:\n  text.stats: {entry}\n");
        Manifest::parse(&[operator("a.yaml", &text)]).unwrap_or_else(|errors| panic!("{errors}"))
    };
    let (without, kept) = (with("{}"), with("{ record_input: true }"));
    assert_ne!(without.revision(), kept.revision());
    let words = "have the input of its calls put on record as it was sent";
    assert_eq!(diff(&without, &kept).packs[0].gained, [words]);
    assert_eq!(diff(&kept, &without).packs[0].lost, [words]);
    let may = explain(&kept, &pack("text.stats")).may;
    let line = may.iter().find(|one| one.text == words).expect("it is said");
    assert_eq!(line.place.as_ref().map(ToString::to_string).as_deref(), Some("a.yaml:3"));
    let entry = |manifest: &Manifest| manifest.entry(&pack("text.stats")).cloned().expect("there is one");
    assert!(!entry(&kept).loses_under(&entry(&without)));
}

#[test]
fn the_operator_replaces_or_extends_what_is_shipped() {
    let with = |texts: &[&str]| {
        let mut sources = shipped();
        sources.extend(texts.iter().enumerate().map(|(n, text)| operator(&format!("{n}.yaml"), text)));
        Manifest::parse(&sources).unwrap_or_else(|errors| panic!("{errors}"))
    };
    let all = Manifest::parse(&shipped()).unwrap().entries().count();
    let names =
        |manifest: &Manifest| manifest.entries().map(|entry| entry.pack.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&with(&["version: 1\npacks: {text.stats: {}}"])), ["text.stats"]);
    assert_eq!(names(&with(&["version: 1"])), Vec::<String>::new());
    let extended = with(&["version: 1\nextends: shipped\npacks: {http.fetch: }"]);
    assert_eq!(extended.entries().count(), all);
    assert!(extended.entry(&pack("http.fetch")).unwrap().http.is_empty());
    let denied = with(&["version: 1\nextends: shipped", "version: 1\npacks: {http.fetch: {deny: true}}"]);
    assert!(!denied.entry(&pack("http.fetch")).is_some_and(|entry: &Entry| entry.admits(&Identity::local())));
}

#[test]
fn the_schema_takes_what_is_shipped_and_refuses_what_the_parser_refuses() {
    let schema = schema();
    let validator = jsonschema::draft202012::options().build(&schema).unwrap();
    let as_json = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).unwrap();
    for source in shipped() {
        assert!(validator.is_valid(&as_json(&source.text)), "{}", source.name);
    }
    assert!(validator.is_valid(&as_json(include_str!("../../../policies/ceiling.yaml.example"))));
    for bad in [
        "packs: {}",
        "{version: 2}",
        "{version: 1, packs: {A: {}}}",
        "{version: 1, packs: {a: {session: {}}}}",
        "{version: 1, packs: {a: {http: [{host: a.example, pathes: []}]}}}",
        "{version: 1, packs: {a: {limits: {time: 20}}}}",
        "{version: 1, packs: {a: {deny: false}}}",
        "{version: 1, packs: {a: {report: false}}}",
        "{version: 1, ceiling: {report: 1}}",
        "{version: 1, packs: {a: {http: [{host: a.example, report: true}]}}}",
        "{version: 1, packs: {a: {http: [{host: a.example, url: 'https://a.example'}]}}}",
    ] {
        assert!(!validator.is_valid(&as_json(bad)), "the schema takes {bad}");
        assert!(Manifest::parse(&[operator("a.yaml", bad)]).is_err(), "the parser takes {bad}");
    }
}

#[test]
fn report_mode_is_explained_and_answers_cases() {
    let text = "version: 1\npacks:\n  a:\n    report: true\nceiling: {report: true}\n";
    let manifest = Manifest::parse(&[operator("a.yaml", text)]).unwrap_or_else(|errors| panic!("{errors}"));
    let explained = explain(&manifest, &pack("a"));
    let words = "send every request to a public host, also where no rule allows it (report)";
    assert_eq!(explained.may[0].text, words);
    assert_eq!(explained.may[0].place.as_ref().unwrap().to_string(), "a.yaml:4");
    assert!(explained.may[1].text.contains("8 requests and 10MiB transfer"), "{:?}", explained.may[1]);
    assert!(!explained.may_not[0].text.contains("no requests"), "{:?}", explained.may_not);
    let cases = "- {pack: a, request: 'GET https://x.example/', expect: allow}\n- {pack: a, request: 'GET https://x.example/', address: 10.0.0.1, expect: deny}\n- {pack: a, request: 'GET http://10.0.0.1/', expect: deny}\n";
    let outcomes = Cases::parse(&operator("cases.yaml", cases)).unwrap().run(&manifest);
    assert!(outcomes.iter().all(|outcome| outcome.passed()), "{outcomes:#?}");
    assert!(
        outcomes[0].why.starts_with("let through by report at a.yaml:4. No rule of a allows"),
        "{}",
        outcomes[0].why
    );
}
