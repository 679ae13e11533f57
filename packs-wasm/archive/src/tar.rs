//! Tar files. To come to an entry is to read all before it, so everything counts that comes out of the decompressor.

use std::io::Read;

use packhost_sdk::Error;
use tar::{Archive, EntryType};

use crate::budget::Budget;
use crate::{Each, Entry, Kind, broken};

pub(crate) fn visit(packed: impl Read, budget: &Budget, each: Each<'_>) -> Result<(), Error> {
    budget.judge(entries(Archive::new(budget.count(packed)), budget, each))
}

fn entries(mut archive: Archive<impl Read>, budget: &Budget, each: Each<'_>) -> Result<(), Error> {
    for member in archive.entries().map_err(|error| broken(&error))? {
        budget.entry()?;
        let mut member = member.map_err(|error| broken(&error))?;
        let kind = match member.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => Kind::File,
            EntryType::Directory => Kind::Directory,
            EntryType::XGlobalHeader => continue,
            _ => Kind::Other,
        };
        let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        let entry = Entry { name, kind, size: member.size(), locked: None };
        each(&entry, &mut member)?;
    }
    Ok(())
}
