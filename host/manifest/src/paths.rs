//! Which paths a rule means.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::template::{Template, TemplateError};

/// A pattern of URL paths, matched segment by segment after percent-decoding.
///
/// ```text
/// pattern   = 1*( "/" segment ) [ "/**" ] / "/**"
/// segment   = "*" / *( character / template )
/// ```
///
/// * A pattern is written decoded: `/a b`, not `/a%20b`. It has no query and no fragment; every query passes.
/// * `*` is a whole segment and matches exactly one that is not empty. `**` stands last and matches whatever follows,
///   nothing included: `/a/**` matches `/a`, `/a/` and `/a/b/c`.
/// * A trailing slash counts: `/a/` is not `/a`.
/// * A request path never matches where a decoded segment is not UTF-8, holds `/`, `\`, a control character or a second
///   layer of percent-encoding, or is `.` or `..`, alone or before a `;` (some servers cut parameters off there): servers
///   disagree about what those mean. A rule without `paths` does not look at the path and has no such exception.
/// * The values of a [`Template`] must be one such harmless segment, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathPattern {
    segments: Vec<Segment>,
    rest: bool,
}

/// A segment of a [`PathPattern`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// Exactly this.
    Text(String),
    /// Any one that is not empty.
    Any,
    /// One that the call's input completes.
    Template(Template),
}

/// Why a text is not a path pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Does not start with a slash.
    #[error("a path starts with \"/\"")]
    NotAbsolute,
    /// `*` inside a segment.
    #[error("\"*\" is a whole segment, as in \"/a/*/b\"")]
    Star,
    /// `**` that is not last.
    #[error("\"**\" stands at the end, as in \"/a/**\"")]
    Rest,
    /// `?`, `#`, `%`, a backslash or a control character.
    #[error("a path pattern holds no {0:?}: it is written decoded, without query and fragment")]
    Character(char),
    /// `.` or `..`, alone or before a `;`.
    #[error("\".\" and \"..\" never match, nor do they before a \";\"")]
    Dots,
    /// `//`.
    #[error("an empty segment stands only at the end")]
    Empty,
    /// More than 64 segments, 1,024 bytes, or 200 bytes around a template.
    #[error("a path pattern is at most 64 segments and 1024 bytes, 200 of them around a template")]
    TooLong,
    /// A template that is none.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl FromStr for PathPattern {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let body = text.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
        let mut parts: Vec<&str> = body.split('/').collect();
        if parts.len() > 64 || text.len() > 1024 {
            return Err(PathError::TooLong);
        }
        let rest = parts.last() == Some(&"**");
        if rest {
            parts.pop();
        }
        let last = parts.len().saturating_sub(1);
        let segments = parts
            .iter()
            .enumerate()
            .map(|(index, part)| {
                if part.is_empty() && (rest || index != last) { Err(PathError::Empty) } else { segment(part) }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { segments, rest })
    }
}

fn segment(text: &str) -> Result<Segment, PathError> {
    match text {
        "*" => return Ok(Segment::Any),
        "**" => return Err(PathError::Rest),
        _ if is_dots(text) => return Err(PathError::Dots),
        _ => {}
    }
    let template = Template::parse(text)?;
    let literal = template.with("");
    if let Some(bad) = literal.chars().find(|c| matches!(c, '?' | '#' | '%' | '\\') || c.is_control()) {
        return Err(PathError::Character(bad));
    }
    if literal.contains('*') {
        return Err(PathError::Star);
    }
    if !template.is_literal() && literal.len() > 200 {
        return Err(PathError::TooLong);
    }
    Ok(if template.is_literal() { Segment::Text(literal) } else { Segment::Template(template) })
}

/// The decoded segments of a request's path; `None` where no pattern may match it.
pub(crate) fn request_segments(path: &str) -> Option<Vec<String>> {
    let body = path.strip_prefix('/')?;
    let decoded = |part: &str| percent_decode_str(part).decode_utf8().ok().map(String::from);
    body.split('/').map(|part| decoded(part).filter(|text| is_harmless(text))).collect()
}

fn is_harmless(segment: &str) -> bool {
    let hex = |at: usize| segment.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
    let encoded_again = segment.match_indices('%').any(|(at, _)| hex(at + 1) && hex(at + 2));
    !encoded_again
        && !is_dots(segment)
        && !segment.contains(|c: char| matches!(c, '/' | '\\') || c.is_ascii_control())
}

/// Whether a segment is `.` or `..`, also to a server that cuts parameters off (`..;a` of RFC 2396 section 3.3).
fn is_dots(segment: &str) -> bool {
    matches!(segment.split(';').next(), Some("." | ".."))
}

/// Whether a value may stand in a path segment or be a file name.
pub(crate) fn fits_segment(value: &str) -> Result<(), &'static str> {
    let plain = !value.is_empty() && is_harmless(value) && value.len() <= 255;
    if plain && !value.contains(['*', '?', '#', '%']) { Ok(()) } else { Err("is not one segment of a path") }
}

impl PathPattern {
    /// Whether a request's path (percent-encoded, as in a URL) is meant. A template means nothing until it is filled.
    pub fn matches(&self, path: &str) -> bool {
        request_segments(path).is_some_and(|segments| self.matches_segments(&segments))
    }

    pub(crate) fn matches_segments(&self, path: &[String]) -> bool {
        let long_enough =
            if self.rest { path.len() >= self.segments.len() } else { path.len() == self.segments.len() };
        long_enough
            && self.segments.iter().zip(path).all(|(pattern, segment)| match pattern {
                Segment::Text(text) => text == segment,
                Segment::Any => !segment.is_empty(),
                Segment::Template(_) => false,
            })
    }

    /// A pattern of these segments, none of which needs a template.
    pub(crate) fn of(segments: Vec<Segment>, rest: bool) -> Self {
        Self { segments, rest }
    }

    /// The segments before `**`.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether `**` ends the pattern.
    pub fn has_rest(&self) -> bool {
        self.rest
    }

    /// The pattern with the input's values in place; the error says which value does not fit.
    pub(crate) fn narrow(&self, input: &Value) -> Result<Self, String> {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Template(template) => {
                let text = template.fill(input, fits_segment)?;
                // "." + "." would be harmless apart and is not together.
                fits_segment(&text).map_err(|why| format!("\"{text}\" {why}"))?;
                Ok(Segment::Text(text))
            }
            other => Ok(other.clone()),
        });
        Ok(Self { segments: segments.collect::<Result<_, String>>()?, rest: self.rest })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => write!(f, "/{text}")?,
                Segment::Any => f.write_str("/*")?,
                Segment::Template(template) => write!(f, "/{template}")?,
            }
        }
        if self.rest { f.write_str("/**") } else { Ok(()) }
    }
}

/// A path to try a ceiling with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Decoded segments.
    Segments(Vec<String>),
    /// A path that no pattern may match, which only a rule without `paths` allows.
    Ambiguous,
}

impl Probe {
    /// The paths to try where every path is allowed.
    pub(crate) fn of_any(outer: &[&PathPattern]) -> Vec<Self> {
        let mut all = probes(&PathPattern { segments: Vec::new(), rest: true }, outer);
        all.push(Self::Ambiguous);
        all
    }

    pub(crate) fn fits(&self, patterns: &[PathPattern]) -> bool {
        let Self::Segments(segments) = self else { return false };
        patterns.iter().any(|pattern| pattern.matches_segments(segments))
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segments(segments) => segments.iter().try_for_each(|text| {
                write!(
                    f,
                    "/{}",
                    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                )
            }),
            Self::Ambiguous => f.write_str("/any%2Fpath"),
        }
    }
}

/// Paths of `inner` such that patterns of `outer` that match all of them match everything that `inner` does.
///
/// `*` and templates are filled with a segment that `outer` does not name: what matches that matches any. `**` becomes
/// nothing, one and two such segments, a trailing slash, and an empty segment that another follows: only a pattern whose
/// own `**` starts there or before matches the last one.
pub(crate) fn probes(inner: &PathPattern, outer: &[&PathPattern]) -> Vec<Probe> {
    let named = |text: &str| {
        outer
            .iter()
            .flat_map(|pattern| &pattern.segments)
            .any(|s| matches!(s, Segment::Text(known) if known == text))
    };
    let fill = |fresh: &str| -> Vec<String> {
        let fill = |segment: &Segment| match segment {
            Segment::Text(text) => text.clone(),
            Segment::Any => fresh.to_owned(),
            Segment::Template(template) => template.with(fresh),
        };
        inner.segments.iter().map(fill).collect()
    };
    let is_new = |fresh: &str| {
        let open = inner.segments.iter().zip(fill(fresh)).filter(|(s, _)| !matches!(s, Segment::Text(_)));
        !named(fresh) && open.into_iter().all(|(_, text)| !named(&text))
    };
    let mut fresh = String::from("any");
    while !is_new(&fresh) {
        fresh.push('x');
    }
    let base = fill(&fresh);
    let with =
        |more: &[&str]| base.iter().cloned().chain(more.iter().map(|s| (*s).to_owned())).collect::<Vec<_>>();
    let mut paths = vec![base.clone()];
    if inner.rest {
        paths.extend([with(&[&fresh]), with(&[&fresh, &fresh]), with(&[""]), with(&["", &fresh])]);
    }
    // The path of an origin is "/", one empty segment; there is no path without any.
    paths.into_iter().filter(|path| !path.is_empty()).map(Probe::Segments).collect()
}
