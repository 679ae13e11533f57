//! `packhost audit begin`: another record in place of one that is lost.

use packhost_core::{ErrorCode, Failure};
use serde_json::json;

use super::holds_a_record;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::{BOLD, DIM, GOOD, Output, println};
use crate::record::{self, Act, Acts};

pub(super) fn run(dirs: &Dirs, output: Output) -> Result<(), Error> {
    let dir = record::log_dir(dirs);
    if holds_a_record(&dir).map_err(|source| Error::file(&dir, source))? {
        let message = format!("There is a record in {}.", dir.display());
        return Err(Failure::new(ErrorCode::InvalidInput, message)
            .fix("To begin another one, move that directory away and keep it: it is evidence.")
            .into());
    }
    let last = record::lost(dirs)?.ok_or_else(|| {
        Failure::new(ErrorCode::NotFound, "No record is known to be lost here.")
            .fix("A call begins one, and so does whatever an operator changes.")
    })?;
    let act = Act::new("audit.begin", dir.display()).with("last", last.n).with("hash", last.hash);
    Acts::anew(dirs, act)?.end(Ok(()))?;
    output.answer(&json!({ "begun": dir, "lost": last }), || {
        println!("{GOOD}ok{GOOD:#}  another record begins in {BOLD}{}{BOLD:#}", dir.display());
        match last.n {
            0 => println!("  of the lost one no checkpoint is known"),
            n => println!("  the lost one is known to have gone to record {n}"),
        }
        println!("  {DIM}checkpoints that were kept of it hold for it alone; keep one of this one: packhost audit checkpoint{DIM:#}");
    });
    Ok(())
}
