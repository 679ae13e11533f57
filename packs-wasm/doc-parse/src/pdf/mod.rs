//! The text of a PDF, page by page, in the order in which each page draws it (ISO 32000-1).

mod font;
mod lines;
mod matrix;
mod page;
mod state;

use lopdf::Document;
use packhost_sdk::{Error, progress};

/// Bytes of text after which no page is read any more: they are more than an answer may have.
const ENOUGH: usize = 4 << 20;

/// What stands on a page for text that cannot be read.
const UNREAD: &str = "[Some text of this page could not be read.]";

pub(crate) fn markdown(bytes: &[u8]) -> Result<String, Error> {
    let document = Document::load_mem(bytes)
        .map_err(|error| Error::invalid_input(format!("The PDF cannot be read: {error}.")))?;
    if document.is_encrypted() {
        return Err(Error::invalid_input("The PDF is encrypted.").fix("Use one without a password."));
    }
    let pages = document.get_pages();
    let mut fonts = font::Fonts::new(&document);
    let (mut markdown, mut any, mut unread) = (String::new(), false, false);
    for (done, page) in pages.values().enumerate() {
        progress::report(done as f64, Some(pages.len() as f64), None);
        let text = page::text(&document, *page, &mut fonts);
        (any, unread) = (any || !text.text.is_empty(), unread || text.unread);
        if done > 0 {
            markdown.push_str("\n\n---\n\n");
        }
        markdown.push_str(&text.text);
        if text.unread {
            markdown.push_str(if text.text.is_empty() { "" } else { "\n\n" });
            markdown.push_str(UNREAD);
        }
        if markdown.len() > ENOUGH {
            break;
        }
    }
    match (any, unread) {
        (true, _) => Ok(markdown),
        (false, true) => Err(nothing("its fonts do not say which characters they show")),
        (false, false) => Err(nothing("its pages are probably scanned pictures")),
    }
}

fn nothing(why: &str) -> Error {
    Error::invalid_input(format!("The PDF has no text that can be read: {why}."))
        .fix("Use the document that the PDF was made from, or one with text.")
}
