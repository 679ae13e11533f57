//! The spellings of a value that are looked for byte by byte.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// One spelling.
pub(crate) struct Pattern {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Which value, by its place among them.
    pub(crate) value: usize,
    /// Whether the character that follows, if it is one of base64, holds the value's last bits.
    pub(crate) goes_on: bool,
}

/// All spellings of these values, sorted, each once.
pub(crate) fn patterns(values: &[(&str, &[u8])]) -> Vec<Pattern> {
    let mut all = Vec::new();
    for (at, (_, value)) in values.iter().enumerate() {
        let whole = |bytes: Vec<u8>| Pattern { bytes: Zeroizing::new(bytes), value: at, goes_on: false };
        all.push(whole(value.to_vec()));
        all.push(whole(hex(value, b"0123456789abcdef")));
        all.push(whole(hex(value, b"0123456789ABCDEF")));
        all.extend(base64(value, &STANDARD_NO_PAD).map(|(bytes, goes_on)| Pattern {
            bytes,
            value: at,
            goes_on,
        }));
        all.extend(base64(value, &URL_SAFE_NO_PAD).map(|(bytes, goes_on)| Pattern {
            bytes,
            value: at,
            goes_on,
        }));
    }
    // Of two spellings that are the same, the one that goes on covers more.
    all.sort_by(|a, b| (&*a.bytes, !a.goes_on).cmp(&(&*b.bytes, !b.goes_on)));
    all.dedup_by(|later, first| later.bytes == first.bytes);
    all
}

fn hex(value: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    value.iter().flat_map(|byte| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]).collect()
}

/// The characters of base64 that hold bits of the value, wherever it begins in what is encoded. A first one that holds no more
/// than its first four bits, beside others, is left as it is: a stream would have to hold back every such character. Whether
/// there is a last one that holds bits of what follows as well.
fn base64<E: Engine>(value: &[u8], alphabet: &E) -> impl Iterator<Item = (Zeroizing<Vec<u8>>, bool)> {
    (0_usize..3).map(move |before| {
        let mut bytes = Zeroizing::new(vec![0; before]);
        bytes.extend_from_slice(value);
        let text = Zeroizing::new(alphabet.encode(&*bytes));
        let (first, whole) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        (Zeroizing::new(text.as_bytes()[first..whole].to_vec()), bytes.len() * 8 % 6 != 0)
    })
}

/// Whether it is a character of base64 or base64url.
pub(crate) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}
