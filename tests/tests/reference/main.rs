//! The reference pages of the book are made from the code. A page that says something else fails; with `UPDATE=1` in the
//! environment it is written instead.

mod errors;
mod manifest;
mod packaging;

use std::path::Path;

const MADE: &str = "<!-- Made from the code: UPDATE=1 cargo nextest run --cargo-profile ci -p packhost-tests --test reference -->";

fn is(page: &str, made: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/reference").join(page);
    if std::env::var("UPDATE").as_deref() == Ok("1") {
        std::fs::write(&file, made).expect("the book is part of the repository");
        return;
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    if written == made {
        return;
    }
    let mut pairs = written.lines().zip(made.lines());
    let differs = pairs.find(|(is, should)| is != should);
    let (is, should) = differs.unwrap_or(("(one ends before the other)", ""));
    panic!(
        "docs/src/reference/{page} is not what the code says\n  it has    {is}\n  should be {should}\n{MADE}"
    );
}

/// One row of a table.
fn row(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// The head of a table.
fn head(names: &[&str]) -> String {
    row(names) + &format!("|{}\n", "---|".repeat(names.len()))
}
