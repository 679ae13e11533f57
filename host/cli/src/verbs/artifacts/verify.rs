//! Whether everything is as it was written and signed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use packhost_artifacts::{
    ArtifactError, ArtifactId, Checked, Filter, Finding, Operator, Page, Report, Signed,
};
use packhost_core::RunId;
use packhost_keyring::PublicKeys;
use serde_json::json;

use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::{BAD, BOLD, DIM, GOOD, NOTE, Output, println};
use crate::record::keys_dir;

/// The public keys of this host, or those in a file.
pub(super) fn keys(dirs: &Dirs, file: Option<&Path>) -> Result<PublicKeys, Error> {
    let Some(file) = file else {
        return Ok(PublicKeys::read(&keys_dir(dirs)).map_err(ArtifactError::from)?);
    };
    let mut text = Vec::new();
    let read =
        File::open(file).and_then(|open| open.take(PublicKeys::LARGEST as u64 + 1).read_to_end(&mut text));
    read.map_err(|source| Error::file(file, source))?;
    PublicKeys::parse(&text).map_err(|error| Error::failed(format!("{}: {error}", file.display())))
}

/// What is not as it should be, or that nobody has signed for, makes the command fail.
pub(super) async fn verify(
    operator: &Operator,
    ids: &[ArtifactId],
    keys: &PublicKeys,
    output: Output,
) -> Result<(), Error> {
    let work = output.progress("reading all of it");
    let reports = work.watch(reports(operator, ids, keys)).await?;
    let good = reports.iter().all(|report| report.is_sound() && report.is_signed());
    output.answer(&json!({ "good": good, "runs": reports }), || {
        if reports.is_empty() {
            println!("no artifacts");
        }
        reports.iter().for_each(show);
        let lost = reports.iter().flat_map(|report| &report.artifacts);
        match lost.filter(|one| one.finding == Finding::Lost).count() {
            0 => {}
            lost => println!("{DIM}lost: {lost}. Restore the store; or, where it is lost, packhost artifacts rm --missing{DIM:#}"),
        }
    });
    if good { Ok(()) } else { Err(Error::Said) }
}

async fn reports(
    operator: &Operator,
    ids: &[ArtifactId],
    keys: &PublicKeys,
) -> Result<Vec<Report>, ArtifactError> {
    let mut reports = Vec::new();
    for id in ids {
        reports.push(operator.verify(id, keys).await?);
    }
    if !ids.is_empty() {
        return Ok(reports);
    }
    for run in runs(operator).await? {
        match operator.verify_run(run, keys).await {
            // All that it had has expired since it was listed.
            Err(ArtifactError::NotFound) => {}
            report => reports.push(report?),
        }
    }
    Ok(reports)
}

/// The calls that have made something, the earliest first.
async fn runs(operator: &Operator) -> Result<BTreeSet<RunId>, ArtifactError> {
    let mut runs = BTreeSet::new();
    let mut page = Page { after: None, most: Page::MOST };
    loop {
        let listing = operator.list(None, Filter::default(), page).await?;
        runs.extend(listing.artifacts.iter().map(|one| one.run));
        let Some(next) = listing.next else { return Ok(runs) };
        page = Page { after: Some(next), most: Page::MOST };
    }
}

fn show(report: &Report) {
    let run = report.run;
    match &report.manifest {
        Signed::By { key_id, .. } => println!("call {BOLD}{run}{BOLD:#}  {DIM}signed with {key_id}{DIM:#}"),
        Signed::Missing => println!(
            "call {BOLD}{run}{BOLD:#}  {NOTE}not signed{NOTE:#} {DIM}(it has not ended, or its host was stopped before it signed){DIM:#}"
        ),
        Signed::Invalid { why } => println!("call {BOLD}{run}{BOLD:#}  {BAD}no valid manifest{BAD:#}: {why}"),
    }
    report.artifacts.iter().for_each(line);
}

fn line(one: &Checked) {
    let (style, found) = match one.finding {
        Finding::Sound => (GOOD, "sound"),
        Finding::Gone => (DIM, "gone"),
        Finding::Lost => (BAD, "lost"),
        Finding::Altered { .. } => (BAD, "altered"),
        Finding::Relabelled => (BAD, "relabelled"),
        Finding::Unsigned => (NOTE, "unsigned"),
    };
    println!("  {style}{found:10}{style:#}  {}  {}", one.id, one.name);
}
