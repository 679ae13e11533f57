//! Sandboxes, workspaces and packs that are a program: what may be said of them, and what it grants.
#![allow(clippy::unwrap_used)]

mod changes;
mod commands;
mod grants;

use std::path::PathBuf;
use std::time::Duration;

use packhost_manifest::{
    Cases, Decision, Diagnostic, Entry, Grants, HostVars, Limits, Manifest, Origin, Sentence, SessionBackend,
    Source, diff, explain, exposes, schema,
};
use serde_json::json;
use url::Url;

const PYTHON: &str = "\
version: 1
packs:
  python.run:
    session:
      on: [process, docker]
      image: packhost/python
      files: { read_write: [/sandbox/, /tmp], read_only: [/usr, /lib, /etc/ssl] }
      http:
        - { host: pypi.org, methods: [GET], paths: [/simple/**], tls: terminate, credentials: [PYPI] }
        - { host: pinned.test, methods: [CONNECT] }
        - { host: plain.test, scheme: http, methods: [GET, POST] }
        - { host: \"${input.mirror}.mirror.test\", tls: terminate }
      env: { TZ: UTC }
      idle: 90s
    workspace: true
    limits: { time: 60s, sandbox_memory: 1GiB, processes: 32, cpu_millis: 1500 }
";

fn operator(text: &str) -> Source {
    Source { name: "a.yaml".into(), text: text.into(), origin: Origin::Operator }
}

fn manifest(text: &str) -> Manifest {
    Manifest::parse(&[operator(text)]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn vars() -> HostVars {
    HostVars { state: "/state".into(), home: None }
}

fn only(manifest: &Manifest) -> Entry {
    manifest.entries().next().unwrap().clone()
}

fn grants(text: &str) -> Grants {
    only(&manifest(text)).narrow(&json!({ "mirror": "eu" }), &vars())
}

/// The errors of an entry of which each line is written below `packs:`, `a:`, so that its first line is line 4.
fn errors(lines: &str) -> Vec<Diagnostic> {
    let text = format!("version: 1\npacks:\n  a:\n    {}", lines.replace('\n', "\n    "));
    Manifest::parse(&[operator(&text)]).map_or_else(|errors| errors.0, |_| Vec::new())
}

fn refused(lines: &str, at: (u32, u32), message: &str, suggestion: &str) {
    let errors = errors(lines);
    let [error] = errors.as_slice() else { panic!("{lines}: {} errors: {errors:#?}", errors.len()) };
    assert!(error.message.contains(message), "{lines}: {error}");
    assert!(error.suggestion.as_deref().unwrap_or_default().contains(suggestion), "{lines}: {error}");
    assert_eq!((error.line, error.column), at, "{lines}: {error}");
}

/// The place of `mark` in what [`refused`] takes: it stands there once.
fn place(lines: &str, mark: &str) -> (u32, u32) {
    let mut found = lines.lines().zip(4..).filter_map(|(line, at)| Some((at, line.find(mark)?)));
    let (line, column) = found.next().unwrap_or_else(|| panic!("{lines}: no {mark}"));
    (line, u32::try_from(column).unwrap() + 5)
}

fn taken(lines: &str) {
    let errors = errors(lines);
    assert!(errors.is_empty(), "{lines}: {errors:#?}");
}
