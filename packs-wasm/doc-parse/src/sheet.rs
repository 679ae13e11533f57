//! Tables as Markdown tables.

use std::io::Cursor;

use calamine::{Reader, Xlsx};
use packhost_sdk::Error;

/// Every sheet under a heading of its own.
pub(crate) fn workbook(bytes: Vec<u8>) -> Result<String, Error> {
    let broken =
        |error: calamine::XlsxError| Error::invalid_input(format!("The workbook is broken: {error}."));
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let mut markdown = String::new();
    for name in workbook.sheet_names() {
        let range = workbook.worksheet_range(&name).map_err(broken)?;
        let rows: Vec<Vec<String>> =
            range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        markdown.push_str(&format!("## {name}\n\n{}\n", table(&rows)));
    }
    Ok(markdown)
}

pub(crate) fn csv(text: &str) -> Result<String, Error> {
    let first = text.lines().next().unwrap_or_default();
    let often = |delimiter: &u8| first.bytes().filter(|byte| byte == delimiter).count();
    let delimiter = [b'|', b'\t', b';', b','].into_iter().max_by_key(often).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let rows: Result<Vec<Vec<String>>, _> =
        reader.records().map(|row| row.map(|row| row.iter().map(str::to_owned).collect())).collect();
    Ok(table(&rows.map_err(|error| Error::invalid_input(format!("The CSV is broken: {error}.")))?))
}

/// The first row is the head. A cell has no line breaks and no bars (GitHub Flavored Markdown, 4.10).
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut markdown = String::new();
    for (number, row) in rows.iter().enumerate() {
        markdown.push('|');
        for column in 0..columns {
            let cell = row.get(column).map_or("", String::as_str).trim();
            markdown.push(' ');
            markdown.push_str(&cell.replace('|', "\\|").replace(['\r', '\n'], " "));
            markdown.push_str(" |");
        }
        markdown.push('\n');
        if number == 0 {
            markdown.push('|');
            markdown.push_str(&" --- |".repeat(columns));
            markdown.push('\n');
        }
    }
    markdown
}
