//! The text of a PDF, page by page.

use lopdf::Document;
use packhost_sdk::{Error, progress};

/// Bytes that one page's streams may have, unpacked.
const LARGEST: usize = 16 << 20;

pub(crate) fn markdown(bytes: &[u8]) -> Result<String, Error> {
    let broken = |error: lopdf::Error| Error::invalid_input(format!("The PDF cannot be read: {error}."));
    let document = Document::load_mem(bytes).map_err(broken)?;
    if document.is_encrypted() {
        return Err(Error::invalid_input("The PDF is encrypted.").fix("Use one without a password."));
    }
    let pages = document.get_pages();
    let mut text = Vec::new();
    for (done, number) in pages.keys().enumerate() {
        progress::report(done as f64, Some(pages.len() as f64), None);
        text.push(document.extract_text_with_limit(&[*number], LARGEST).map_err(broken)?.trim().to_owned());
    }
    Ok(text.join("\n\n---\n\n"))
}
