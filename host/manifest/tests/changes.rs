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
