//! `packhost audit checkpoint`, `keys` and `rotate-key`: what is signed, and with what.

use packhost_audit::AuditError;
use packhost_core::{ErrorCode, Failure};
use packhost_keyring::{KeyringError, PublicKeys};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::place;
use crate::args::RecordPlace;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::{BOLD, DIM, GOOD, Output, println};
use crate::record::{self, Act, Acts};

/// A line of JSON, for people as well: it is made to be kept.
pub(super) fn checkpoint(dirs: &Dirs) -> Result<(), Error> {
    place(dirs, &RecordPlace { dir: None })?;
    let log = record::open(dirs)?;
    let signed = log.checkpoint()?;
    log.close()?;
    let line = serde_json::to_string(&signed);
    println!("{}", line.map_err(|error| Error::failed(format!("the checkpoint is not JSON: {error}")))?);
    Ok(())
}

/// The public keys of this host. None are made where there are none.
pub(super) fn public(dirs: &Dirs) -> Result<PublicKeys, Error> {
    let dir = record::keys_dir(dirs);
    PublicKeys::read(&dir).map_err(|error| match error {
        KeyringError::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Failure::new(ErrorCode::NotFound, format!("There are no keys in {}.", dir.display()))
                .fix("They are made with the record, by the first call or whatever an operator changes.")
                .into()
        }
        error => AuditError::Key(error).into(),
    })
}

/// For people the lines that `verify --keys` reads; they are made to be handed out.
pub(super) fn keys(dirs: &Dirs, output: Output) -> Result<(), Error> {
    let keys = public(dirs)?;
    let current = keys.current().id();
    let row = |key: &packhost_keyring::PublicKey| {
        let id = key.id();
        let made = keys.made(&id).and_then(|made: OffsetDateTime| made.format(&Rfc3339).ok());
        json!({ "id": id, "key": key, "made": made, "current": id == current })
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    output.answer(&json!({ "keys": rows }), || keys.to_text().lines().for_each(|line| println!("{line}")));
    Ok(())
}

pub(super) fn rotate(dirs: &Dirs, output: Output) -> Result<(), Error> {
    let old = public(dirs)?.current().id();
    let begun = Acts::open(dirs)?.begin(Act::new("audit.rotate_key", old))?;
    let rotated = record::keyring(dirs)
        .and_then(|keyring| keyring.rotate().map_err(|error| AuditError::Key(error).into()));
    let key = begun.end_with(rotated, |act, key| act.with("key", key.id()))?;
    let id = key.id();
    output.answer(&json!({ "key_id": id, "key": key, "was": old }), || {
        println!("{GOOD}ok{GOOD:#}  {BOLD}{id}{BOLD:#} signs from now on; {old} vouches for it");
        println!("  {DIM}hand what `packhost audit keys` prints to those who verify{DIM:#}");
    });
    Ok(())
}
