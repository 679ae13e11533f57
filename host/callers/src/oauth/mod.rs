//! Access tokens of an authorization server: this host as a resource server of OAuth 2.1 (RFC 9068, RFC 9728).

mod claims;
mod fetch;
mod json;
mod jws;
mod key;
mod keys;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use packhost_core::{Digest, Identity, PackName, PackPattern, Scope, Scopes};
use serde_json::{Value, json};
use url::Url;

use crate::tokens::now;
use claims::Proved;
use fetch::origin_of_keys;
pub use fetch::{Fetch, FetchError, Fetched, Issuer};
use jws::Written;
use keys::Keys;

/// So many tokens are remembered, so that each is checked once; then it begins anew.
const REMEMBERED: usize = 1024;
/// The most that clocks may be apart.
const MAX_SKEW: Duration = Duration::from_secs(600);

/// What an operator says of the authorization server, and of this host as it knows it.
#[derive(Debug, Clone)]
pub struct OAuthSettings {
    /// Who issues tokens; `iss` is this to the letter.
    pub issuer: Issuer,
    /// What `aud` may be. The first is the URL under which clients know this host (RFC 8707), such as
    /// `https://packs.example.com/mcp`; others are for servers that write something else there.
    pub audiences: Vec<String>,
    /// Where the issuer's keys are, where its metadata is not to say.
    pub jwks: Option<Url>,
    /// Scopes that the issuer can grant, from the smallest to the largest, as clients are told them.
    pub scopes: Vec<Scope>,
    /// What the issuer writes in front of a scope of this host.
    pub scope_prefix: String,
    /// The claim that has the caller's groups; `None`: tokens say nothing of groups.
    pub groups_claim: Option<String>,
    /// What `typ` may be, without `application/`.
    pub types: Vec<String>,
    /// By how much the issuer's clock may be wrong, at most 10 minutes.
    pub skew: Duration,
    /// Whether what is named may be on this machine and without TLS.
    pub loopback: bool,
}

impl OAuthSettings {
    /// The defaults: keys where the metadata says, the scope `packs:call`, `at+jwt` (RFC 9068 section 2.1), and 60 seconds.
    pub fn new(issuer: Issuer, audiences: Vec<String>) -> Self {
        Self {
            issuer,
            audiences,
            jwks: None,
            scopes: vec![Scope::CallPacks(PackPattern::Every)],
            scope_prefix: String::new(),
            groups_claim: None,
            types: vec!["at+jwt".to_owned()],
            skew: Duration::from_secs(60),
            loopback: false,
        }
    }
}

/// What is wrong with [`OAuthSettings`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OAuthError {
    /// The first audience is no URL.
    #[error("the audience has to be the URL under which clients know this host: {0}")]
    Audience(String),
    /// The keys are somewhere else.
    #[error("the keys: {0}")]
    Keys(String),
    /// There is nothing to ask for, or nothing to accept.
    #[error("at least one {0} is needed")]
    None(&'static str),
    /// The skew is too large.
    #[error("clocks may be apart by {} s at most", MAX_SKEW.as_secs())]
    Skew,
}

/// Why a token proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproved {
    /// It is not looked at.
    #[error("the token is longer than {} bytes", jws::MAX_TOKEN)]
    TooLong,
    /// It is no JWT.
    #[error("the token is not a signed JWT, or a name stands in it twice")]
    Form,
    /// Its header has what it must not have.
    #[error("the header of the token brings a key, an extension, or a kid that is none")]
    Header,
    /// It is another kind of token.
    #[error("the token is not an access token: its typ is another one")]
    Type,
    /// It is not signed with a private key.
    #[error("the token is not signed with an algorithm that is accepted here")]
    Algorithm,
    /// Its key is not the issuer's.
    #[error("the token is signed with a key that the issuer does not have")]
    Key,
    /// The keys of the issuer are not known.
    #[error("the keys of the issuer cannot be had at the moment")]
    NoKeys,
    /// It was changed, or signed by somebody else.
    #[error("the signature of the token is wrong")]
    Signature,
    /// A claim is not what it has to be.
    #[error("a claim of the token is not of the right type")]
    Claims,
    /// Somebody else issued it.
    #[error("the token is of another issuer")]
    Issuer,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// It is over.
    #[error("the token has expired")]
    Expired,
    /// It has no end.
    #[error("the token does not say when it expires")]
    NoEnd,
    /// It has not begun.
    #[error("the token is not good yet")]
    NotYet,
    /// It is of nobody.
    #[error("the token has no subject, or one of more than 255 bytes")]
    Subject,
    /// More than the token is needed.
    #[error("the token is bound to a key of its holder, which this host does not ask for")]
    Bound,
}

/// Checks the tokens of one issuer.
pub struct OAuth {
    settings: OAuthSettings,
    resource: Url,
    keys: Keys,
    remembered: Mutex<HashMap<Digest, Remembered>>,
}

/// A token that was checked.
struct Remembered {
    identity: Identity,
    until: u64,
    /// With which keys.
    generation: u64,
}

impl OAuth {
    /// Nothing is fetched before a token comes.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: OAuthSettings, fetch: Arc<dyn Fetch>) -> Result<Self, OAuthError> {
        let first = settings.audiences.first().ok_or(OAuthError::None("audience"))?;
        let resource = origin_of_keys(first, settings.loopback).map_err(OAuthError::Audience)?;
        if settings.scopes.is_empty() {
            return Err(OAuthError::None("scope"));
        }
        if settings.types.is_empty() {
            return Err(OAuthError::None("type of token"));
        }
        if settings.skew > MAX_SKEW {
            return Err(OAuthError::Skew);
        }
        if let Some(jwks) = &settings.jwks {
            origin_of_keys(jwks.as_str(), settings.loopback).map_err(OAuthError::Keys)?;
        }
        let keys = Keys::new(fetch, settings.issuer.clone(), settings.jwks.clone());
        Ok(Self { settings, resource, keys, remembered: Mutex::default() })
    }

    /// Who holds this token, and what it lets its holder do. May wait for the issuer's keys, ten seconds at the most.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub async fn identify(&self, token: &[u8]) -> Result<Identity, Unproved> {
        if token.len() > jws::MAX_TOKEN {
            return Err(Unproved::TooLong);
        }
        let (digest, now) = (Digest::of(token), now());
        if let Some(identity) = self.recall(&digest, now) {
            return Ok(identity);
        }
        let written = Written::read(token, &self.settings.types)?;
        // What the token says of itself costs nothing to look at: keys are not fetched for somebody else's.
        let Proved { identity, until } = self.settings.check(&written.claims, now)?;
        let (key, generation) = self.keys.find(written.kid.as_deref(), written.algorithm).await?;
        if !key.verifies(written.algorithm, written.signed, &written.signature) {
            return Err(Unproved::Signature);
        }
        self.remember(digest, Remembered { identity: identity.clone(), until, generation });
        Ok(identity)
    }

    /// Whether these bytes could be a token of an issuer.
    pub(crate) fn looks_like_one(bytes: &[u8]) -> bool {
        jws::looks_like_one(bytes)
    }

    fn recall(&self, digest: &Digest, now: u64) -> Option<Identity> {
        let generation = self.keys.generation()?;
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let held = remembered.get(digest)?;
        (held.until > now && held.generation == generation).then(|| held.identity.clone())
    }

    fn remember(&self, digest: Digest, proved: Remembered) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(digest, proved);
    }

    /// Where clients find [`metadata`](Self::metadata) (RFC 9728 section 3.1).
    pub fn metadata_url(&self) -> Url {
        let mut url = self.resource.clone();
        let path = self.resource.path();
        url.set_path(&format!("{}{}", Self::WELL_KNOWN, if path == "/" { "" } else { path }));
        url
    }

    /// The place that clients look at without being told; behind it stands the resource's path, or nothing.
    pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

    /// What clients have to know (RFC 9728 section 2).
    pub fn metadata(&self) -> Value {
        json!({
            "resource": self.settings.audiences.first(),
            "resource_name": "packhost",
            "authorization_servers": [self.settings.issuer.as_str()],
            "scopes_supported": self.settings.scopes.iter().map(|scope| self.spelled(scope)).collect::<Vec<_>>(),
            "bearer_methods_supported": ["header"],
        })
    }

    /// What a client that has nothing should ask for: the smallest scope.
    pub fn first_scope(&self) -> String {
        self.settings.scopes.first().map(|scope| self.spelled(scope)).unwrap_or_default()
    }

    /// What a client that has these scopes should ask for to call this pack: them, and the smallest scope that allows it. Where
    /// the issuer grants none that does, the one that would.
    pub fn scope_to_call(&self, held: &Scopes, pack: &PackName) -> String {
        let known = self.settings.scopes.iter().find(|scope| scope.allows_call(pack));
        let missing = known.cloned().unwrap_or_else(|| Scope::of_call(pack));
        let words = held.iter().chain([&missing]).map(|scope| self.spelled(scope));
        words.collect::<Vec<_>>().join(" ")
    }

    fn spelled(&self, scope: &Scope) -> String {
        format!("{}{scope}", self.settings.scope_prefix)
    }
}
