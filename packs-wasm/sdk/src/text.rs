//! How much text an answer may hold. An answer that is too large fails as a whole, so a pack cuts before that.

/// Bytes that a text takes inside a JSON string, with what has to be escaped.
pub fn json_len(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Cuts a text to its first `chars` characters, and to what takes at most `json` bytes inside a JSON string. Says
/// whether there was more.
pub fn cut(text: &mut String, chars: usize, json: usize) -> bool {
    let mut taken = 0;
    let end = text.char_indices().enumerate().find_map(|(number, (at, character))| {
        taken += width(character);
        (number == chars || taken > json).then_some(at)
    });
    text.truncate(end.unwrap_or(text.len()));
    end.is_some()
}

/// RFC 8259, 7: what has a short escape, what has only a long one, and what stands for itself.
fn width(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..' ' => 6,
        other => other.len_utf8(),
    }
}
