//! `packhost audit verify`: whether the record is what this host wrote.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use packhost_audit::{Checkpoint, Finding, Report, verify, verify_with_ring};
use packhost_core::{ErrorCode, Failure};
use packhost_keyring::PublicKeys;
use serde_json::{Value, json};

use super::line::{tame, verdict};
use super::{place, sign};
use crate::args::{RecordPlace, Verify};
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::{BAD, BOLD, DIM, NOTE, Output, println};
use crate::record;

/// The largest file of checkpoints, in bytes.
const CHECKPOINTS: u64 = 4 << 20;

pub(super) fn run(dirs: &Dirs, args: &Verify, output: Output) -> Result<(), Error> {
    let dir = place(dirs, &args.place)?;
    let keys = keys(dirs, args)?;
    let mut kept = Vec::new();
    for file in &args.checkpoint {
        kept.append(&mut checkpoints(file)?);
    }
    // A copy in another place may be an older one.
    let report = match args.place.dir {
        Some(_) => verify(&dir, &keys, &kept)?,
        None => verify_with_ring(&dir, &record::keys_dir(dirs), &keys, &kept)?,
    };
    output.answer(&document(&report), || text(&dir, &report));
    if report.is_intact() { Ok(()) } else { Err(Error::Said) }
}

fn document(report: &Report) -> Value {
    let mut document = json!(report);
    document["intact"] = report.is_intact().into();
    document
}

/// Whether the record in its usual place is what this host wrote.
pub(crate) fn of_this_host(dirs: &Dirs) -> Result<Value, Error> {
    let dir = place(dirs, &RecordPlace { dir: None })?;
    Ok(document(&verify_with_ring(&dir, &record::keys_dir(dirs), &sign::public(dirs)?, &[])?))
}

fn keys(dirs: &Dirs, args: &Verify) -> Result<PublicKeys, Error> {
    let keys = match &args.keys {
        None => sign::public(dirs)?,
        Some(file) => PublicKeys::parse(read(file, PublicKeys::LARGEST as u64)?.as_bytes())
            .map_err(|error| Error::failed(format!("{}: {error}", file.display())))?,
    };
    let Some(known) = &args.trust else { return Ok(keys) };
    keys.trusting(known).map_err(|error| Error::failed(format!("--trust: {error}")))
}

/// One a line.
fn checkpoints(file: &Path) -> Result<Vec<Checkpoint>, Error> {
    let text = read(file, CHECKPOINTS)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let kept: Vec<Checkpoint> = lines
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|error| {
                let place = format!("{}:{}", file.display(), number + 1);
                Failure::new(ErrorCode::InvalidInput, format!("{place}: it is no checkpoint: {error}."))
                    .fix("`packhost audit checkpoint` prints one as a line of JSON.")
            })
        })
        .collect::<Result<_, _>>()?;
    if kept.is_empty() {
        return Err(Error::failed(format!("{}: there is no checkpoint in it", file.display())));
    }
    Ok(kept)
}

fn read(file: &Path, most: u64) -> Result<String, Error> {
    let mut text = String::new();
    let size = File::open(file)
        .and_then(|open| open.take(most + 1).read_to_string(&mut text))
        .map_err(|source| Error::file(file, source))?;
    if size as u64 > most {
        return Err(Error::failed(format!("{}: larger than {most} bytes", file.display())));
    }
    Ok(text)
}

fn text(dir: &Path, report: &Report) {
    for finding in &report.findings {
        print_finding(finding);
    }
    if report.more > 0 {
        println!("{BAD}and {} more{BAD:#}", report.more);
    }
    let good = report.is_intact();
    let (style, dir) = (verdict(good), dir.display());
    let (word, says) = match (good, report.findings.len() as u64 + report.more) {
        (true, _) => ("ok", "nothing is changed, missing or out of order".to_owned()),
        (false, 1) => ("CHANGED", "1 thing is not as this host wrote it".to_owned()),
        (false, count) => ("CHANGED", format!("{count} things are not as this host wrote them")),
    };
    println!("{style}{word}{style:#}  {BOLD}{dir}{BOLD:#}: {says}");
    let Report { records, segments, checkpoints, .. } = report;
    let range = match (report.first, report.last) {
        (Some(first), Some(last)) => format!(" ({first} to {})", last.n),
        _ => String::new(),
    };
    let [records, segments, checkpoints] =
        [(records, "record"), (segments, "file"), (checkpoints, "good signature")]
            .map(|(n, what)| many(*n, what));
    println!("  read       {records}{range}, {segments}, {checkpoints}");
    proven(report);
    kept(report);
    if let Some(removed) = &report.removed {
        println!(
            "  removed    by retention, up to record {}: signed for in `sealed`, not to be read any more",
            removed.n
        );
    }
    if let Some(byte) = report.torn {
        println!(
            "  {NOTE}torn{NOTE:#}       the last segment ends with a part of a record, at byte {byte}: one is being written, or its process died"
        );
    }
}

fn print_finding(finding: &Finding) {
    let what = json!(finding.what);
    let Finding { file, line, byte, n, expected, found, .. } = finding;
    let mut place = tame(file);
    if *line > 0 {
        place.push_str(&format!(":{line}, byte {byte}"));
    }
    let record = n.map_or(String::new(), |n| format!(", record {n}"));
    println!("{BAD}{}{BAD:#}  {BOLD}{place}{BOLD:#}{record}", what.as_str().unwrap_or("changed"));
    println!("  expected   {}", tame(expected));
    println!("  found      {}", tame(found));
}

fn many(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// How far it is proven, by which signature, and what rests on hashes alone.
fn proven(report: &Report) {
    let Some(proven) = &report.proven else {
        println!("  {NOTE}proven{NOTE:#}     nothing: no signature of these keys is in it");
        return;
    };
    let time = proven.time.to_string();
    let time = time.split_once('.').map_or(time.as_str(), |(seconds, _)| seconds);
    println!("  proven     up to record {}, {time}Z, by a signature of {}", proven.n, proven.key_id);
    let rest = report.last.map_or(0, |last| last.n.saturating_sub(proven.n));
    match rest {
        0 => {}
        1 => println!("  {DIM}unsigned   1 record after it: it fits; the next checkpoint proves it{DIM:#}"),
        rest => println!(
            "  {DIM}unsigned   {rest} records after it: they fit; the next checkpoint proves them{DIM:#}"
        ),
    }
}

/// What became of the checkpoints that somebody kept.
fn kept(report: &Report) {
    let list = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    if !report.kept.is_empty() {
        println!("  kept       checkpoints that hold: {}", list(&report.kept));
    }
    if !report.kept_removed.is_empty() {
        println!(
            "  {NOTE}kept{NOTE:#}       checkpoints of records that retention has removed, of which nothing can be said: {}",
            list(&report.kept_removed)
        );
    }
    if report.kept.is_empty() && report.kept_removed.is_empty() && report.is_intact() {
        println!(
            "  {DIM}a checkpoint that is kept elsewhere (`packhost audit checkpoint`) proves more than the keys here{DIM:#}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_checkpoint_is_refused_with_the_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("kept.json");
        for (text, words) in
            [("", "no checkpoint in it"), ("\n\n{}\n", "kept.json:3"), ("[1]\n", "kept.json:1")]
        {
            std::fs::write(&file, text).expect("writable");
            let refused = checkpoints(&file).expect_err(text).to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
