//! Which credentials a pack may use, and where: what the manifest names, and how the vault binds it.

use packhost_core::{CredentialName, PackName};
use packhost_manifest::Entry;
use packhost_state::Database;
use packhost_vault::About;
use serde::Serialize;

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::{DIM, NOTE, println};
use crate::state::{open_state, open_vault};

/// A credential that a rule of the manifest names for the pack.
#[derive(Serialize)]
pub(crate) struct Credential {
    name: CredentialName,
    /// The first line that names it.
    manifest: String,
    /// Whether the vault has it.
    kept: bool,
    /// The pack's bindings, in words. Where there is none, it cannot be used.
    uses: Vec<String>,
}

/// Sorted by name. The vault is looked into where there is something to look for, and is not made.
pub(crate) fn of(entry: &Entry, global: &Global) -> Result<Vec<Credential>, Error> {
    let mut named: Vec<(&CredentialName, String)> = Vec::new();
    for rule in &entry.http {
        for name in &rule.credentials {
            if named.iter().all(|(known, _)| *known != name) {
                named.push((name, rule.place.to_string()));
            }
        }
    }
    if named.is_empty() {
        return Ok(Vec::new());
    }
    named.sort();
    let dirs = Dirs::of(global)?;
    let kept = match Database::is_there(&dirs.state) {
        true => open_vault(global, &dirs, open_state(&dirs)?)?.list()?,
        false => Vec::new(),
    };
    Ok(named.into_iter().map(|(name, manifest)| credential(name, manifest, &kept, &entry.pack)).collect())
}

fn credential(name: &CredentialName, manifest: String, kept: &[About], pack: &PackName) -> Credential {
    let about = kept.iter().find(|about| about.name == *name);
    let bindings = about.into_iter().flat_map(|about| &about.bindings);
    let uses = bindings.filter(|binding| binding.is_for(pack)).map(|binding| binding.uses()).collect();
    Credential { name: name.clone(), manifest, kept: about.is_some(), uses }
}

pub(super) fn text(credentials: &[Credential]) {
    for Credential { name, manifest, kept, uses } in credentials {
        for uses in uses {
            println!("  may use {name}: {uses} {DIM}(granted by {manifest}){DIM:#}");
        }
        if uses.is_empty() {
            let (why, verb) = match kept {
                true => ("it is not bound to this pack", "bind"),
                false => ("it is not in the vault", "set"),
            };
            println!(
                "  {NOTE}cannot use {name}{NOTE:#}, which {manifest} names: {why}; see `packhost vault {verb} --help`"
            );
        }
    }
}
