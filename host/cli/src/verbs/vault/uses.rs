//! `packhost vault uses`: which packs could use which credential, and whether the manifest lets them.

use packhost_core::{CredentialName, PackName};
use packhost_engine::Settings;
use packhost_manifest::Manifest;
use packhost_vault::{About, Vault};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Global;
use crate::exit::Error;
use crate::host::look;
use crate::output::{BOLD, DIM, NOTE, Output, println};
use crate::packs;

#[derive(Serialize)]
struct Uses {
    credentials: Vec<Used>,
}

/// A credential, and the packs that are here and that it is bound to.
#[derive(Debug, PartialEq, Serialize)]
struct Used {
    name: CredentialName,
    packs: Vec<Use>,
}

/// One pack and one binding.
#[derive(Debug, PartialEq, Serialize)]
struct Use {
    pack: PackName,
    /// In words.
    uses: String,
    /// The line of the manifest that lets the pack use it; `None` where it may not.
    manifest: Option<String>,
}

pub(super) fn run(
    global: &Global,
    vault: &Vault,
    name: Option<&CredentialName>,
    output: Output,
) -> Result<(), Error> {
    let credentials = match name {
        Some(name) => vec![vault.about(name)?],
        None => vault.list()?,
    };
    let (dirs, manifest) = look(global)?;
    let limit = Settings::new(dirs.state.clone(), dirs.cache.clone()).component;
    let packs = packs::names(&packs::sources(global, &dirs, limit)?);
    let uses = Uses { credentials: credentials.iter().map(|about| used(about, &packs, &manifest)).collect() };
    output.answer(&uses, || uses.credentials.iter().for_each(text));
    Ok(())
}

/// Every credential with what is known of it, and the packs of this host that could use it.
pub(crate) fn documents(vault: &Vault, packs: &[PackName], manifest: &Manifest) -> Result<Value, Error> {
    let of = |about: &About| {
        let mut document = json!(about);
        document["uses"] = json!(used(about, packs, manifest).packs);
        document
    };
    Ok(json!({ "credentials": vault.list()?.iter().map(of).collect::<Vec<_>>() }))
}

fn used(about: &About, packs: &[PackName], manifest: &Manifest) -> Used {
    let of = |pack: &PackName| -> Vec<Use> {
        let bindings = about.bindings.iter().filter(|binding| binding.is_for(pack));
        let of = |uses| Use { pack: pack.clone(), uses, manifest: granted(manifest, pack, &about.name) };
        bindings.map(|binding| of(binding.uses())).collect()
    };
    Used { name: about.name.clone(), packs: packs.iter().flat_map(of).collect() }
}

/// The first line of the manifest that lets this pack put this credential into requests.
fn granted(manifest: &Manifest, pack: &PackName, name: &CredentialName) -> Option<String> {
    let entry = manifest.entry(pack).filter(|entry| !entry.denied)?;
    let rule = entry.http.iter().find(|rule| rule.credentials.contains(name))?;
    Some(rule.place.to_string())
}

fn text(used: &Used) {
    println!("{BOLD}{}{BOLD:#}", used.name);
    if used.packs.is_empty() {
        println!("  {NOTE}no pack that is here may use it{NOTE:#}; `packhost packs list` has their names");
    }
    let packs = used.packs.iter().map(|one| one.pack.as_str().len()).max().unwrap_or(0);
    for Use { pack, uses, manifest } in &used.packs {
        print_line(pack.as_str(), packs, uses, manifest.as_deref());
    }
}

fn print_line(pack: &str, width: usize, uses: &str, manifest: Option<&str>) {
    match manifest {
        Some(place) => println!("  {pack:width$}  {uses}  {DIM}granted by {place}{DIM:#}"),
        None => println!("  {pack:width$}  {uses}  {NOTE}no rule of the manifest grants it{NOTE:#}"),
    }
}

#[cfg(test)]
mod tests {
    use packhost_manifest::{Origin, Source};
    use packhost_vault::{Binding, Secret};

    use super::*;

    fn about(json: &str) -> About {
        let dir = tempfile::tempdir().expect("a directory");
        let database = packhost_state::Database::open(dir.path()).expect("a directory of ours");
        let source = packhost_vault::KeySource::Own(dir.path().join("vault.key"));
        let vault = Vault::open(database.into(), source).expect("tables of ours");
        let name = "KEY".parse().expect("a good name");
        let binding: Binding = serde_json::from_str(json).expect("a good binding");
        let value = Secret::new(b"not-a-real-value").expect("a good value");
        vault.set(&name, &value, &[binding]).expect("kept");
        vault.about(&name).expect("it is there")
    }

    #[test]
    fn a_pack_is_named_with_the_line_that_lets_it() {
        let text = "version: 1\npacks:\n  web.scrape: { http: [{ host: a.example, credentials: [KEY] }] }\n  http.fetch: {}\n";
        let source = Source { name: "a.yaml".into(), text: text.into(), origin: Origin::Operator };
        let manifest = Manifest::parse(&[source]).expect("a good manifest");
        let about =
            about(r#"{ "hosts": ["a.example"], "places": ["body"], "packs": ["web.*", "http.fetch"] }"#);
        let packs = ["fs.read", "http.fetch", "web.scrape"].map(|name| name.parse().expect("a good name"));
        let used = used(&about, &packs, &manifest);
        let found: Vec<_> =
            used.packs.iter().map(|one| (one.pack.as_str(), one.manifest.as_deref())).collect();
        assert_eq!(found, [("http.fetch", None), ("web.scrape", Some("a.yaml:3"))]);
        assert_eq!(used.packs[0].uses, "a.example, in the body");
    }
}
