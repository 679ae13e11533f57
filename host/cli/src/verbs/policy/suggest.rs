//! `packhost policy suggest`: what a pack was denied, and the edit of the manifest that would allow it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use packhost_audit::{Denials, Denied};
use packhost_core::PackName;
use packhost_engine::Settings;
use packhost_manifest::{
    EditError, Entry, Manifest, Origin, Source, SuggestedRule, Suggestion, adopt, edit, shipped, suggest,
};
use serde::Serialize;
use serde_json::{Value, json};
use similar::TextDiff;
use time::OffsetDateTime;

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::{BAD, BOLD, DIM, GOOD, NOTE, Output, println};
use crate::packs;
use crate::policies;
use crate::record::{Act, Acts};
use crate::state::open_state;
use crate::walls::make_dirs;

/// How many lines around a change are shown.
const CONTEXT: usize = 3;

pub(super) fn run(global: &Global, pack: &str, write: bool, output: Output) -> Result<(), Error> {
    let dirs = Dirs::of(global)?;
    let limit = Settings::new(dirs.state.clone(), dirs.cache.clone()).component;
    let known = packs::find(&packs::sources(global, &dirs, limit)?, pack).map(|known| known.name);
    let is_here = known.is_some();
    let pack: PackName = match known {
        Some(name) => name,
        None => pack.parse().map_err(|error| Error::failed(format!("{error}")))?,
    };
    make_dirs(global, &dirs)?;
    let denied = Denials::open(open_state(&dirs)?)?.of(&pack)?;
    let own = Own::read(global, &dirs)?;
    // Of a name that was mistyped "nothing was denied" would be true, and taken for something else.
    if !is_here && denied.is_empty() && own.manifest.entry(&pack).is_none() {
        return Err(super::explain::nobody(&pack));
    }
    let requests: Vec<_> = denied.iter().map(|one| one.request.clone()).collect();
    let suggestion = suggest(own.manifest.entry(&pack), &requests);
    if !output.is_json() {
        table(&pack, &denied);
    }
    let edited = if suggestion.rules.is_empty() { None } else { Some(own.edited(&pack, &suggestion.rules)?) };
    if let Some(edited) = edited.as_ref().filter(|_| write) {
        let act = Act::new("policy.suggest", edited.path.display()).with("pack", &pack);
        Acts::open(&dirs)?.record(act, || edited.write())?;
    }
    let answer = Answer {
        pack: &pack,
        denied: &denied,
        suggestion: &suggestion,
        file: edited.as_ref().map(|edited| edited.path.display().to_string()),
        diff: edited.as_ref().map(Edited::diff),
        written: edited.is_some() && write,
    };
    output.answer(&answer, || answer.text());
    Ok(())
}

/// The same document for every pack that was denied something. Where the edit cannot be made by a program, it says why.
pub(crate) fn documents(global: &Global, dirs: &Dirs) -> Result<Value, Error> {
    let denials = Denials::open(open_state(dirs)?)?;
    let own = Own::read(global, dirs)?;
    let mut packs = Vec::new();
    for pack in denials.packs()? {
        let denied = denials.of(&pack)?;
        let requests: Vec<_> = denied.iter().map(|one| one.request.clone()).collect();
        let suggestion = suggest(own.manifest.entry(&pack), &requests);
        let edited = match suggestion.rules.is_empty() {
            true => Ok(None),
            false => own.edited(&pack, &suggestion.rules).map(Some),
        };
        let (edited, why) = match edited {
            Ok(edited) => (edited, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let mut document = json!(Answer {
            pack: &pack,
            denied: &denied,
            suggestion: &suggestion,
            file: edited.as_ref().map(|edited| edited.path.display().to_string()),
            diff: edited.as_ref().map(Edited::diff),
            written: false,
        });
        document["why"] = json!(why);
        packs.push(document);
    }
    Ok(json!({ "packs": packs }))
}

#[derive(Serialize)]
struct Answer<'a> {
    pack: &'a PackName,
    denied: &'a [Denied],
    #[serde(flatten)]
    suggestion: &'a Suggestion,
    file: Option<String>,
    diff: Option<String>,
    written: bool,
}

/// The operator's files, and the manifest that they make with what ships.
struct Own {
    sources: Vec<Source>,
    manifest: Manifest,
    /// The file to make where there is none, and what it has to say so that everything else stays as it is.
    missing: Source,
}

impl Own {
    fn read(global: &Global, dirs: &Dirs) -> Result<Self, Error> {
        let (mut sources, files) = policies::operator(global, dirs)?;
        let manifest = Manifest::parse(&with_shipped(&sources))?;
        if files == 0 {
            // What stands for an empty directory is no file.
            sources.clear();
        }
        let root = policies::roots(global, dirs).into_iter().next().unwrap_or_else(|| dirs.policies.clone());
        // While there is no file in the default directory, what ships is in force.
        let text = if global.policy.is_empty() { "version: 1\nextends: shipped\n" } else { "version: 1\n" };
        let missing = Source {
            name: root.join("suggested.yaml").display().to_string(),
            text: text.into(),
            origin: Origin::Operator,
        };
        Ok(Self { sources, manifest, missing })
    }

    /// The edit that adds these rules: of the file that has the pack's entry, otherwise of the first one. An entry that ships
    /// is copied there, because one of the operator's replaces it as a whole.
    fn edited(&self, pack: &PackName, rules: &[SuggestedRule]) -> Result<Edited, Error> {
        let entry = self.manifest.entry(pack);
        let holds = |source: &&Source| entry.is_some_and(|entry| *entry.place.file == *source.name);
        let holder = self.sources.iter().find(holds);
        let file = holder.or(self.sources.first());
        let (old, source) = (file.map(|source| source.text.clone()), file.unwrap_or(&self.missing).clone());
        let source = match entry.filter(|_| holder.is_none()) {
            Some(entry) => Source { text: copied(&source, entry, rules)?, ..source },
            None => source,
        };
        let text = edit(&source, pack, rules).map_err(not_edited)?;
        let edited = Source { text, ..source };
        let others = self.sources.iter().filter(|other| other.name != edited.name).cloned();
        let all: Vec<Source> = others.chain([edited.clone()]).collect();
        // Another file may have a ceiling.
        Manifest::parse(&with_shipped(&all))?;
        Ok(Edited { path: PathBuf::from(&edited.name), old, new: edited.text })
    }
}

fn with_shipped(sources: &[Source]) -> Vec<Source> {
    sources.iter().cloned().chain(shipped()).collect()
}

/// The text of this file with the entry that ships. Where the rules cannot be put into that one, it is said here, where the
/// lines are those of a file that is there.
fn copied(source: &Source, entry: &Entry, rules: &[SuggestedRule]) -> Result<String, Error> {
    let all = shipped();
    let from = all.iter().find(|source| *source.name == *entry.place.file);
    let from =
        from.ok_or_else(|| Error::failed(format!("{} is in no file that can be edited", entry.place)))?;
    edit(from, &entry.pack, rules).map_err(|error| {
        let (pack, file) = (&entry.pack, &source.name);
        Error::failed(format!(
            "the entry of {pack} ships with the host: copy it to {file} and edit it there.\n{error}"
        ))
    })?;
    adopt(source, from, &entry.pack).map_err(not_edited)
}

fn not_edited(error: EditError) -> Error {
    match error {
        EditError::Before(errors) => Error::Manifest(errors),
        error => Error::failed(error.to_string()),
    }
}

/// A file of the operator as it is, and as it would be.
struct Edited {
    path: PathBuf,
    /// `None` where the file is not there yet.
    old: Option<String>,
    new: String,
}

impl Edited {
    /// The change as a unified diff, which `patch -p0` takes.
    fn diff(&self) -> String {
        let path = self.path.display().to_string();
        let (old, from) = match &self.old {
            Some(old) => (old.as_str(), path.as_str()),
            None => ("", "/dev/null"),
        };
        let diff = TextDiff::from_lines(old, self.new.as_str());
        diff.unified_diff().context_radius(CONTEXT).header(from, &path).to_string()
    }

    /// Puts the new text in the place of the old one, as a whole or not at all, with the same permissions. A file that has
    /// changed in the meantime is left alone.
    fn write(&self) -> Result<(), Error> {
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let failed = |error| Error::file(&path, error);
        let now = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        if now != self.old {
            return Err(Error::failed(format!("{} has just been changed; try again", path.display())));
        }
        replace(&path, &self.new).map_err(failed)
    }
}

/// The name begins with a dot and does not end like a manifest's, so that nobody reads the half of it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(".".as_ref());
    let mut file = tempfile::Builder::new().prefix(".packhost-policy").tempfile_in(parent)?;
    file.write_all(text.as_bytes())?;
    if let Ok(about) = fs::metadata(path) {
        file.as_file().set_permissions(about.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(parent)?.sync_all()
}

/// A line for each request, the latest first.
fn table(pack: &PackName, denied: &[Denied]) {
    if denied.is_empty() {
        println!("nothing was denied to {BOLD}{pack}{BOLD:#}");
        return;
    }
    println!("{BOLD}{pack}{BOLD:#} was denied, or would have been:");
    let times = denied.iter().map(|one| one.count.to_string().len()).max().unwrap_or(0);
    for Denied { request, count, last, .. } in denied {
        let through = if request.is_reported() { " (let through: report)" } else { "" };
        println!("  {count:>times$}×  {DIM}{}{DIM:#}  {request}{NOTE}{through}{NOTE:#}", moment(*last));
    }
}

/// A moment in milliseconds since 1970, in UTC: `2026-01-31 09:05`.
fn moment(milliseconds: u64) -> String {
    let seconds = i64::try_from(milliseconds / 1_000).ok();
    let moment = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    moment.map_or_else(
        || "?".into(),
        |moment| format!("{} {:02}:{:02}", moment.date(), moment.hour(), moment.minute()),
    )
}

impl Answer<'_> {
    fn text(&self) {
        for left in &self.suggestion.left_out {
            println!("{NOTE}left out{NOTE:#}  {}: {}", left.request, left.why);
        }
        let (Some(file), Some(diff)) = (&self.file, &self.diff) else {
            if !self.denied.is_empty() && self.suggestion.left_out.is_empty() {
                println!("the manifest allows all of it by now");
            }
            return;
        };
        println!();
        for line in diff.lines() {
            match line.as_bytes().first() {
                Some(b'+') => println!("{GOOD}{line}{GOOD:#}"),
                Some(b'-') => println!("{BAD}{line}{BAD:#}"),
                _ => println!("{line}"),
            }
        }
        if self.written {
            println!("{GOOD}ok{GOOD:#}  written to {BOLD}{file}{BOLD:#}");
        } else {
            println!("{DIM}nothing is changed; with --write the edit is made in {file}{DIM:#}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day_and_a_time() {
        assert_eq!(moment(0), "1970-01-01 00:00");
        assert_eq!(moment(1_709_251_199_999), "2024-02-29 23:59");
        assert_eq!(moment(u64::MAX), "?");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_unless_it_has_changed() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.yaml");
        let edited = |old: Option<&str>| Edited {
            path: path.clone(),
            old: old.map(String::from),
            new: "version: 1\npacks: {}\n".into(),
        };
        edited(None).write().expect("a new file");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "version: 1\npacks: {}\n");
        edited(None).write().expect_err("it is there by now");
        edited(Some("version: 1\n")).write().expect_err("it says something else");
        edited(Some("version: 1\npacks: {}\n")).write().expect("it is as it was");
        assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 1, "nothing is left beside it");
        let diff = edited(Some("version: 1\n")).diff();
        assert!(diff.contains("@@ -1 +1,2 @@\n version: 1\n+packs: {}\n"), "{diff}");
        assert!(edited(None).diff().starts_with("--- /dev/null\n+++ "));
    }
}
