//! `packhost policy`: what packs may do, without running one.

pub(crate) mod explain;
pub(crate) mod suggest;

use std::path::{Path, PathBuf};

use packhost_manifest::{
    CaseOutcome, Cases, Diff, Expect, Manifest, Reporting, diff, reporting, schema, shipped,
};
use serde::Serialize;

use crate::args::{Global, Policy as Args};
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::host::look;
use crate::output::{BAD, BOLD, DIM, GOOD, NOTE, Output, println};
use crate::{own, policies};

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    match args {
        Args::Check { paths } => check(global, paths, output),
        Args::Explain { pack } => explain::run(global, pack, output),
        Args::Diff { old, new } => compare(old, new, output),
        Args::Test { cases } => test(global, cases, output),
        Args::Suggest { pack, write } => suggest::run(global, pack, *write, output),
        Args::Schema => {
            println!("{:#}", schema());
            Ok(())
        }
    }
}

/// The manifest that files and directories make together with what ships.
fn manifest_of(paths: &[PathBuf]) -> Result<Manifest, Error> {
    let (mut sources, _) = policies::named(paths)?;
    sources.extend(shipped());
    Ok(Manifest::parse(&sources)?)
}

#[derive(Serialize)]
struct Checked<'a> {
    revision: &'a str,
    packs: usize,
    ceiling: bool,
    /// Packs in report mode: the manifest is good, and somebody should know.
    reporting: &'a [Reporting],
}

fn check(global: &Global, paths: &[PathBuf], output: Output) -> Result<(), Error> {
    let manifest = if paths.is_empty() { look(global)?.1 } else { manifest_of(paths)? };
    own::refuse_exposed(global, &Dirs::of(global)?, &manifest)?;
    let reporting = reporting(&manifest);
    let checked = Checked {
        revision: manifest.revision(),
        packs: manifest.entries().count(),
        ceiling: manifest.ceiling().is_some(),
        reporting: &reporting,
    };
    output.answer(&checked, || {
        reporting.iter().for_each(|one| println!("{NOTE}warning{NOTE:#}  {one}"));
        let ceiling = if checked.ceiling { ", all within the ceiling" } else { "" };
        println!("{GOOD}ok{GOOD:#}  {} packs{ceiling}, revision {}", checked.packs, checked.revision);
    });
    Ok(())
}

fn compare(old: &Path, new: &Path, output: Output) -> Result<(), Error> {
    let changes = diff(&manifest_of(&[old.into()])?, &manifest_of(&[new.into()])?);
    output.answer(&changes, || text(&changes));
    Ok(())
}

fn text(changes: &Diff) {
    if changes.packs.is_empty() && changes.ceiling_gained.is_empty() && changes.ceiling_lost.is_empty() {
        println!("nothing changes");
    }
    let lines = |gained: &[String], lost: &[String], may: &str| {
        lost.iter().for_each(|line| println!("  {GOOD}- {may}{line}{GOOD:#}"));
        gained.iter().for_each(|line| println!("  {BAD}+ {may}{line}{BAD:#}"));
    };
    for pack in &changes.packs {
        println!("{BOLD}{}{BOLD:#}", pack.pack);
        lines(&pack.gained, &pack.lost, "may ");
    }
    if !changes.ceiling_gained.is_empty() || !changes.ceiling_lost.is_empty() {
        println!("{BOLD}ceiling{BOLD:#}");
        lines(&changes.ceiling_gained, &changes.ceiling_lost, "");
    }
    println!("{DIM}revision {} -> {}{DIM:#}", changes.from, changes.to);
}

#[derive(Serialize)]
struct Tested<'a> {
    passed: usize,
    failed: usize,
    cases: &'a [CaseOutcome],
}

fn test(global: &Global, file: &Path, output: Output) -> Result<(), Error> {
    let (_, manifest) = look(global)?;
    let cases = Cases::parse(&policies::source(file)?)?;
    let outcomes = cases.run(&manifest);
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    let tested = Tested { passed: outcomes.len() - failed, failed, cases: &outcomes };
    output.answer(&tested, || {
        for outcome in &outcomes {
            let (style, word) = if outcome.passed() { (GOOD, "ok") } else { (BAD, "FAILED") };
            println!("{style}{word:>6}{style:#}  {} {}", said(outcome.expect), outcome.case);
            if !outcome.passed() {
                println!("        {}: it is {}: {}", outcome.place, said(outcome.got), outcome.why);
            }
        }
        println!("{} passed, {failed} failed", tested.passed);
    });
    if failed == 0 { Ok(()) } else { Err(Error::Said) }
}

fn said(expect: Expect) -> &'static str {
    match expect {
        Expect::Allow => "allow",
        Expect::Deny => "deny",
    }
}
