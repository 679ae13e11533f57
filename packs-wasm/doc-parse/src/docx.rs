//! A Word document's paragraphs, headings, lists and tables (ECMA-376, part 1, 17).

use std::io::{Cursor, Read};

use packhost_sdk::Error;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::sheet::table;

/// Bytes that the document's text may have, unpacked.
const LARGEST: u64 = 64 << 20;

pub(crate) fn markdown(bytes: &[u8]) -> Result<String, Error> {
    let broken = |why: String| Error::invalid_input(format!("The DOCX cannot be read: {why}."));
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(error.to_string()))?;
    let part = archive.by_name("word/document.xml").map_err(|error| broken(error.to_string()))?;
    let mut xml = String::new();
    part.take(LARGEST).read_to_string(&mut xml).map_err(|error| broken(error.to_string()))?;
    let mut reader = Reader::from_str(&xml);
    let mut writer = Writer::default();
    loop {
        match reader.read_event().map_err(|error| broken(error.to_string()))? {
            Event::Eof => break,
            Event::Start(element) => writer.start(&element),
            Event::Empty(element) => {
                writer.start(&element);
                writer.end(element.local_name().as_ref());
            }
            Event::End(element) => writer.end(element.local_name().as_ref()),
            Event::Text(text) if writer.text => writer.paragraph.push_str(&text.xml10_content()),
            Event::GeneralRef(entity) if writer.text => writer.entity(&entity),
            _ => {}
        }
    }
    Ok(writer.markdown)
}

#[derive(Default)]
struct Writer {
    markdown: String,
    paragraph: String,
    /// Inside `w:t`.
    text: bool,
    heading: usize,
    list: bool,
    /// How many tables are around; the inner ones are written as text of the outer one's cell.
    tables: usize,
    rows: Vec<Vec<String>>,
}

impl Writer {
    fn start(&mut self, element: &BytesStart) {
        match element.local_name().as_ref() {
            "t" => self.text = true,
            "tab" => self.paragraph.push('\t'),
            "br" | "cr" => self.paragraph.push('\n'),
            "numPr" => self.list = true,
            "pStyle" => self.heading = heading(element).unwrap_or(0),
            "tbl" => self.tables += 1,
            "tr" if self.tables == 1 => self.rows.push(Vec::new()),
            "tc" if self.tables == 1 => {
                self.rows.last_mut().into_iter().for_each(|row| row.push(String::new()))
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "t" => self.text = false,
            "p" => self.end_paragraph(),
            "tbl" => {
                self.tables = self.tables.saturating_sub(1);
                if self.tables == 0 {
                    self.markdown.push_str(&table(&self.rows));
                    self.markdown.push('\n');
                    self.rows.clear();
                }
            }
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        let text = std::mem::take(&mut self.paragraph);
        let (heading, list) = (std::mem::take(&mut self.heading), std::mem::take(&mut self.list));
        let text = text.trim();
        if let Some(cell) = self.rows.last_mut().and_then(|row| row.last_mut()) {
            if !cell.is_empty() {
                cell.push(' ');
            }
            cell.push_str(text);
        } else if !text.is_empty() {
            let prefix = match list {
                _ if heading > 0 => "#".repeat(heading) + " ",
                true => "- ".into(),
                false => String::new(),
            };
            self.markdown.push_str(&format!("{prefix}{text}\n\n"));
        }
    }

    fn entity(&mut self, entity: &quick_xml::events::BytesRef) {
        let named = match entity.as_ref() {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => entity.resolve_char_ref().ok().flatten(),
        };
        self.paragraph.extend(named);
    }
}

/// The level of a style such as `Heading2` or `Title`.
fn heading(style: &BytesStart) -> Option<usize> {
    let value =
        style.attributes().flatten().find(|attribute| attribute.key.local_name().as_ref() == "val")?;
    let name = value.value.as_ref().to_ascii_lowercase();
    if name == "title" {
        return Some(1);
    }
    let level = name.strip_prefix("heading")?;
    level.trim().parse().ok().filter(|level| (1..=6).contains(level))
}
