//! What a credential signs: a token that stands where its value would, or the request, when everything else in it is done.
//!
//! A request is signed by one credential at most, because two would each have to sign what the other adds. A JWT does not sign
//! the request: it is text like any other, and another credential may sign it.

use std::borrow::Cow;
use std::error::Error;
use std::time::SystemTime;

use bytes::Bytes;
use http::request::Parts;
use http_body::Body;
use packhost_core::{CredentialName, Placement};
use packhost_signing::{
    Hmac, Jwt, Made, Message, Payload, Signing, SigningError, Sigv4, strict_path, strict_query,
};
use url::Url;
use zeroize::Zeroizing;

use super::body::Filled;
use super::fill::refused;
use super::head::{self, Values};
use super::{CredentialError, CredentialUse, Unsigned, placeholder};
use crate::call::Call;
use crate::error::EgressError;
use crate::{headers, target};

/// Who signs the request.
pub(super) struct Signer {
    used: CredentialUse,
    key: Zeroizing<Vec<u8>>,
    scheme: Scheme,
}

enum Scheme {
    Hmac(Hmac),
    Sigv4(Sigv4),
}

impl Signer {
    /// # Errors
    /// When nothing that is signed so can stand there.
    pub(super) fn new(
        used: CredentialUse,
        signing: Signing,
        key: Zeroizing<Vec<u8>>,
    ) -> Result<Self, EgressError> {
        let may_stand = signing.may_stand(&used.place);
        let scheme = match signing {
            Signing::Hmac(hmac) if may_stand => Scheme::Hmac(hmac),
            Signing::Sigv4(sigv4) if may_stand => Scheme::Sigv4(sigv4),
            _ => return Err(refused(&used, CredentialError::Unbound("at this place in a request".into()))),
        };
        Ok(Self { used, key, scheme })
    }

    /// The request is not signed by this, because of something in it.
    pub(super) fn refused(&self, why: Unsigned) -> EgressError {
        let host = self.used.url.host_str().unwrap_or_default().to_owned();
        EgressError::Unsigned { name: self.used.name.clone(), host, why }
    }

    fn failed(&self, error: SigningError) -> EgressError {
        match error {
            SigningError::Header(name) => self.refused(Unsigned::Header(name)),
            error => unusable(&self.used, &error),
        }
    }
}

/// A token, made now.
///
/// # Errors
/// When it cannot be made with this key.
pub(super) fn token(
    used: &CredentialUse,
    jwt: &Jwt,
    key: &[u8],
    call: &Call,
) -> Result<Zeroizing<Vec<u8>>, EgressError> {
    let made = jwt.make(key, SystemTime::now()).map_err(|error| unusable(used, &error))?;
    noted(used, &made, call)?;
    Ok(Zeroizing::new(made.text.as_bytes().to_vec()))
}

/// Signs the request, which has its values in it, and the stand-in of the signature. Returns the URL that it is sent to.
///
/// # Errors
/// When what is to be signed is not there or not known, or the key is none.
pub(super) async fn sign<B>(
    parts: &mut Parts,
    mut url: Url,
    body: &mut Filled<B>,
    signer: &Signer,
    call: &Call,
) -> Result<Url, EgressError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // The fields as they are sent.
    headers::prepare(&mut parts.headers, &target::host_header(&url), call.account.pool.keeps())?;
    let now = SystemTime::now();
    let made = match &signer.scheme {
        Scheme::Hmac(hmac) => {
            hmac.stamp(&mut parts.headers, now).map_err(|error| signer.failed(error))?;
            let whole = if hmac.needs_body() { body.hold().await? } else { Some(Bytes::new()) };
            let whole = whole.ok_or_else(|| signer.refused(Unsigned::Body))?;
            hmac.sign(&signer.key, &message(parts, &url, rest(&url).as_deref(), &whole))
        }
        Scheme::Sigv4(sigv4) => {
            url.set_path(&strict_path(url.path()));
            let query = url.query().map(strict_query);
            url.set_query(query.as_deref());
            let whole = body.hold().await?;
            let payload = match &whole {
                Some(whole) => Payload::Whole(whole),
                None if sigv4.is_s3() && url.scheme() == "https" => Payload::Unsigned,
                None => return Err(signer.refused(Unsigned::Body)),
            };
            sigv4.prepare(&mut parts.headers, payload, now).map_err(|error| signer.failed(error))?;
            sigv4.sign(&signer.key, &message(parts, &url, url.query(), whole.as_deref().unwrap_or_default()))
        }
    };
    let made = made.map_err(|error| signer.failed(error))?;
    noted(&signer.used, &made, call)?;
    let mut signature = Signature { of: &signer.used, text: &made.text };
    head::headers(&mut parts.headers, &mut signature)?;
    head::url(&url, &mut signature)
}

fn message<'a>(parts: &'a Parts, url: &'a Url, query: Option<&'a str>, body: &'a [u8]) -> Message<'a> {
    Message { method: &parts.method, path: url.path(), query, headers: &parts.headers, body }
}

/// The query without the signature.
fn rest(url: &Url) -> Option<Cow<'_, str>> {
    let query = url.query()?;
    if !placeholder::is_anywhere_in(query) {
        return Some(query.into());
    }
    let pairs: Vec<&str> = query.split('&').filter(|pair| !placeholder::is_anywhere_in(pair)).collect();
    (!pairs.is_empty()).then(|| pairs.join("&").into())
}

/// From here on what proves who sent is taken out of what comes back.
fn noted(used: &CredentialUse, made: &Made, call: &Call) -> Result<(), EgressError> {
    let known = call.used.add_made(&used.name, &made.proof);
    if known { Ok(()) } else { Err(refused(used, CredentialError::Unavailable)) }
}

/// Why goes to the operator's log, and holds nothing of the key.
fn unusable(used: &CredentialUse, error: &SigningError) -> EgressError {
    tracing::error!(credential = %used.name, %error, "a credential cannot sign");
    refused(used, CredentialError::Unavailable)
}

/// Goes in place of the one stand-in.
struct Signature<'a> {
    of: &'a CredentialUse,
    text: &'a str,
}

impl Values for Signature<'_> {
    type Error = EgressError;

    fn value(&mut self, name: &CredentialName, place: Placement) -> Result<Cow<'_, str>, EgressError> {
        if *name == self.of.name && place == self.of.place {
            return Ok(Cow::Borrowed(self.text));
        }
        Err(EgressError::Protocol("the request changed while it was being signed"))
    }
}
