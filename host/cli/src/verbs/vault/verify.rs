//! `packhost vault verify`: whether the master key opens what is kept.

use packhost_vault::{Finding, Vault, Verified};
use serde_json::json;

use crate::exit::Error;
use crate::output::{BAD, BOLD, DIM, GOOD, Output, println};

/// One that does not open makes the command fail.
pub(super) fn run(vault: &Vault, output: Output) -> Result<(), Error> {
    let found = vault.verify()?;
    let good = found.iter().all(|one| one.finding == Finding::Opens);
    output.answer(&json!({ "good": good, "credentials": found }), || {
        if found.is_empty() {
            println!("no credentials");
        }
        found.iter().for_each(line);
    });
    if good { Ok(()) } else { Err(Error::Said) }
}

fn line(one: &Verified) {
    let Verified { name, master_key, finding } = one;
    match finding {
        Finding::Opens => {
            println!(
                "{GOOD}opens{GOOD:#}    {BOLD}{name}{BOLD:#}  {DIM}with the master key {master_key}{DIM:#}"
            );
        }
        Finding::KeyMissing => println!(
            "{BAD}no key{BAD:#}   {BOLD}{name}{BOLD:#}  it is sealed with the master key {master_key}, which is not here: is this the right key?"
        ),
        Finding::Damaged => println!(
            "{BAD}damaged{BAD:#}  {BOLD}{name}{BOLD:#}  its record was changed or is damaged; set it again"
        ),
    }
}
