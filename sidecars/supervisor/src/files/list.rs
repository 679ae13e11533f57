//! Lists what is in a directory.

use packhost_session_protocol::message::{FileReply, List, Refusal};

use super::entry::{entry, kind, target};
use super::host::Host;
use super::path;
use super::walk::{Reach, walk};

/// What is in a directory below that may not be read is left out.
pub(super) fn list(list: &List, host: &mut Host) -> Result<FileReply, Refusal> {
    let start = path::tree(&list.path)?;
    if list.depth == 0 {
        return Ok(FileReply::Done);
    }
    let reach = Reach { depth: list.depth, most: list.most, pass: true };
    let all = walk(start, &reach, |found| {
        let target = target(found.dir, found.name, kind(found.stat));
        host.say(&FileReply::Entry(entry(found.path, found.stat, target)))
    })?;
    Ok(if all { FileReply::Done } else { FileReply::More })
}
