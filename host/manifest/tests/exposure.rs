//! Which rules reach what is the host's own, once its directories are known.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use packhost_manifest::{HostVars, Manifest, Origin, Source, exposes, reporting, shipped};

/// The directories of a rule that is exposed, with the host's own that it meets.
fn exposed(host: &str, state: &str, own: &[&str]) -> Option<(String, String)> {
    let text = format!("version: 1\npacks:\n  a:\n    fs: [{{host: \"{host}\", guest: /f}}]\n");
    let source = Source { name: "a.yaml".into(), text, origin: Origin::Operator };
    let manifest = Manifest::parse(&[source]).unwrap_or_else(|errors| panic!("{errors}"));
    let vars = HostVars { state: state.into(), home: Some("/home/me".into()) };
    let own: Vec<PathBuf> = own.iter().map(PathBuf::from).collect();
    let found = exposes(&manifest, &vars, &own);
    assert!(found.len() <= 1, "{found:?}");
    found.first().map(|one| {
        assert_eq!((one.pack.as_str(), one.place.to_string().as_str()), ("a", "a.yaml:4"));
        (one.path.display().to_string(), one.own.display().to_string())
    })
}

#[test]
fn directories_apart_in_the_home_of_a_user() {
    let state = "/home/me/.local/state/packhost";
    let (cache, policies) = ("/home/me/.cache/packhost", "/home/me/.config/packhost/policies");
    let packs = "/home/me/.local/share/packhost/packs";
    let own = [state, cache, policies, packs];
    for (host, path, met) in [
        ("~", "/home/me", state),
        ("~/${input.d}", "/home/me", state),
        ("~/.local", "/home/me/.local", state),
        ("~/.local/state/packhost", state, state),
        ("~/.local/state/${input.d}", "/home/me/.local/state", state),
        ("~/.local/state/packhost/${input.d}", state, state),
        ("~/.local/state/packhost/compiled.key", "/home/me/.local/state/packhost/compiled.key", state),
        ("~/.cache", "/home/me/.cache", cache),
        ("/home/me/.cache/packhost/x", "/home/me/.cache/packhost/x", cache),
        ("/home/${input.user}/x", "/home", state),
        ("~/.config/packhost", "/home/me/.config/packhost", policies),
        ("~/.local/share/packhost/packs/mine", "/home/me/.local/share/packhost/packs/mine", packs),
    ] {
        assert_eq!(exposed(host, state, &own), Some((path.into(), met.into())), "{host}");
    }
    for host in
        ["${state}/files", "~/.local/state/packhost/files", "~/documents", "~/.cache/packhostx", "/srv"]
    {
        assert_eq!(exposed(host, state, &own), None, "{host}");
    }
}

#[test]
fn everything_in_one_directory() {
    let own = ["/s", "/s/cache", "/s/policies", "/s/packs"];
    for (host, met) in [("/s", "/s"), ("/s/cache/x", "/s"), ("/s/packs", "/s"), ("/s/compiled.key", "/s")] {
        assert_eq!(exposed(host, "/s", &own), Some((host.into(), met.into())), "{host}");
    }
    for host in ["/s/files", "${state}/files/${input.d}", "/t", "/s/cached"] {
        assert_eq!(exposed(host, "/s", &own), None, "{host}");
    }
}

#[test]
fn what_ships_is_the_packs_own_and_what_is_denied_reaches_nothing() {
    let vars = HostVars { state: "/s".into(), home: None };
    let own: Vec<PathBuf> = ["/s", "/s/cache", "/s/policies", "/s/packs"].map(PathBuf::from).into();
    assert!(exposes(&Manifest::parse(&shipped()).unwrap(), &vars, &own).is_empty());
    let text = "{version: 1, packs: {a: {deny: true, fs: [{host: /s, guest: /f}]}}}";
    let source = Source { name: "a".into(), text: text.into(), origin: Origin::Operator };
    assert!(exposes(&Manifest::parse(&[source]).unwrap(), &vars, &own).is_empty());
}

#[test]
fn a_pack_in_report_mode_is_told_of() {
    assert!(reporting(&Manifest::parse(&shipped()).unwrap()).is_empty());
    let text = "version: 1\npacks:\n  a: {report: true, deny: true}\n  b: {}\n  c.d:\n    report: true\n";
    let source = Source { name: "a.yaml".into(), text: text.into(), origin: Origin::Operator };
    let found = reporting(&Manifest::parse(&[source]).unwrap());
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert!(
        one.to_string().starts_with("a.yaml:6: c.d is in report mode and may reach every public host"),
        "{one}"
    );
}
