//! `packhost audit tail` and `query`.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use packhost_audit::{Entry, Filter, Follow, Queried};

use super::lines::Lines;
use super::{line, place};
use crate::args::{Query, Tail};
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::{DIM, NOTE, Output, eprintln};

/// How long it is waited for a record before it is waited again.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Programs get a line of JSON each: a document would have no end.
pub(super) fn tail(dirs: &Dirs, args: &Tail, output: Output) -> Result<(), Error> {
    let dir = place(dirs, &args.place)?;
    let mut lines = if output.is_json() { Lines::plain() } else { Lines::text() };
    let show = |entry: &Entry| if output.is_json() { entry.json().to_owned() } else { line::of(entry) };
    let queried =
        packhost_audit::query(&dir, &args.wanted.filter(Some(args.lines)), |entry| lines.put(&show(&entry)))?;
    tell_of_skipped(&queried);
    if !args.follow {
        return lines.end();
    }
    let after = queried.last.or(last(&dir)?).map_or(0, |last| last.n);
    let mut follow = Follow::after(&dir, args.wanted.filter(None), after)?;
    while lines.flush().is_continue() {
        if let Some(entry) = follow.next(PATIENCE)?
            && lines.put(&show(&entry)).is_break()
        {
            break;
        }
    }
    lines.end()
}

/// The last record of all.
fn last(dir: &Path) -> Result<Option<packhost_audit::Position>, Error> {
    let filter = Filter { limit: Some(1), ..Filter::default() };
    Ok(packhost_audit::query(dir, &filter, |_| ControlFlow::Continue(()))?.last)
}

pub(super) fn query(dirs: &Dirs, args: &Query, output: Output) -> Result<(), Error> {
    let dir = place(dirs, &args.place)?;
    let filter = args.wanted.filter(args.limit);
    if output.is_json() {
        return document(&dir, &filter);
    }
    let mut lines = Lines::text();
    let queried = packhost_audit::query(&dir, &filter, |entry| lines.put(&line::of(&entry)))?;
    lines.end()?;
    if queried.found == 0 {
        eprintln!("{DIM}no record fits{DIM:#}");
    }
    tell_of_skipped(&queried);
    Ok(())
}

/// One document, written as it is found: `records`, how many were `found`, lines that are no records (`skipped`), and the
/// number of the `last` record of the log.
fn document(dir: &Path, filter: &Filter) -> Result<(), Error> {
    let mut lines = Lines::plain();
    // Nothing is written before something is read: an error is a document too.
    let mut before: Option<String> = None;
    let queried = packhost_audit::query(dir, filter, |entry| {
        let head = match before.replace(entry.json().to_owned()) {
            None => "{\"records\": [".to_owned(),
            Some(before) => before + ",",
        };
        lines.put(&head)
    })?;
    let Queried { found, skipped, last } = queried;
    let last = last.map_or("null".to_owned(), |last| last.n.to_string());
    let end = format!("], \"found\": {found}, \"skipped\": {skipped}, \"last\": {last}}}");
    let _until_its_reader_is_gone = match before {
        Some(record) => lines.put(&(record + &end)),
        None => lines.put(&format!("{{\"records\": [{end}")),
    };
    lines.end()
}

fn tell_of_skipped(queried: &Queried) {
    if queried.skipped > 0 {
        let lines = if queried.skipped == 1 {
            "1 line is no record".into()
        } else {
            format!("{} lines are no records", queried.skipped)
        };
        eprintln!("{NOTE}{lines}{NOTE:#}; `packhost audit verify` says where");
    }
}
