//! Tables as Markdown tables.

use std::io::Cursor;

use calamine::{Data, ExcelDateTime, Reader, Xlsx};
use packhost_sdk::Error;

/// Every sheet under a heading of its own.
pub(crate) fn workbook(bytes: Vec<u8>) -> Result<String, Error> {
    let broken =
        |error: calamine::XlsxError| Error::invalid_input(format!("The workbook is broken: {error}."));
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let mut markdown = String::new();
    for name in workbook.sheet_names() {
        let range = workbook.worksheet_range(&name).map_err(broken)?;
        let rows: Vec<Vec<String>> = range.rows().map(|row| row.iter().map(cell).collect()).collect();
        markdown.push_str(&format!("## {name}\n\n{}\n", table(&rows)));
    }
    Ok(markdown)
}

/// A cell as a person reads it; numbers that stand for dates and times as those.
fn cell(data: &Data) -> String {
    match data {
        Data::DateTime(at) if at.is_duration() => duration(at.as_f64()),
        Data::DateTime(at) => date(at),
        other => other.to_string(),
    }
}

/// ISO 8601: a date, a time of day, or both. Numbers below 1 are before the first day, so they are times.
fn date(at: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = at.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    let milli = if milli > 0 { format!(".{milli:03}") } else { String::new() };
    let time = format!("{hour:02}:{minute:02}:{second:02}{milli}");
    match at.as_f64() {
        days if (0.0..1.0).contains(&days) => time,
        days if days.fract() == 0.0 => date,
        _ => format!("{date}T{time}"),
    }
}

/// Days as hours, minutes and seconds.
fn duration(days: f64) -> String {
    let seconds = (days.abs() * 86_400.0).round() as u64;
    let sign = if days < 0.0 && seconds > 0 { "-" } else { "" };
    format!("{sign}{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
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
