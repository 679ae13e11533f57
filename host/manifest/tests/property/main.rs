//! What holds for every manifest, checked against an oracle that is written differently.
#![allow(clippy::unwrap_used)]

mod containment;
mod matching;
mod oracle;
mod suggest;
mod templates;
