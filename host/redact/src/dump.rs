//! Bytes in hexadecimal with a space or a colon between them, as they stand in a text. Owns what finds them fast: both are in
//! every line, so many bytes at once are looked at for one that has digits around it. Finds too much, never too little.

use crate::unit;

/// How many bytes are looked at at once.
const STRIDE: usize = 128;
/// What stands before and behind what parts them.
const BEFORE: usize = 2;
const BEHIND: usize = 2;
/// With both.
const BLOCK: usize = BEFORE + STRIDE + BEHIND;

/// Calls back with each place at `from` or after it where a space or a colon stands behind two digits, and before two more or
/// what may be an escape.
pub(crate) fn each(text: &[u8], from: usize, mut found: impl FnMut(usize)) {
    let mut at = from.max(BEFORE);
    while at + BEHIND <= text.len() {
        let end = (at + STRIDE).min(text.len());
        let block = text[at - BEFORE..].first_chunk();
        if block.is_none_or(is_among) {
            (at..end).filter(|at| is_here(text, *at)).for_each(&mut found);
        }
        at = end;
    }
}

fn is_here(text: &[u8], at: usize) -> bool {
    match text[at - BEFORE..].first_chunk() {
        Some(&[one, two, between, three, four]) => {
            digit(one)
                & digit(two)
                & parts(between)
                & (lead(three) | digit(three) & (digit(four) | lead(four)))
                != 0
        }
        None => false,
    }
}

/// Whether one is among these. Without branches, and byte for byte the same, so that it is compiled to look at many bytes with
/// one instruction.
fn is_among(block: &[u8; BLOCK]) -> bool {
    let (mut digits, mut between, mut leads) = ([0; BLOCK], [0; BLOCK], [0; BLOCK]);
    for (at, byte) in block.iter().enumerate() {
        (digits[at], between[at], leads[at]) = (digit(*byte), parts(*byte), lead(*byte));
    }
    let mut any = 0;
    for at in 0..STRIDE {
        let behind = leads[at + 3] | digits[at + 3] & (digits[at + 4] | leads[at + 4]);
        any |= digits[at] & digits[at + 1] & between[at + 2] & behind;
    }
    any != 0
}

/// 1 for what is a digit in hexadecimal, and 0 for what is none; so with the others.
fn digit(byte: u8) -> u8 {
    u8::from(byte.wrapping_sub(b'0') < 10) | u8::from((byte | 0x20).wrapping_sub(b'a') < 6)
}

fn parts(byte: u8) -> u8 {
    u8::from(byte == b' ') | u8::from(byte == b':')
}

fn lead(byte: u8) -> u8 {
    u8::from(unit::is_lead(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, from: usize) -> Vec<usize> {
        let mut places = Vec::new();
        each(text.as_bytes(), from, |at| places.push(at));
        places
    }

    #[test]
    fn bytes_that_are_parted_are_found_wherever_they_stand_in_a_text() {
        for parted in ["4a 6B", "ff:00", "00 %34", "aa:\\u0034", "1F &#52;", "4a 6%42"] {
            for before in 0..2 * STRIDE {
                let text = format!("{}{parted}{}", "x".repeat(before), "y".repeat(STRIDE));
                assert_eq!(all(&text, 0), [before + 2], "{parted} after {before}");
                assert_eq!(all(&text, before + 2), [before + 2], "{parted} from {before}");
                assert!(all(&text, before + 3).is_empty());
            }
        }
    }

    #[test]
    fn little_else_is_found() {
        for text in
            ["", " ", "aa", "aa ", "aa b", "be a fee", "added, and it", "a:b", "4 4", "00  00", "\": \""]
        {
            assert!(all(text, 0).is_empty(), "{text:?}");
        }
        assert_eq!(all("12:30:59", 0), [2, 5]);
    }
}
