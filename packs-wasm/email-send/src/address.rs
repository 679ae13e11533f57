//! E-mail addresses, checked for what could make them mean something else.

use packhost_sdk::Error;

/// The longest address, and the part before its `@` (RFC 5321, 4.5.3.1).
const LONGEST: usize = 254;
const LOCAL: usize = 64;

/// The longest name before an address in angle brackets, in characters.
const NAME: usize = 200;

/// Takes `ada@example.com` or `Ada <ada@example.com>`, without what is around it.
///
/// # Errors
///
/// `invalid-input` for anything else; `pointer` says which input it is.
pub(crate) fn check(text: &str, pointer: &str) -> Result<String, Error> {
    let trimmed = text.trim();
    let (name, address) = match trimmed.strip_suffix('>').and_then(|inside| inside.rsplit_once('<')) {
        Some((name, address)) => (name.trim(), address),
        None => ("", trimmed),
    };
    let why = if trimmed.chars().any(char::is_control) {
        "has a line break or another control character in it"
    } else if address.contains([',', ';']) {
        "holds more than one address, or a comma"
    } else if address.matches('@').count() != 1 {
        "does not have exactly one @"
    } else if !fits(address) || name.chars().count() > NAME || name.contains(['<', '>', '@']) {
        "is not written as an address"
    } else {
        return Ok(trimmed.to_owned());
    };
    let shown: String = trimmed.chars().filter(|c| !c.is_control()).take(100).collect();
    Err(Error::invalid_input(format!("\"{shown}\" {why}."))
        .fix("Write ada@example.com or Ada <ada@example.com>; for several addresses, give a list.")
        .pointer(pointer))
}

/// The address alone, without the name before it.
pub(crate) fn bare(address: &str) -> &str {
    let inside = address.strip_suffix('>').and_then(|inside| inside.rsplit_once('<'));
    inside.map_or(address, |(_, bare)| bare)
}

fn fits(address: &str) -> bool {
    let Some((local, domain)) = address.split_once('@') else { return false };
    let odd = |c: char| c.is_whitespace() || "<>()[]\\\",:;".contains(c);
    let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    address.len() <= LONGEST
        && (1..=LOCAL).contains(&local.len())
        && !address.contains(odd)
        && domain.contains('.')
        && domain.split('.').all(label)
}
