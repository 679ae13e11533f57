//! `packhost policy explain`: what a pack is, what it asks for, and what it may, without compiling it.

use packhost_core::{ErrorCode, Failure, PackName};
use packhost_engine::{Pack, Settings, Wants};
use packhost_manifest::{Explanation, Manifest, Sentence, explain};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Global;
use crate::exit::Error;
use crate::host::look;
use crate::output::{BOLD, DIM, Output, println};
use crate::packs::{self, Known};

/// The widest that sentences get before what stands beside them, in characters.
const WIDTH: usize = 96;

pub(crate) fn run(global: &Global, pack: &str, output: Output) -> Result<(), Error> {
    let (dirs, manifest) = look(global)?;
    let limit = Settings::new(dirs.state.clone(), dirs.cache.clone()).component;
    let known = packs::find(&packs::sources(global, &dirs, limit)?, pack);
    let name = match &known {
        Some(known) => known.name.clone(),
        None => pack.parse::<PackName>().map_err(|error| Error::failed(error.to_string()))?,
    };
    if known.is_none() && manifest.entry(&name).is_none() {
        return Err(nobody(&name));
    }
    let explanation = explain(&manifest, &name);
    let explained = Explained {
        explanation: &explanation,
        version: known.as_ref().and_then(|known| known.version.as_deref()),
        origin: known.as_ref().map(|known| known.origin.as_str()),
        digest: known.as_ref().map(|known| known.digest.to_string()),
        asks_for: known.as_ref().map(|known| asks(&known.imports, &known.wants)).unwrap_or_default(),
    };
    output.answer(&explained, || text(&explained, known.as_ref()));
    Ok(())
}

pub(super) fn nobody(name: &PackName) -> Error {
    let message = format!("There is no pack {name}, and no manifest names one.");
    Failure::new(ErrorCode::NotFound, message).fix("`packhost packs list` has them all.").into()
}

/// The same document about a pack that this host serves or could serve, from what it has read at its start.
pub(crate) fn document(manifest: &Manifest, pack: &Pack, name: &PackName) -> Value {
    let wants = pack.description.as_ref().map(|description| description.wants.clone()).unwrap_or_default();
    json!(Explained {
        explanation: &explain(manifest, name),
        version: pack.version.as_deref(),
        origin: Some(pack.origin.as_str()),
        digest: Some(pack.digest.to_string()),
        asks_for: asks(&pack.outline.imports, &wants),
    })
}

#[derive(Serialize)]
struct Explained<'a> {
    #[serde(flatten)]
    explanation: &'a Explanation,
    version: Option<&'a str>,
    origin: Option<&'a str>,
    digest: Option<String>,
    asks_for: Vec<Ask>,
}

/// Something that a pack asks for.
#[derive(Debug, PartialEq, Serialize)]
struct Ask {
    what: &'static str,
    /// In the pack's own words.
    why: Option<String>,
    /// The imports through which it would have it; none where it only says so.
    imports: Vec<String>,
}

/// The interfaces that lead out of an instance, in words. All others are every pack's: clocks, randomness, streams.
const LEADS_OUT: [(&str, &str); 7] = [
    ("wasi:http/", "http (outgoing)"),
    ("wasi:filesystem/", "files"),
    ("packhost:pack/ask", "questions to the person or the model"),
    ("packhost:pack/session", "programs in a sandbox"),
    ("packhost:pack/artifacts", "artifacts"),
    ("wasi:config/", "config values"),
    ("wasi:sockets/", "sockets, which no pack gets"),
];

/// What every instance may have, because it leads nowhere.
const LEADS_NOWHERE: [&str; 7] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:io/",
    "wasi:random/",
    "wasi:logging/",
    "packhost:pack/types",
    "packhost:pack/progress",
];

fn asks(imports: &[String], wants: &Wants) -> Vec<Ask> {
    let mut asks: Vec<Ask> = Vec::new();
    let leading = imports.iter().filter(|import| !starts_with(import, &LEADS_NOWHERE));
    for import in leading {
        let found = LEADS_OUT.iter().find(|(prefix, _)| import.starts_with(prefix)).copied();
        let (prefix, what) = found.unwrap_or(("", "something that this version does not know"));
        let why = match prefix {
            "wasi:http/" => wants.http.clone(),
            "wasi:filesystem/" => wants.fs.clone(),
            "packhost:pack/ask" => wants.ask.clone(),
            "packhost:pack/session" => wants.session.clone(),
            "packhost:pack/artifacts" => wants.artifacts.clone(),
            _ => None,
        };
        match asks.iter_mut().find(|ask| ask.what == what) {
            Some(ask) => ask.imports.push(import.clone()),
            None => asks.push(Ask { what, why, imports: vec![import.clone()] }),
        }
    }
    if wants.env.is_some() {
        asks.push(Ask { what: "environment", why: wants.env.clone(), imports: Vec::new() });
    }
    asks
}

fn starts_with(text: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| text.starts_with(prefix))
}

/// Where imports come from, without functions and versions: `wasi:http`.
fn packages(imports: &[String]) -> String {
    let mut packages: Vec<&str> =
        imports.iter().map(|import| import.split(['/', '@']).next().unwrap_or(import)).collect();
    packages.dedup();
    packages.join(", ")
}

/// One line: what it is about, what is said, and what says so.
struct Line {
    head: &'static str,
    text: String,
    beside: Option<String>,
}

fn text(explained: &Explained<'_>, known: Option<&Known>) {
    let explanation = explained.explanation;
    match known {
        Some(known) => {
            let version = explained.version.map(|version| format!(" {version}")).unwrap_or_default();
            let (origin, digest) = (&known.origin, known.digest.short());
            println!(
                "  {BOLD}{}{BOLD:#}{version} {DIM}({origin}, sha256:{digest}…){DIM:#}",
                explanation.pack
            );
        }
        None => println!("  {BOLD}{}{BOLD:#} {DIM}(not installed){DIM:#}", explanation.pack),
    }
    let lines = lines(explained, known.is_some());
    let placed = lines.iter().filter(|line| line.beside.is_some());
    let width = placed.map(|line| line.text.chars().count()).max().unwrap_or(0).min(WIDTH);
    let mut above = "";
    for line in &lines {
        let head = if line.head == above { "" } else { line.head };
        above = line.head;
        match &line.beside {
            Some(beside) => println!("  {head:<10} {:<width$}  {DIM}{beside}{DIM:#}", line.text),
            None => println!("  {head:<10} {}", line.text),
        }
    }
}

fn lines(explained: &Explained<'_>, installed: bool) -> Vec<Line> {
    let asked = explained.asks_for.iter().map(|ask| Line {
        head: "asks for",
        text: ask.why.as_ref().map_or_else(|| ask.what.to_owned(), |why| format!("{}: {why}", ask.what)),
        beside: (!ask.imports.is_empty()).then(|| format!("it imports {}", packages(&ask.imports))),
    });
    let nothing = installed && explained.asks_for.is_empty();
    let nothing = nothing.then(|| Line { head: "asks for", text: "nothing".into(), beside: None });
    let said = |head: &'static str, sentences: &[Sentence]| -> Vec<Line> {
        let line = |sentence: &Sentence| Line {
            head,
            text: sentence.text.clone(),
            beside: sentence.place.as_ref().map(ToString::to_string),
        };
        sentences.iter().map(line).collect()
    };
    let explanation = explained.explanation;
    asked
        .chain(nothing)
        .chain(said("may", &explanation.may))
        .chain(said("may not", &explanation.may_not))
        .chain(said("ceiling", explanation.ceiling.as_slice()))
        .collect()
}

#[cfg(test)]
mod tests {
    use packhost_core::Digest;
    use packhost_package::Wants;

    use super::*;

    #[test]
    fn what_leads_out_is_asked_for_and_nothing_else() {
        let imports = [
            "wasi:cli/environment@0.2.0",
            "wasi:http/types@0.2.12",
            "wasi:http/outgoing-handler@0.2.12",
            "packhost:pack/progress@0.1.0",
            "vendor:gpu/compute@1.0.0",
        ];
        let known = Known {
            name: "web.scrape".parse().expect("a name"),
            version: None,
            origin: "built in".into(),
            digest: Digest::of(b""),
            imports: imports.map(String::from).into(),
            wants: Wants { http: Some("to fetch a page".into()), ..Wants::default() },
        };
        let asks = asks(&known.imports, &known.wants);
        let shown: Vec<_> =
            asks.iter().map(|ask| (ask.what, ask.why.as_deref(), packages(&ask.imports))).collect();
        assert_eq!(
            shown,
            [
                ("http (outgoing)", Some("to fetch a page"), "wasi:http".to_owned()),
                ("something that this version does not know", None, "vendor:gpu".to_owned()),
            ]
        );
    }
}
