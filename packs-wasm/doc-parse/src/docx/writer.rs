//! The Markdown of a document, as its elements come.

use quick_xml::events::{BytesRef, BytesStart};

use super::attribute;
use super::styles::{self, Styles};
use crate::sheet::table;

/// What has been written, and where in the document we are.
pub(crate) struct Writer {
    styles: Styles,
    markdown: String,
    paragraph: String,
    /// Inside `w:t`.
    in_text: bool,
    /// Inside how many `mc:Fallback`: they repeat in an older way what was said before them.
    fallbacks: usize,
    /// The paragraph's heading level; 0 for none.
    heading: usize,
    list: bool,
    /// How many tables are around; the inner ones are written as text of the outer one's cell.
    tables: usize,
    rows: Vec<Vec<String>>,
}

impl Writer {
    pub(crate) fn new(styles: Styles) -> Self {
        Self {
            styles,
            markdown: String::new(),
            paragraph: String::new(),
            in_text: false,
            fallbacks: 0,
            heading: 0,
            list: false,
            tables: 0,
            rows: Vec::new(),
        }
    }

    pub(crate) fn markdown(self) -> String {
        self.markdown
    }

    pub(crate) fn start(&mut self, element: &BytesStart<'_>) {
        let name = element.local_name();
        if name.as_ref() == "Fallback" {
            self.fallbacks += 1;
        }
        if self.fallbacks > 0 {
            return;
        }
        match name.as_ref() {
            "t" => self.in_text = true,
            "tab" => self.paragraph.push('\t'),
            "br" | "cr" => self.paragraph.push('\n'),
            "numPr" => self.list = true,
            "pStyle" => {
                let style = attribute(element, "val").unwrap_or_default();
                self.heading = self.styles.level(&style).unwrap_or(0);
            }
            // The paragraph's own comes after its style's and counts more.
            "outlineLvl" => {
                let level = attribute(element, "val").and_then(|value| styles::outline(&value));
                self.heading = level.and_then(styles::heading).unwrap_or(0);
            }
            "tbl" => self.tables += 1,
            "tr" if self.tables == 1 => self.rows.push(Vec::new()),
            "tc" if self.tables == 1 => {
                self.rows.last_mut().into_iter().for_each(|row| row.push(String::new()))
            }
            _ => {}
        }
    }

    pub(crate) fn end(&mut self, name: &str) {
        if name == "Fallback" {
            self.fallbacks = self.fallbacks.saturating_sub(1);
            return;
        }
        if self.fallbacks > 0 {
            return;
        }
        match name {
            "t" => self.in_text = false,
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

    pub(crate) fn text(&mut self, text: &str) {
        if self.in_text && self.fallbacks == 0 {
            self.paragraph.push_str(text);
        }
    }

    pub(crate) fn entity(&mut self, entity: &BytesRef<'_>) {
        let named = match entity.as_ref() {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => entity.resolve_char_ref().ok().flatten(),
        };
        if let Some(character) = named {
            self.text(character.encode_utf8(&mut [0; 4]));
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
}
