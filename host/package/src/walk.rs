//! One pass over the sections of a component and everything nested in it, without reading function bodies.

use wasmparser::{Chunk, Encoding, Parser, Payload};

use crate::PackageError;

/// A piece of a component as the walk meets it.
pub(crate) struct Piece<'a> {
    /// How many components and modules are around it; 0 at the top.
    pub(crate) depth: usize,
    /// Its bytes, header included, counted from the start of the component. Of a nested component or module, the
    /// header alone.
    #[cfg(feature = "stamp")]
    pub(crate) span: std::ops::Range<usize>,
    pub(crate) payload: Payload<'a>,
}

/// Calls `visit` for every section, in order. Nested components and modules are entered; their end is a
/// [`Payload::End`] one level deeper than their start.
///
/// # Errors
///
/// What `visit` returns, and [`PackageError`] for bytes that are not a whole component.
pub(crate) fn walk<'a>(
    bytes: &'a [u8],
    mut visit: impl FnMut(Piece<'a>) -> Result<(), PackageError>,
) -> Result<(), PackageError> {
    match Parser::is_component(bytes) {
        true => sections(bytes, &mut visit),
        false if Parser::is_core_wasm(bytes) => Err(PackageError::CoreModule),
        false => Err(PackageError::NotWasm),
    }
}

/// As [`walk`], for a core module too.
pub(crate) fn sections<'a>(
    bytes: &'a [u8],
    visit: &mut impl FnMut(Piece<'a>) -> Result<(), PackageError>,
) -> Result<(), PackageError> {
    let mut outer: Vec<Parser> = Vec::new();
    let mut parser = Parser::new(0);
    let mut at = 0;
    loop {
        let truncated = || PackageError::Malformed { offset: bytes.len(), reason: "unexpected end".into() };
        let rest = bytes.get(at..).ok_or_else(truncated)?;
        let Chunk::Parsed { consumed, payload } = parser.parse(rest, true)? else { return Err(truncated()) };
        let depth = outer.len();
        let span = at..at.saturating_add(consumed);
        at = span.end;
        let (inner, skip, end) = match &payload {
            Payload::ModuleSection { parser, unchecked_range }
            | Payload::ComponentSection { parser, unchecked_range } => {
                // A parser takes the end of the bytes for the end of what is nested.
                if unchecked_range.end > bytes.len() {
                    return Err(truncated());
                }
                (Some(parser.clone()), None, false)
            }
            Payload::CodeSectionStart { size, .. } => (None, Some(*size), false),
            Payload::End(_) => (None, None, true),
            _ => (None, None, false),
        };
        visit(Piece {
            depth,
            #[cfg(feature = "stamp")]
            span,
            payload,
        })?;
        if let Some(inner) = inner {
            outer.push(std::mem::replace(&mut parser, inner));
        } else if let Some(size) = skip {
            at = at.checked_add(size as usize).filter(|at| *at <= bytes.len()).ok_or_else(truncated)?;
            parser.skip_section();
        } else if end {
            match outer.pop() {
                Some(resumed) => parser = resumed,
                None => return Ok(()),
            }
        }
    }
}

/// Whether the payload opens a component rather than a module.
pub(crate) fn is_component_header(payload: &Payload) -> bool {
    matches!(payload, Payload::Version { encoding: Encoding::Component, .. })
}
