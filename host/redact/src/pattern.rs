//! What is looked for: a value as it is, in hexadecimal, and in base64 at each of its three alignments. Owns which byte of a
//! text fits which place of a pattern, and knows nothing of where in a text that is.

use zeroize::Zeroizing;

/// The alphabets of base64 and base64url (RFC 4648 sections 4 and 5), which differ in the last two digits. A text that mixes
/// them is taken as well: decoders do.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LAST_TWO: [[u8; 2]; 2] = [*b"+-", *b"/_"];

/// The six bits of each digit, and [`NO_DIGIT`] for what is none.
const DIGITS: [u8; 256] = digits();
const NO_DIGIT: u8 = 0xff;

/// All bits of a base64 digit.
const FULL: u8 = 0x3f;

const fn digits() -> [u8; 256] {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 62 {
        digits[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    while value < 64 {
        let spellings = LAST_TWO[value as usize - 62];
        digits[spellings[0] as usize] = value;
        digits[spellings[1] as usize] = value;
        value += 1;
    }
    digits
}

/// A sequence of places, each of which some bytes fit. It has at least eight places.
pub(crate) struct Pattern {
    /// Which value it is a form of.
    pub(crate) value: usize,
    form: Form,
    /// One for each place: the byte itself, the lower-case hexadecimal digit, or the six bits of a base64 digit.
    places: Zeroizing<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum Form {
    Plain,
    Hex,
    /// Which bits of the first and of the last digit belong to the value; the others are its neighbours' and may be any.
    Base64 {
        first: u8,
        last: u8,
    },
}

impl Pattern {
    /// All forms of a value.
    pub(crate) fn forms(value: usize, bytes: &[u8]) -> impl Iterator<Item = Self> {
        let plain = Self { value, form: Form::Plain, places: Zeroizing::new(bytes.to_vec()) };
        let aligned = (0..3).map(move |before| Self::base64(value, bytes, before));
        [plain, Self::hex(value, bytes)].into_iter().chain(aligned)
    }

    fn hex(value: usize, bytes: &[u8]) -> Self {
        let mut places = Zeroizing::new(Vec::with_capacity(2 * bytes.len()));
        for byte in bytes {
            places.extend([byte >> 4, byte & 0xf].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
        }
        Self { value, form: Form::Hex, places }
    }

    /// As it stands in the base64 of a text in which so many bytes (modulo 3) are before it.
    fn base64(value: usize, bytes: &[u8], before: usize) -> Self {
        let bits = 8 * before..8 * (before + bytes.len());
        let digits = bits.start / 6..bits.end.div_ceil(6);
        let byte = |index: usize| index.checked_sub(before).and_then(|index| bytes.get(index));
        let mut places = Zeroizing::new(Vec::with_capacity(digits.len()));
        for digit in digits.clone() {
            // The two bytes that the digit's bits are in, and where in them.
            let at = 6 * digit;
            let [one, two] = [at / 8, at / 8 + 1].map(|index| u16::from(byte(index).copied().unwrap_or(0)));
            let both = (one << 8 | two) << (at % 8) >> 10;
            places.push(both.to_le_bytes()[0] & FULL);
        }
        let first = FULL >> (bits.start - 6 * digits.start);
        let last = FULL << (6 * digits.end - bits.end) & FULL;
        Self { value, form: Form::Base64 { first, last }, places }
    }

    /// How many places it has.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether encoders write something between its places.
    pub(crate) fn is_digits(&self) -> bool {
        !matches!(self.form, Form::Plain)
    }

    /// Whether encoders write this before this place: line breaks anywhere, and a space or a colon before each byte.
    pub(crate) fn is_parted(&self, place: usize, by: u8) -> bool {
        match self.form {
            Form::Plain => false,
            Form::Hex => place > 0 && (matches!(by, b'\r' | b'\n') || place.is_multiple_of(2)),
            Form::Base64 { .. } => place > 0 && matches!(by, b'\r' | b'\n'),
        }
    }

    /// Whether a byte of the text, taken as it is, fits.
    pub(crate) fn fits(&self, place: usize, byte: u8) -> bool {
        match self.form {
            // What a form has for a space (application/x-www-form-urlencoded).
            Form::Plain => self.places[place] == byte || byte == b'+' && self.places[place] == b' ',
            _ => self.means(place, byte),
        }
    }

    /// Whether what an escape stands for fits from this place on.
    pub(crate) fn takes(&self, place: usize, bytes: &[u8]) -> bool {
        place + bytes.len() <= self.len()
            && bytes.iter().enumerate().all(|(index, byte)| self.means(place + index, *byte))
    }

    /// Whether the byte that an escape stands for fits.
    pub(crate) fn means(&self, place: usize, byte: u8) -> bool {
        let expected = self.places[place];
        match self.form {
            Form::Plain => expected == byte,
            Form::Hex => expected == byte.to_ascii_lowercase(),
            Form::Base64 { .. } => {
                let digit = DIGITS[usize::from(byte)];
                digit != NO_DIGIT && (digit ^ expected) & self.mask(place) == 0
            }
        }
    }

    /// Which bits of a base64 digit count.
    fn mask(&self, place: usize) -> u8 {
        let Form::Base64 { first, last } = self.form else { return FULL };
        let of_first = if place == 0 { first } else { FULL };
        let of_last = if place + 1 == self.len() { last } else { FULL };
        of_first & of_last
    }

    /// Every byte that fits when taken as it is.
    pub(crate) fn fitting(&self, place: usize) -> Vec<u8> {
        let expected = self.places[place];
        match self.form {
            Form::Plain if expected == b' ' => vec![b' ', b'+'],
            Form::Plain => vec![expected],
            Form::Hex if expected.is_ascii_digit() => vec![expected],
            Form::Hex => vec![expected, expected.to_ascii_uppercase()],
            Form::Base64 { .. } => {
                let mask = self.mask(place);
                (0..=FULL).filter(|digit| (digit ^ expected) & mask == 0).flat_map(spellings).collect()
            }
        }
    }
}

/// The one or two characters of a base64 digit.
fn spellings(digit: u8) -> Vec<u8> {
    match ALPHABET.get(usize::from(digit)) {
        Some(only) => vec![*only],
        None => LAST_TWO[usize::from(digit) - ALPHABET.len()].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_fit_fits_and_nothing_else() {
        let value = "a b/é+\u{7ff}?z".as_bytes();
        for pattern in Pattern::forms(0, value) {
            for place in 0..pattern.len() {
                let fitting = pattern.fitting(place);
                for byte in 0..=u8::MAX {
                    assert_eq!(pattern.fits(place, byte), fitting.contains(&byte), "{place} {byte}");
                }
            }
        }
    }

    #[test]
    fn a_base64_form_is_what_an_encoder_writes() {
        // "12345678" after no, one and two bytes: "MTIzNDU2Nzg=", "eDEyMzQ1Njc4", "eHgxMjM0NTY3OA==".
        let wanted = ["MTIzNDU2Nzg", "DEyMzQ1Njc4", "gxMjM0NTY3OA"];
        let forms: Vec<_> = Pattern::forms(0, b"12345678").collect();
        for (pattern, text) in forms[2..].iter().zip(wanted) {
            assert_eq!(pattern.len(), text.len());
            assert!(text.bytes().enumerate().all(|(place, byte)| pattern.fits(place, byte)), "{text}");
        }
    }
}
