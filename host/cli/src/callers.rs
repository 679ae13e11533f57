//! Who may call a host that serves: wires the callers room to the state, the file of tokens and egress.

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use http_body_util::{BodyExt, Limited};
use ipnet::IpNet;
use packhost_callers::{
    Callers, Fetch, FetchError, Fetched, Issuer, NamedToken, OAuth, OAuthSettings, TokenError, Tokens,
};
use packhost_core::{ErrorCode, Failure};
use packhost_egress::{Account, Allowance, CallEgress, Egress, Rules, Verdict, Waits};
use url::{Origin, Url};

use crate::args::{Global, WhoMayCall};
use crate::dirs::Dirs;
use crate::exit::{Error, sentence};
use crate::host;
use crate::state::open_state;

/// What one request for an issuer's document may move, head and all.
const MOST: u64 = 1 << 20;

/// Everybody who may call, as the command line and the state have it. The state directory must be there. Reads the trusted
/// roots where there is an issuer: behind the walls they are out of reach.
pub(crate) fn of(global: &Global, dirs: &Dirs, args: &WhoMayCall) -> Result<Callers, Error> {
    let named = args.tokens.as_deref().map(named).transpose()?.unwrap_or_default();
    let mut callers = Callers::named(named).map_err(|error| Error::failed(error.to_string()))?;
    callers = callers.with_tokens(tokens(dirs)?).map_err(|error| match error {
        TokenError::Taken(name) => Error::failed(format!(
            "the file of tokens and `packhost tokens list` both have \"{name}\"; the records tell callers apart by that name"
        )),
        error => error.into(),
    })?;
    if let Some(issuer) = &args.oauth_issuer {
        callers = callers.with_oauth(oauth(global, args, issuer)?);
    }
    if let Some(per_minute) = NonZeroU32::new(args.requests_per_minute) {
        callers = callers.at_most(per_minute);
    }
    Ok(callers)
}

/// The tokens in the state. A connection of their own: no look-up waits for what others write.
pub(crate) fn tokens(dirs: &Dirs) -> Result<Tokens, Error> {
    Ok(Tokens::open(open_state(dirs)?)?)
}

/// `name token` a line; empty lines and those that start with # are skipped.
fn named(file: &Path) -> Result<Vec<NamedToken>, Error> {
    let text = fs::read_to_string(file).map_err(|source| Error::file(file, source))?;
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            let wrong = |why: &str| Error::failed(format!("{}:{}: {why}", file.display(), number + 1));
            let (name, token) =
                line.trim().split_once(char::is_whitespace).ok_or_else(|| wrong("expected `name token`"))?;
            NamedToken::new(name, token.trim()).map_err(|error| wrong(&error.to_string()))
        })
        .collect()
}

fn oauth(global: &Global, args: &WhoMayCall, issuer: &str) -> Result<OAuth, Error> {
    let loopback = args.oauth_network.iter().any(|network| network.network().is_loopback());
    let wrong = |option: &str, why: String| Error::failed(format!("{option}: {why}"));
    let issuer = Issuer::parse(issuer, loopback).map_err(|why| wrong("--oauth-issuer", why))?;
    let mut settings = OAuthSettings::new(issuer, args.oauth_audience.clone());
    settings.jwks.clone_from(&args.oauth_jwks);
    settings.scope_prefix.clone_from(&args.oauth_scope_prefix);
    settings.groups_claim.clone_from(&args.oauth_groups);
    settings.skew = Duration::from_secs(args.oauth_skew.into());
    settings.loopback = loopback;
    if !args.oauth_scope.is_empty() {
        settings.scopes.clone_from(&args.oauth_scope);
    }
    if !args.oauth_type.is_empty() {
        settings.types.clone_from(&args.oauth_type);
    }
    let fetch = OwnRequests::new(global, args, &settings)?;
    OAuth::new(settings, Arc::new(fetch)).map_err(|error| wrong("--oauth-issuer", error.to_string()))
}

/// Sends the host's own requests on the way that all others take.
struct OwnRequests {
    egress: Egress,
    rules: Arc<ToTheIssuer>,
}

/// `GET` to the origins of an issuer and its keys, and nothing else.
struct ToTheIssuer {
    origins: Vec<Origin>,
    networks: Vec<IpNet>,
}

impl Rules for ToTheIssuer {
    fn decide(&self, method: &Method, url: &Url) -> Verdict {
        if method == Method::GET && self.origins.contains(&url.origin()) {
            return Verdict::Allowed { addresses: self.networks.clone(), credentials: Vec::new() };
        }
        Verdict::Denied {
            message: format!("{method} {url} is no request for the keys of the issuer"),
            fix: "Name the place of the keys with --oauth-jwks.".to_owned(),
        }
    }
}

impl OwnRequests {
    fn new(global: &Global, args: &WhoMayCall, settings: &OAuthSettings) -> Result<Self, Error> {
        let egress = Egress::new(host::egress(global)?).map_err(|error| Error::failed(error.to_string()))?;
        let origins = [Some(settings.issuer.url()), settings.jwks.as_ref()];
        let origins = origins.into_iter().flatten().map(Url::origin).collect();
        Ok(Self { egress, rules: Arc::new(ToTheIssuer { origins, networks: args.oauth_network.clone() }) })
    }
}

#[async_trait]
impl Fetch for OwnRequests {
    async fn get(&self, url: &Url, most: usize) -> Result<Fetched, FetchError> {
        let failed = |why: &dyn std::fmt::Display| FetchError(format!("{url}: {why}"));
        let request = http::Request::get(url.as_str()).header(http::header::ACCEPT, "application/json");
        let request = request.body(String::new()).map_err(|error| failed(&error))?;
        let allowance = Allowance { requests: 1, bytes: MOST, open: 1 };
        let rules = Arc::clone(&self.rules) as Arc<dyn Rules>;
        let call = CallEgress::own(Account::apart(1, Duration::ZERO), rules, allowance);
        let answer =
            self.egress.send(request, &call, Waits::default()).await.map_err(|error| failed(&error))?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), most).collect().await.map_err(|error| failed(&error))?;
        Ok(Fetched { status, body: body.to_bytes().into() })
    }
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NotFound(name) => {
                Failure::new(ErrorCode::NotFound, format!("There is no token named {name}."))
                    .fix("`packhost tokens list` has them all.")
                    .into()
            }
            TokenError::Taken(_) | TokenError::Past | TokenError::Full => {
                Failure::new(ErrorCode::InvalidInput, sentence(&error.to_string())).into()
            }
            TokenError::State(error) => error.into(),
            error @ TokenError::Random(_) => Self::failed(error.to_string()),
        }
    }
}
