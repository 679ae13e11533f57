//! Placeholders in the head of a request: its headers, its path and its query.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use packhost_core::{CredentialName, Placement};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Url, form_urlencoded};

use super::Misplaced;
use super::placeholder::{self, Piece};

/// What stands in a segment of a path as it is (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What goes in place of a placeholder: looked up, or, to see what will be asked for, a stand-in.
pub(super) trait Values {
    type Error: From<(String, Misplaced)>;

    fn value(&mut self, name: &CredentialName, place: Placement) -> Result<Cow<'_, str>, Self::Error>;
}

/// Replaces the placeholders in every header.
pub(super) fn headers<V: Values>(headers: &mut HeaderMap, values: &mut V) -> Result<(), V::Error> {
    let names: Vec<HeaderName> = headers
        .iter()
        .filter(|(name, value)| {
            placeholder::is_anywhere_in(name.as_str()) || placeholder::is_anywhere_in(value)
        })
        .map(|(name, _)| name.clone())
        .collect();
    for name in names {
        let place = || format!("the request's header {name}");
        let mut all = headers.get_all(&name).iter();
        let (Some(value), None) = (all.next(), all.next()) else {
            return Err((place(), Misplaced::Place).into());
        };
        let text = value.to_str().map_err(|_| (place(), Misplaced::Place))?;
        let filled = header(&name, text.trim(), values)?;
        let mut filled =
            HeaderValue::from_bytes(filled.as_bytes()).map_err(|_| (place(), Misplaced::Value))?;
        filled.set_sensitive(true);
        headers.insert(name, filled);
    }
    Ok(())
}

fn header<V: Values>(name: &HeaderName, text: &str, values: &mut V) -> Result<String, V::Error> {
    let place = |scheme: Option<&str>| Placement::Header {
        name: name.as_str().to_owned(),
        scheme: scheme.map(str::to_owned),
    };
    if let Some(credential) = placeholder::sole(text) {
        return Ok(values.value(&credential, place(None))?.into_owned());
    }
    let misplaced = |why| (format!("the request's header {name}"), why);
    let Some((scheme, rest)) = text.split_once(' ') else {
        return Err(misplaced(Misplaced::Place).into());
    };
    let credential = placeholder::sole(rest.trim_start()).filter(|_| !placeholder::is_anywhere_in(scheme));
    if let Some(credential) = credential {
        let value = values.value(&credential, place(Some(scheme)))?;
        return Ok(format!("{scheme} {value}"));
    }
    let Some(pair) = basic_text(text).filter(|_| name == http::header::AUTHORIZATION) else {
        return Err(misplaced(Misplaced::Place).into());
    };
    let at = placeholder::end_of_user(&pair).ok_or_else(|| misplaced(Misplaced::Place))?;
    let (user, password) = (&pair[..at], &pair[at + 1..]);
    // The beginning of a placeholder has a colon in it, which may be the one behind the user.
    let mut part = |part: &str, with_colon: &str| -> Result<String, V::Error> {
        match placeholder::sole(part) {
            Some(credential) => Ok(values.value(&credential, place(Some("Basic")))?.into_owned()),
            None if placeholder::is_anywhere_in(with_colon) => Err(misplaced(Misplaced::Place).into()),
            None => Ok(part.to_owned()),
        }
    };
    let (user, password) = (part(user, &pair[..=at])?, part(password, password)?);
    Ok(format!("{scheme} {}", STANDARD.encode(format!("{user}:{password}"))))
}

/// What `Basic` holds (RFC 7617), where the header is that.
pub(super) fn basic(value: &HeaderValue) -> Option<Vec<u8>> {
    basic_text(value.to_str().ok()?).map(String::into_bytes)
}

fn basic_text(text: &str) -> Option<String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let (scheme, rest) = text.trim().split_once(' ')?;
    let decoded = LENIENT.decode(rest.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    String::from_utf8(decoded).ok()
}

/// The URL with its placeholders replaced. Everything else in it stays as it is written.
pub(super) fn url<V: Values>(url: &Url, values: &mut V) -> Result<Url, V::Error> {
    let mut filled = url.clone();
    if placeholder::is_anywhere_in(url.path()) {
        let segments: Result<Vec<String>, V::Error> =
            url.path().split('/').map(|raw| segment(raw, values)).collect();
        filled.set_path(&segments?.join("/"));
    }
    if let Some(query) = url.query().filter(|query| placeholder::is_anywhere_in(query)) {
        let query = pairs(query, "the request's query", |name| Placement::Query { name }, values)?;
        filled.set_query(Some(&query));
    }
    Ok(filled)
}

fn segment<V: Values>(raw: &str, values: &mut V) -> Result<String, V::Error> {
    if !placeholder::is_anywhere_in(raw) {
        return Ok(raw.to_owned());
    }
    let misplaced = |why| ("the request's path".to_owned(), why);
    let text = placeholder::decoded(raw).map_err(misplaced)?;
    let mut filled = String::new();
    for piece in placeholder::pieces(&text).map_err(misplaced)? {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Credential(name) => filled.push_str(&values.value(&name, Placement::Path)?),
        }
    }
    if filled.contains(['/', '\\']) || matches!(filled.as_str(), "." | "..") {
        return Err(misplaced(Misplaced::Value).into());
    }
    Ok(utf8_percent_encode(&filled, SEGMENT).to_string())
}

/// The pairs of a query or a form (WHATWG URL section 5) with the placeholders among their values replaced.
pub(super) fn pairs<V: Values>(
    text: &str,
    what: &str,
    place: impl Fn(String) -> Placement,
    values: &mut V,
) -> Result<String, V::Error> {
    let mut out = Vec::new();
    for pair in text.split('&') {
        if !placeholder::is_anywhere_in(pair) {
            out.push(pair.to_owned());
            continue;
        }
        let misplaced = || (what.to_owned(), Misplaced::Place);
        let (raw, _) = pair.split_once('=').ok_or_else(misplaced)?;
        let (name, value) = form_urlencoded::parse(pair.as_bytes()).next().ok_or_else(misplaced)?;
        let credential = placeholder::sole(&value).filter(|_| !placeholder::is_anywhere_in(raw));
        let value = values.value(&credential.ok_or_else(misplaced)?, place(name.into_owned()))?;
        let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
        out.push(format!("{raw}={value}"));
    }
    Ok(out.join("&"))
}
