//! `packhost audit export`: records for other systems.

use std::ops::ControlFlow;

use packhost_audit::{Format, Product};

use super::lines::Lines;
use super::place;
use crate::args::ExportRecords;
use crate::dirs::Dirs;
use crate::exit::Error;

pub(super) fn run(dirs: &Dirs, args: &ExportRecords) -> Result<(), Error> {
    let dir = place(dirs, &args.place)?;
    let format = match (args.ocsf, args.otlp) {
        (true, _) => Format::Ocsf,
        (_, true) => Format::Otlp,
        _ => Format::Json,
    };
    // A copy may be of another machine.
    let instance = if args.place.dir.is_none() { hostname() } else { None };
    let product = Product { version: env!("CARGO_PKG_VERSION").into(), instance };
    let mut lines = Lines::plain();
    packhost_audit::query(&dir, &args.wanted.filter(None), |entry| {
        let events = packhost_audit::export(&entry, format, &product);
        if events.iter().all(|event| lines.put(event).is_continue()) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    lines.end()
}

fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
