//! Ways to write a value, and a slow way to look for one.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// How a character is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scheme {
    Percent,
    Json,
    Html,
}

/// The value with the characters escaped that `which` says, and the one that escapes.
pub(crate) fn escaped(value: &str, scheme: Scheme, upper: bool, which: impl Fn(usize) -> bool) -> String {
    let sign = match scheme {
        Scheme::Percent => '%',
        Scheme::Json => '\\',
        Scheme::Html => '&',
    };
    let written = |(at, c): (usize, char)| match which(at) || c == sign {
        true => escape(c, scheme, upper),
        false => c.to_string(),
    };
    value.chars().enumerate().map(written).collect()
}

fn escape(c: char, scheme: Scheme, upper: bool) -> String {
    let case = |text: String| if upper { text.to_uppercase() } else { text.to_lowercase() };
    match scheme {
        Scheme::Percent => c.to_string().bytes().map(|byte| case(format!("%{byte:02x}"))).collect(),
        Scheme::Json if matches!(c, '/' | '"' | '\\') && upper => format!("\\{c}"),
        Scheme::Json => c
            .encode_utf16(&mut [0; 2])
            .iter()
            .map(|unit| format!("\\u{}", case(format!("{unit:04x}"))))
            .collect(),
        Scheme::Html => match c {
            '&' if upper => "&amp;".into(),
            '<' if upper => "&lt;".into(),
            '"' if upper => "&quot;".into(),
            '/' if upper => "&sol;".into(),
            c if upper => format!("&#x{:X};", u32::from(c)),
            c => format!("&#{:04};", u32::from(c)),
        },
    }
}

/// What is left of a text when escapes of one kind are undone, written without regard to speed.
fn undone(text: &[u8], scheme: Scheme) -> Vec<u8> {
    match scheme {
        Scheme::Percent => percent_encoding::percent_decode(text).collect(),
        Scheme::Json => {
            let quoted = format!("\"{}\"", String::from_utf8_lossy(text).replace('\n', " "));
            serde_json::from_str::<String>(&quoted).map_or_else(|_| text.to_vec(), String::into_bytes)
        }
        Scheme::Html => {
            let text = String::from_utf8_lossy(text);
            let mut out = String::new();
            let mut rest = &*text;
            while let Some((before, after)) = rest.split_once("&#") {
                let end = after.find(';').unwrap_or(0);
                let (radix, digits) = match after.strip_prefix('x') {
                    Some(_) => (16, &after[1.min(end)..end]),
                    None => (10, &after[..end]),
                };
                out.push_str(before);
                match u32::from_str_radix(digits, radix).ok().and_then(char::from_u32) {
                    Some(c) => {
                        out.push(c);
                        rest = &after[end + 1..];
                    }
                    None => {
                        out.push_str("&#");
                        rest = after;
                    }
                }
            }
            out.push_str(rest);
            for (name, c) in [("&lt;", "<"), ("&quot;", "\""), ("&sol;", "/"), ("&amp;", "&")] {
                out = out.replace(name, c);
            }
            out.into_bytes()
        }
    }
}

/// Whether the value can be read out of the text, one encoding at a time.
pub(crate) fn readable(text: &[u8], value: &str) -> bool {
    let holds = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|window| window == part);
    let views = [Scheme::Percent, Scheme::Json, Scheme::Html].map(|scheme| undone(text, scheme));
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    std::iter::once(text.to_vec()).chain(views).any(|view| {
        holds(&view, value.as_bytes())
            || holds(&view, hex.as_bytes())
            || holds(&view, hex.to_uppercase().as_bytes())
            || in_base64(&view, value)
    })
}

fn in_base64(text: &[u8], value: &str) -> bool {
    let plain: Vec<u8> = text
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => *byte,
        })
        .collect();
    let runs = plain.split(|byte| !(byte.is_ascii_alphanumeric() || b"+/".contains(byte)));
    runs.filter(|run| run.len() >= 8).any(|run| {
        (0..4).any(|skip| {
            let run = &run[skip.min(run.len())..];
            let run = &run[..run.len() / 4 * 4];
            let Ok(decoded) = STANDARD.decode(run) else { return false };
            decoded.windows(value.len()).any(|window| window == value.as_bytes())
        })
    })
}

/// The value in base64 after some bytes and before some.
pub(crate) fn wrapped(before: usize, value: &str, after: usize, url_safe: bool) -> String {
    let text = format!("{}{value}{}", "u".repeat(before), "z".repeat(after));
    if url_safe { URL_SAFE_NO_PAD.encode(text) } else { STANDARD.encode(text) }
}
