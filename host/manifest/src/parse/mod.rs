//! From texts to a manifest, as a whole or not at all.

use std::collections::BTreeMap;

use packhost_core::{Digest, PackName};
use serde::Serialize;

use crate::ceiling::Ceiling;
use crate::entry::Entry;

mod check;
mod command;
mod diagnostic;
mod file;
mod fs;
mod http;
mod narrow;
mod node;
mod rules;
mod session;

pub(crate) use check::{Reader, cut};
pub use diagnostic::{Diagnostic, Diagnostics};
use file::File;
pub(crate) use node::Span;
pub(crate) use node::{Node, Value, read};

/// One file of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file as it is to be shown in errors and explanations.
    pub name: String,
    /// What it holds.
    pub text: String,
    /// Who wrote it.
    pub origin: Origin,
}

/// Who wrote a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// It comes with the host.
    Shipped,
    /// The operator.
    Operator,
}

/// A whole set of entries, in force together. Comments, places and the order of things are not in it: manifests whose
/// entries say the same have the same revision.
#[derive(Debug, Clone)]
pub struct Manifest {
    revision: String,
    entries: BTreeMap<PackName, Entry>,
    ceiling: Option<Ceiling>,
}

impl Manifest {
    /// Reads a set of files. Every error of every file is found, as far as one does not hide the other.
    ///
    /// Where any file is the operator's, also one that says nothing, the shipped entries count only if one of the operator's
    /// files says `extends: shipped`, and then only for packs that no file of the operator names. The order of `sources`
    /// does not matter.
    pub fn parse(sources: &[Source]) -> Result<Self, Diagnostics> {
        let files: Vec<File<'_>> = sources.iter().map(File::read).collect();
        let mut set = Set::default();
        let only_shipped = files.iter().all(|file| file.origin() == Origin::Shipped);
        for file in files.iter().filter(|file| file.origin() == Origin::Operator || only_shipped) {
            set.add(file);
        }
        if !only_shipped && files.iter().any(|file| file.extends) {
            let mut base = Set::default();
            files.iter().filter(|file| file.origin() == Origin::Shipped).for_each(|file| base.add(file));
            set.errors.append(&mut base.errors);
            for (pack, found) in base.entries {
                set.entries.entry(pack).or_insert(found);
            }
        }
        let mut errors = std::mem::take(&mut set.errors);
        errors.extend(files.iter().flat_map(|file| file.errors.iter().cloned()));
        let ceiling = set.ceiling.take().map(|(_, _, ceiling)| ceiling.clone());
        let entries = set.effective(ceiling.as_ref());
        if errors.is_empty()
            && let Some(ceiling) = &ceiling
        {
            for (file, at, entry) in entries.values() {
                if let Err(beyond) = ceiling.covers(entry) {
                    errors.push(file.beyond(*at, &beyond));
                }
            }
        }
        if !errors.is_empty() {
            errors.sort_by(|a, b| {
                (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message))
            });
            errors.dedup();
            return Err(Diagnostics(errors));
        }
        let entries: BTreeMap<PackName, Entry> =
            entries.into_iter().map(|(pack, (_, _, entry))| (pack, entry)).collect();
        Ok(Self { revision: revision(&entries, ceiling.as_ref()), entries, ceiling })
    }

    /// Twelve hex digits that change when what the manifest means changes: of the SHA-256 of its canonical form.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The entry of a pack. Without one, nobody may call the pack.
    pub fn entry(&self, pack: &PackName) -> Option<&Entry> {
        self.entries.get(pack)
    }

    /// Every entry, sorted by pack.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The ceiling, where the set has one.
    pub fn ceiling(&self) -> Option<&Ceiling> {
        self.ceiling.as_ref()
    }
}

fn revision(entries: &BTreeMap<PackName, Entry>, ceiling: Option<&Ceiling>) -> String {
    let mut lines: Vec<String> = entries.values().flat_map(crate::diff::canonical).collect();
    lines.extend(ceiling.into_iter().flat_map(crate::diff::canonical_ceiling));
    Digest::of(lines.join("\n").as_bytes()).short()
}

type Found<'f> = Vec<(&'f File<'f>, Span, &'f Entry)>;

/// Files that count together.
#[derive(Default)]
struct Set<'f> {
    entries: BTreeMap<PackName, Found<'f>>,
    ceiling: Option<(&'f File<'f>, Span, &'f Ceiling)>,
    errors: Vec<Diagnostic>,
}

impl<'f> Set<'f> {
    fn add(&mut self, file: &'f File<'f>) {
        for (at, entry) in &file.entries {
            let found = self.entries.entry(entry.pack.clone()).or_default();
            // A second file may deny what another grants: the quickest way to switch a pack off must not be an error.
            if let Some((_, _, first)) = found.iter().find(|(_, _, first)| !first.denied && !entry.denied) {
                let message = format!("{} has an entry already, at {}", entry.pack, first.place);
                self.errors.push(file.error(
                    *at,
                    message,
                    "one pack has one entry; only deny: true may stand beside it",
                ));
            }
            found.push((file, *at, entry));
        }
        if let Some((at, ceiling)) = &file.ceiling {
            match &self.ceiling {
                Some((_, _, first)) => {
                    let message = format!("there is a ceiling already, at {}", first.place);
                    self.errors.push(file.error(*at, message, "a set has one ceiling"));
                }
                None => self.ceiling = Some((file, *at, ceiling)),
            }
        }
    }

    /// One entry per pack: a denying one where there is one, with its limits held under the ceiling.
    fn effective(&self, ceiling: Option<&Ceiling>) -> BTreeMap<PackName, (&'f File<'f>, Span, Entry)> {
        let mut entries = BTreeMap::new();
        for (pack, found) in &self.entries {
            let first = found.iter().min_by_key(|(_, _, entry)| (!entry.denied, &entry.place));
            let Some((file, at, entry)) = first else { continue };
            let mut entry = (*entry).clone();
            if let Some(ceiling) = ceiling {
                ceiling.lower_defaults(&mut entry);
            }
            entries.insert(pack.clone(), (*file, *at, entry));
        }
        entries
    }
}
