//! The page in the book that shows the list, as it is on x86-64.

use std::fs;

use packhost_confine::{Denial, list};

use super::scene::{House, Outcome, Scene, scene};

pub(crate) const SCENES: &[Scene] = &[scene("the_page_shows_the_list", shows_the_list)];

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/sessions/confinement.md");
const BEGIN: &str = "<!-- list: written by UPDATE=1 cargo test -p packhost-confine -->\n";
const END: &str = "<!-- end of list -->";

/// One row for neighbours that differ in their name alone.
fn table() -> String {
    let mut rows: Vec<(Vec<&str>, Denial)> = Vec::new();
    for denial in list() {
        let same = |row: &&mut (Vec<&str>, Denial)| {
            row.1.answer == denial.answer && row.1.when == denial.when && row.1.reason == denial.reason
        };
        match rows.iter_mut().find(same) {
            Some(row) => row.0.push(denial.call),
            None => rows.push((vec![denial.call], denial)),
        }
    }
    let mut table = "| Calls | When | Answer | Why |\n| --- | --- | --- | --- |\n".to_owned();
    for (calls, Denial { when, answer, reason, .. }) in rows {
        let calls: Vec<String> = calls.iter().map(|call| format!("`{call}`")).collect();
        let when = if when.is_empty() { "always" } else { when };
        table += &format!("| {} | {when} | `{}` | {reason} |\n", calls.join(", "), answer.name());
    }
    table
}

fn shows_the_list(_: &House) -> Outcome {
    let page = fs::read_to_string(PAGE)?;
    let (before, rest) = page.split_once(BEGIN).ok_or("the page has no place for the list")?;
    let (_, after) = rest.split_once(END).ok_or("the list on the page has no end")?;
    let wanted = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("UPDATE").is_some() {
        return Ok(fs::write(PAGE, wanted)?);
    }
    assert!(
        page == wanted,
        "the list has changed: UPDATE=1 cargo test -p packhost-confine --test confine the_page"
    );
    Ok(())
}
