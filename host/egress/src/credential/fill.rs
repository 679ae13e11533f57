//! From a request with placeholders to the request that is sent.

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Request};
use http_body::Body;
use packhost_core::{CredentialName, Placement};
use packhost_signing::Signing;
use url::Url;
use zeroize::Zeroizing;

use super::body::{Filled, Kind};
use super::head::{self, Values};
use super::sign::{self, Signer};
use super::{CredentialError, CredentialUse, Form, Misplaced, Unsigned, formats, placeholder};
use crate::call::Call;
use crate::decode;
use crate::error::EgressError;

/// The credentials that a request asks for, each of which the manifest grants to it.
pub(crate) struct Asked {
    granted: Vec<CredentialName>,
    uses: Vec<CredentialUse>,
}

/// Looks through the head of a request, before anything is resolved or opened.
///
/// # Errors
/// When a placeholder stands where none can, names a credential that the rule does not, or when the pack wrote something
/// that looks like a secret.
pub(crate) fn plan<B>(
    request: &Request<B>,
    url: &Url,
    granted: Vec<CredentialName>,
) -> Result<Asked, EgressError> {
    formats::check(request.headers(), url)?;
    let mut uses = Vec::new();
    let mut noting = Noting { granted: &granted, method: request.method(), url, uses: &mut uses };
    head::headers(request.headers(), &mut noting)?;
    head::url(url, &mut noting)?;
    Ok(Asked { granted, uses })
}

/// Puts the values in, and signs what came of it. Returns the request as it is sent, with the URL that it is sent to where
/// that is another. Where nothing was looked for, nothing is replaced.
///
/// # Errors
/// When a credential may not be used or cannot sign, or a placeholder stands in the body where none can.
pub(crate) async fn fill<B>(
    request: Request<B>,
    url: &Url,
    asked: Option<Asked>,
    call: &Arc<Call>,
) -> Result<(Request<Filled<B>>, Option<Url>), EgressError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (mut parts, body) = request.into_parts();
    let Some(Asked { granted, mut uses }) = asked else {
        return Ok((Request::from_parts(parts, Filled::unread(body)), None));
    };
    let kind = Kind::of(parts.headers.get(CONTENT_TYPE)).filter(|_| !granted.is_empty());
    let (mut body, text) = match kind {
        None => (Filled::scanning(body), None),
        Some(kind) => {
            let (body, text) = Filled::gathering(body).await?;
            (body, text.map(|text| (kind, text)))
        }
    };
    if let Some((kind, text)) = &text {
        let mut noting = Noting { granted: &granted, method: &parts.method, url, uses: &mut uses };
        kind.fill(text, &mut noting)?;
    }
    if uses.is_empty() {
        return Ok((Request::from_parts(parts, body), None));
    }
    let (mut values, signer) = opened(uses, call).await?;
    if let Some((kind, text)) = &text {
        let text = kind.fill(text, &mut values)?;
        length(&mut parts, text.len());
        body = Filled::whole(text);
    }
    for (name, value) in head::headers(&parts.headers, &mut values)? {
        parts.headers.insert(name, value);
    }
    let mut url = head::url(url, &mut values)?.into_owned();
    accept(&mut parts);
    if let Some(signer) = signer {
        url = sign::sign(&mut parts, url, &mut body, &signer, call).await?;
    }
    Ok((Request::from_parts(parts, body), Some(url)))
}

fn length(parts: &mut Parts, length: usize) {
    if parts.headers.contains_key(CONTENT_LENGTH) {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

/// Asks for no encoding in which the value could not be found again.
fn accept(parts: &mut Parts) {
    let Some(asked) = parts.headers.get(ACCEPT_ENCODING) else { return };
    let asked = asked.to_str().unwrap_or_default().to_ascii_lowercase();
    let known: Vec<&str> = decode::CODINGS.into_iter().filter(|coding| asked.contains(coding)).collect();
    let known = if known.is_empty() { "identity".to_owned() } else { known.join(", ") };
    if let Ok(known) = HeaderValue::from_str(&known) {
        parts.headers.insert(ACCEPT_ENCODING, known);
    }
}

/// Opens what is used, on a thread that may wait for a disk. What signs the request stands for itself until it is known what
/// there is to sign.
async fn opened(
    uses: Vec<CredentialUse>,
    call: &Arc<Call>,
) -> Result<(Filling, Option<Signer>), EgressError> {
    let call = call.clone();
    let opening = tokio::task::spawn_blocking(move || {
        let (mut values, mut signer) = (HashMap::new(), None);
        for used in uses {
            let opened = call.credentials.open(&used).map_err(|error| refused(&used, error))?;
            if !call.used.add(&used.name, Signing::bare(&opened.value)) {
                return Err(refused(&used, CredentialError::Unavailable));
            }
            let place = (used.name.clone(), used.place.clone());
            let value = match opened.form {
                Form::Text => opened.value,
                Form::Signing(signing) => match *signing {
                    Signing::Jwt(jwt) => sign::token(&used, &jwt, &opened.value, &call)?,
                    signing => {
                        let stand_in = placeholder::of(&used.name).into_bytes();
                        let before = signer.replace(Signer::new(used, signing, opened.value)?);
                        before.map_or(Ok(()), |before| Err(before.refused(Unsigned::Twice)))?;
                        Zeroizing::new(stand_in)
                    }
                },
            };
            values.insert(place, value);
        }
        Ok((Filling(values), signer))
    });
    opening.await.map_err(|_| EgressError::Cancelled)?
}

pub(super) fn refused(used: &CredentialUse, error: CredentialError) -> EgressError {
    let (name, place) = (used.name.clone(), used.place.clone());
    EgressError::Credential { name, place, host: used.url.host_str().unwrap_or_default().to_owned(), error }
}

/// Sees what a request asks for.
struct Noting<'a> {
    granted: &'a [CredentialName],
    method: &'a Method,
    url: &'a Url,
    uses: &'a mut Vec<CredentialUse>,
}

impl Values for Noting<'_> {
    type Error = EgressError;

    fn value(&mut self, name: &CredentialName, place: Placement) -> Result<Cow<'_, str>, EgressError> {
        if !self.granted.contains(name) {
            let host = self.url.host_str().unwrap_or_default().to_owned();
            return Err(EgressError::CredentialNotGranted { name: name.clone(), host });
        }
        let (method, url) = (self.method.clone(), self.url.clone());
        let used = CredentialUse { name: name.clone(), method, url, place };
        if !self.uses.contains(&used) {
            self.uses.push(used);
        }
        Ok(Cow::Borrowed("value"))
    }
}

/// The values, by name and place.
struct Filling(HashMap<(CredentialName, Placement), Zeroizing<Vec<u8>>>);

impl Values for Filling {
    type Error = EgressError;

    fn value(&mut self, name: &CredentialName, place: Placement) -> Result<Cow<'_, str>, EgressError> {
        let value = self.0.get(&(name.clone(), place)).and_then(|value| std::str::from_utf8(value).ok());
        // What was noted is what is asked for again: the text has not changed in between.
        value.map(Cow::Borrowed).ok_or(EgressError::Protocol("the request changed while it was being sent"))
    }
}

impl From<(String, Misplaced)> for EgressError {
    fn from((place, why): (String, Misplaced)) -> Self {
        Self::Misplaced { place, why }
    }
}
