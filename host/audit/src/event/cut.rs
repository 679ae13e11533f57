//! How long a text may be in an event that was shortened.

/// Bytes of each text that stay. The JSON of a byte takes six at most (`\u001f`), and a shortened call has at most 16 entries
/// of one to four texts in each of six lists: 180 KiB of a record's 256, were all of it control characters.
const TEXT: usize = 128;
/// Stands at the end of what was cut.
const MARK: char = '…';

/// Cuts a text, at the border of a character.
pub(super) fn text(text: &mut String) {
    if text.len() > TEXT {
        let end = text.floor_char_boundary(TEXT - MARK.len_utf8());
        text.truncate(end);
        text.push(MARK);
    }
}

/// Cuts the name of a host, whose end says whose it is.
pub(super) fn host(name: &mut String) {
    if name.len() > TEXT {
        let start = name.ceil_char_boundary(name.len() - (TEXT - MARK.len_utf8()));
        name.replace_range(..start, MARK.encode_utf8(&mut [0; 4]));
    }
}

/// Cuts some.
pub(super) fn texts<'a>(all: impl IntoIterator<Item = &'a mut String>) {
    all.into_iter().for_each(text);
}
