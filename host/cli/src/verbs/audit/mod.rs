//! `packhost audit`: the record, for its operator. Only `checkpoint` and `rotate-key` write to it, and none of these makes
//! one where there is none but `begin`, where there was one.

mod begin;
mod export;
mod line;
mod lines;
mod read;
mod sign;
pub(crate) mod verify;

use std::path::{Path, PathBuf};

use packhost_audit::AuditError;
use packhost_core::{ErrorCode, Failure};

use crate::args::{Audit, Global, RecordPlace};
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::Output;
use crate::record;

pub(crate) fn run(global: &Global, args: &Audit, output: Output) -> Result<(), Error> {
    let dirs = Dirs::of(global)?;
    match args {
        Audit::Verify(args) => verify::run(&dirs, args, output),
        Audit::Tail(args) => read::tail(&dirs, args, output),
        Audit::Query(args) => read::query(&dirs, args, output),
        Audit::Export(args) => export::run(&dirs, args),
        Audit::Checkpoint => sign::checkpoint(&dirs),
        Audit::Keys => sign::keys(&dirs, output),
        Audit::Begin => begin::run(&dirs, output),
        Audit::RotateKey => sign::rotate(&dirs, output),
    }
}

/// The directory of the record that is meant, in which there is one.
fn place(dirs: &Dirs, place: &RecordPlace) -> Result<PathBuf, Error> {
    let dir = place.dir.clone().unwrap_or_else(|| record::log_dir(dirs));
    if holds_a_record(&dir).map_err(|source| Error::file(&dir, source))? {
        return Ok(dir);
    }
    if place.dir.is_none()
        && let Some(last) = record::lost(dirs)?
    {
        return Err(AuditError::Lost { path: dir, last }.into());
    }
    let inside = dir.join("audit");
    let fix = match holds_a_record(&inside) {
        Ok(true) => format!("There is one in {}.", inside.display()),
        _ => "A call begins one, and so does whatever an operator changes. --dir reads another.".into(),
    };
    Err(Failure::new(ErrorCode::NotFound, format!("There is no record in {}.", dir.display()))
        .fix(fix)
        .into())
}

fn holds_a_record(dir: &Path) -> std::io::Result<bool> {
    let entries = match dir.read_dir() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if name == "head"
            || name == "synced"
            || name == "sealed"
            || name.as_encoded_bytes().ends_with(b".log")
        {
            return Ok(true);
        }
    }
    Ok(false)
}
