//! Which styles are headings. A style's id is in the language of whoever wrote the document; its outline level is not
//! (ECMA-376, part 1, 17.7).

use std::collections::HashMap;

use packhost_sdk::Error;
use quick_xml::events::{BytesStart, Event};

use super::{attribute, events};

/// How many styles one may be based on.
const DEEPEST: usize = 16;

/// The styles of a document, by id.
#[derive(Debug, Default)]
pub(crate) struct Styles {
    all: HashMap<String, Style>,
}

#[derive(Debug, Default)]
struct Style {
    name: String,
    based_on: String,
    /// 1 for the topmost.
    level: Option<usize>,
}

impl Styles {
    /// Reads `word/styles.xml`.
    pub(crate) fn read(xml: &str) -> Result<Self, Error> {
        let mut styles = Self::default();
        let mut current = None;
        events(xml, |event| match event {
            Event::Start(element) if element.local_name().as_ref() == "style" => {
                current = attribute(&element, "styleId").map(|id| (id, Style::default()));
            }
            Event::End(element) if element.local_name().as_ref() == "style" => {
                styles.all.extend(current.take());
            }
            Event::Start(element) | Event::Empty(element) => {
                if let Some((_, style)) = &mut current {
                    style.take(&element);
                }
            }
            _ => {}
        })?;
        Ok(styles)
    }

    /// The heading level of a style, from 1 to 6; `None` for what is no heading.
    pub(crate) fn level(&self, id: &str) -> Option<usize> {
        let mut at = id;
        for _ in 0..DEEPEST {
            let Some(style) = self.all.get(at) else { break };
            if let Some(level) = style.level.or_else(|| named(&style.name)) {
                return heading(level);
            }
            at = &style.based_on;
        }
        // A document need not describe the styles that everybody has.
        named(id).and_then(heading)
    }
}

impl Style {
    fn take(&mut self, element: &BytesStart<'_>) {
        let value = || attribute(element, "val").unwrap_or_default();
        match element.local_name().as_ref() {
            "name" => self.name = value(),
            "basedOn" => self.based_on = value(),
            "outlineLvl" => self.level = outline(&value()),
            _ => {}
        }
    }
}

/// An outline level as the document has it, counted from 0, as one that is counted from 1.
pub(crate) fn outline(value: &str) -> Option<usize> {
    value.parse::<usize>().ok().map(|level| level.saturating_add(1))
}

/// Level 10 is that of text; what is deeper than Markdown goes is shown as text too.
pub(crate) fn heading(level: usize) -> Option<usize> {
    (1..=6).contains(&level).then_some(level)
}

/// The level in a name that every language keeps, such as `heading 2` or `Title`.
fn named(name: &str) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("heading") {
        Some(level) => level.trim().parse().ok(),
        None => (name == "title").then_some(1),
    }
}
