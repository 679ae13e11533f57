//! Known secret values, taken out of what comes back from a server or a guest.
//!
//! Owns: the ways in which a value may be spelled, the search for all of them in a text that comes in parts, and what stands
//! in the place of what is found. Refuses: guessing. What is not a value in one of these spellings passes unchanged, byte for
//! byte; a value that is encrypted, compressed or spelled otherwise is not seen.
//!
//! A value is found as it is, in hexadecimal (in any case), and in base64 or base64url wherever it stands in the encoded
//! text. Between two digits of those there may be a line break, CR, LF or both, and between two bytes in hexadecimal a space
//! or a colon; each as it is or escaped. Any of the characters may be escaped: `%41`; `+` for a space; `\u0041`, `\/`, `\"`,
//! `\\`; `&#65;`, `&#x41;` and `&amp;`, `&lt;`, `&gt;`, `&quot;`, `&apos;`. Escapes of different kinds may stand side by side,
//! not within each other.
//!
//! The time is linear in the length of the text, for values that do not repeat themselves. For one that does, such as a
//! thousand times the same letter, it is at most the length of the text times that of the value.

mod dump;
mod error;
mod json;
mod pattern;
mod prefilter;
mod redactor;
mod replacement;
mod search;
mod stream;
mod unit;

pub use error::RedactError;
pub use redactor::Redactor;
pub use stream::Stream;
