//! What there is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use packhost_artifacts::{Artifact, Cursor, Filter, Kind, Operator, Page};
use packhost_core::{Caller, PackName, RunId};

use crate::exit::Error;
use crate::output::{BOLD, DIM, Output, eprintln, println};
use crate::verbs::sessions::span;

/// Which are listed.
pub(super) struct Wanted<'a> {
    pub(super) owner: Option<&'a Caller>,
    pub(super) run: Option<RunId>,
    pub(super) pack: Option<PackName>,
}

pub(super) async fn list(
    operator: &Operator,
    wanted: Wanted<'_>,
    most: u32,
    after: Option<Cursor>,
    output: Output,
) -> Result<(), Error> {
    let Wanted { owner, run, pack } = wanted;
    let filter = Filter { run, pack, kind: None };
    let listing = operator.list(owner, filter, Page { after, most });
    let listing = output.progress("looking").watch(listing).await?;
    output.answer(&listing, || {
        if listing.artifacts.is_empty() {
            println!("no artifacts");
        }
        listing.artifacts.iter().for_each(line);
        if let Some(next) = &listing.next {
            eprintln!("{DIM}there are more: --after {next}{DIM:#}");
        }
    });
    Ok(())
}

fn line(one: &Artifact) {
    let what = match one.kind {
        Kind::Made => one.media_type.to_string(),
        Kind::Manifest => "signed manifest".to_owned(),
    };
    println!(
        "{BOLD}{}{BOLD:#}  {:12} {:12} {:>10}  {}  {DIM}{what}, {} old, of call {}{DIM:#}",
        one.id,
        one.owner,
        one.pack,
        bytes(one.size),
        one.name,
        span(since(one.created)),
        one.run
    );
}

/// A size as people say it: `512 B`, `1.5 KiB`, `20.0 MiB`.
fn bytes(size: u64) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..0x10_0000 => tenths(size, 10, "KiB"),
        0x10_0000..0x4000_0000 => tenths(size, 20, "MiB"),
        _ => tenths(size, 30, "GiB"),
    }
}

fn tenths(size: u64, shift: u32, unit: &str) -> String {
    let (whole, rest) = (size >> shift, size & ((1 << shift) - 1));
    format!("{whole}.{} {unit}", (rest * 10) >> shift)
}

fn since(moment: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_millis(moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_short() {
        let sizes = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (20 << 20, "20.0 MiB"),
            (1 << 40, "1024.0 GiB"),
        ];
        for (size, text) in sizes {
            assert_eq!(bytes(size), text);
        }
    }
}
