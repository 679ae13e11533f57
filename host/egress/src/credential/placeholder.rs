//! `${vault:NAME}` in a text.

use std::borrow::Cow;
use std::sync::LazyLock;

use packhost_core::CredentialName;
use packhost_redact::Redactor;
use percent_encoding::percent_decode_str;

use super::Misplaced;

/// How a placeholder begins.
const MARKER: &str = "${vault:";

/// Finds what a placeholder begins with, in every spelling in which a value would be found again.
pub(super) fn marker() -> &'static Redactor {
    static FINDER: LazyLock<Redactor> = LazyLock::new(|| {
        Redactor::new([("placeholder", MARKER.as_bytes())]).expect("the marker is long enough to be found")
    });
    &FINDER
}

/// Whether a placeholder begins somewhere in it, in whatever spelling.
pub(super) fn is_in(bytes: &[u8]) -> bool {
    marker().finds(bytes)
}

/// The same of what may be encoded more than once: whoever passes on a URL or a header may decode it once more.
pub(super) fn is_anywhere_in(text: impl AsRef<[u8]>) -> bool {
    const DEPTH: usize = 4;
    let mut text = Cow::Borrowed(text.as_ref());
    for _ in 0..DEPTH {
        if is_in(&text) {
            return true;
        }
        if !text.contains(&b'%') {
            return false;
        }
        text = Cow::Owned(percent_encoding::percent_decode(&text).collect());
    }
    is_in(&text)
}

/// The placeholder of this credential.
pub(super) fn of(name: &CredentialName) -> String {
    format!("{MARKER}{name}}}")
}

/// The name, where the text is one placeholder and nothing else.
pub(super) fn sole(text: &str) -> Option<CredentialName> {
    text.strip_prefix(MARKER)?.strip_suffix('}')?.parse().ok()
}

/// Where the colon stands that ends the user of a Basic pair, who may be a placeholder with a colon in it.
pub(super) fn end_of_user(pair: &str) -> Option<usize> {
    let from = if pair.starts_with(MARKER) { pair.find('}')? } else { 0 };
    pair[from..].find(':').map(|at| from + at)
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// As it is.
    Text(&'a str),
    /// A placeholder.
    Credential(CredentialName),
}

/// The text in pieces. What is no placeholder must hold the beginning of none, in whatever spelling.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Misplaced> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once(MARKER) {
        let (name, after) = from.split_once('}').ok_or(Misplaced::Malformed)?;
        let name = name.parse().map_err(|_| Misplaced::Malformed)?;
        pieces.extend([Piece::Text(before), Piece::Credential(name)]);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    let hidden = pieces.iter().any(|piece| matches!(piece, Piece::Text(text) if is_anywhere_in(text)));
    if hidden { Err(Misplaced::Place) } else { Ok(pieces) }
}

/// The text decoded, where it is UTF-8.
pub(super) fn decoded(text: &str) -> Result<Cow<'_, str>, Misplaced> {
    percent_decode_str(text).decode_utf8().map_err(|_| Misplaced::Place)
}
