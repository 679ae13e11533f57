//! What may be known of credentials.

use packhost_core::CredentialName;
use packhost_vault::{About, Vault};
use serde_json::json;
use time::OffsetDateTime;

use crate::exit::Error;
use crate::output::{BOLD, DIM, NOTE, Output, println};

pub(super) fn list(vault: &Vault, output: Output) -> Result<(), Error> {
    let credentials = vault.list()?;
    output.answer(&json!({ "credentials": credentials }), || {
        if credentials.is_empty() {
            println!("no credentials; `packhost vault set --help` says how to keep one");
        }
        table(&credentials);
    });
    Ok(())
}

/// A line for each binding; what they share is in the first.
fn table(credentials: &[About]) {
    let names = widest(credentials.iter().map(|about| about.name.to_string()));
    let packs =
        widest(credentials.iter().flat_map(|about| &about.bindings).map(|one| one.packs().join(", ")));
    for About { name, version, bindings, changed, .. } in credentials {
        let (name, version, date) = (name.as_str(), format!("v{version}"), date(*changed));
        if bindings.is_empty() {
            println!("{BOLD}{name:names$}{BOLD:#}  {version:<4}  {date}  {NOTE}cannot be used{NOTE:#}");
        }
        for (index, binding) in bindings.iter().enumerate() {
            let (who, uses) = (binding.packs().join(", "), binding.uses());
            if index == 0 {
                println!(
                    "{BOLD}{name:names$}{BOLD:#}  {version:<4}  {DIM}{date}{DIM:#}  {who:packs$}  {uses}"
                );
            } else {
                println!("{:names$}  {:4}  {:10}  {who:packs$}  {uses}", "", "", "");
            }
        }
    }
}

fn widest(column: impl Iterator<Item = String>) -> usize {
    column.map(|text| text.chars().count()).max().unwrap_or(0)
}

pub(super) fn show(vault: &Vault, name: &CredentialName, output: Output) -> Result<(), Error> {
    let about = vault.about(name)?;
    output.answer(&about, || {
        println!("{BOLD}{name}{BOLD:#} version {}", about.version);
        for binding in &about.bindings {
            println!("  may be used for {binding}");
        }
        if about.bindings.is_empty() {
            println!("  {NOTE}cannot be used: it is bound to nothing{NOTE:#}");
        }
        println!("  first set on {}, last changed on {} (UTC)", date(about.created), date(about.changed));
        println!("  sealed with the master key {}", about.master_key);
        println!("  {DIM}its value is not shown, here or by any other verb{DIM:#}");
    });
    Ok(())
}

/// The day of a moment in seconds since 1970, in UTC: `2026-01-31`.
fn date(seconds: u64) -> String {
    let moment =
        i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    moment.map_or_else(|| "?".into(), |moment| moment.date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(1_709_251_199), "2024-02-29");
        assert_eq!(date(u64::MAX), "?");
    }
}
