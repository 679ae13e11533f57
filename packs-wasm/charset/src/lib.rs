//! Bytes that somebody else wrote, as text. Browsers have settled how to guess (WHATWG Encoding and HTML standards); this
//! is that, without frames and user settings.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How far into a page a browser looks for a `meta` element (HTML standard, 13.2.3.2).
const PRESCAN: usize = 1024;

/// What the bytes say of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// They may name their encoding in a `meta` element, or in an XML declaration.
    Html,
    /// Nothing.
    None,
}

/// The bytes as text: by their byte order mark; else as `content_type`, an HTTP header's value, has it; else as the
/// markup has it; else as UTF-8 where they are that; else as windows-1252. They may be the first part of something
/// longer: a last character that is cut is left out.
pub fn decode(bytes: &[u8], content_type: Option<&str>, markup: Markup) -> String {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return text(encoding, &bytes[mark..]);
    }
    let named = content_type.and_then(header).or_else(|| match markup {
        Markup::Html => prescan(&bytes[..bytes.len().min(PRESCAN)]),
        Markup::None => None,
    });
    let guessed = || if whole(bytes).is_some() { UTF_8 } else { WINDOWS_1252 };
    text(named.unwrap_or_else(guessed), bytes)
}

/// Whether the bytes look like text at all: text in the encodings that are told by a mark, or without a zero byte.
pub fn is_text(bytes: &[u8]) -> bool {
    Encoding::for_bom(bytes).is_some() || !bytes.contains(&0)
}

fn text(encoding: &'static Encoding, bytes: &[u8]) -> String {
    match whole(bytes).filter(|_| encoding == UTF_8) {
        Some(text) => text.to_owned(),
        None => encoding.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// The bytes as UTF-8, without a last character that goes on behind them.
fn whole(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok(),
        Err(_) => None,
    }
}

/// The parameter `charset` of a media type (RFC 9110, 8.3.1).
fn header(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let label = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then(|| Encoding::for_label(label.as_bytes()))?
    })
}

/// The encoding that the start of a page names.
fn prescan(start: &[u8]) -> Option<&'static Encoding> {
    // Every encoding that can be named here has ASCII in its place.
    let start: String = start.iter().map(|&byte| char::from(byte).to_ascii_lowercase()).collect();
    let declaration = start.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>"));
    let declared = declaration.and_then(|(inside, _)| label(inside, "encoding"));
    let metas = start.match_indices("<meta").filter(|(at, _)| !in_comment(&start[..*at]));
    let mut tags = metas.filter_map(|(at, _)| start[at..].split_once('>').map(|(tag, _)| tag));
    let found = declared.or_else(|| tags.find_map(|tag| label(tag, "charset")))?;
    // Who could read that had no UTF-16 before them.
    Some(if found == UTF_16LE || found == UTF_16BE { UTF_8 } else { found })
}

fn in_comment(before: &str) -> bool {
    before.rfind("<!--").is_some_and(|open| !before[open..].contains("-->"))
}

/// The encoding in `name="…"`, with or without quotes, also inside another attribute's value.
fn label(tag: &str, name: &str) -> Option<&'static Encoding> {
    let (_, rest) = tag.split_once(name)?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let end = rest.find(|c: char| c.is_whitespace() || "\"';/>?".contains(c)).unwrap_or(rest.len());
    Encoding::for_label(&rest.as_bytes()[..end])
}
