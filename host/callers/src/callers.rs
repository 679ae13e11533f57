//! Everybody who may come in, and how each is known.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use packhost_core::{Caller, Digest, Identity, Scope};

use crate::named::{NamedToken, TokenName};
use crate::oauth::{OAuth, Unproved};
use crate::rate::{Rates, TooMany};
use crate::secret::Secret;
use crate::tokens::{TokenError, Tokens};

/// Who calls, for a door. Where nobody has to prove anything, everyone is the local user. Cheap to clone.
#[derive(Clone, Default)]
pub struct Callers {
    named: Arc<[NamedToken]>,
    tokens: Option<Tokens>,
    oauth: Option<Arc<OAuth>>,
    rates: Option<Arc<Rates>>,
    open: Arc<Open>,
}

/// So often is looked whether there is a first token in the state.
const LOOK: Duration = Duration::from_millis(100);

/// Whether nobody has to prove anything, as far as the state goes.
#[derive(Default)]
struct Open {
    /// There were tokens once since the start: from then on nobody is the local user.
    closed: AtomicBool,
    /// When there were none, at last.
    looked: Mutex<Option<Instant>>,
}

/// Why [`Callers`] cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Two tokens with one name.
    #[error("two tokens are named \"{0}\"; the records tell callers apart by that name")]
    TokenName(TokenName),
}

/// What is wrong with a token of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Nobody has it, or nobody any more.
    #[error("the token is not known here")]
    Unknown,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// It is not whole.
    #[error("the token is not complete, or a letter in it is wrong")]
    Typo,
}

/// Why a request is nobody's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It shows no token.
    #[error("a bearer token is needed")]
    NoToken,
    /// It shows one that is none of this host's.
    #[error(transparent)]
    Token(#[from] TokenFault),
    /// It shows one of the authorization server's, which proves nothing.
    #[error(transparent)]
    Unproved(#[from] Unproved),
    /// The proof is good, and lets its holder do nothing here.
    #[error("the token of {0} has no scope of this host")]
    NoScope(Caller),
    /// It comes too soon.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// Nobody can be known at the moment; the log has the reason.
    #[error("who calls cannot be looked up at the moment")]
    Unavailable,
}

impl Callers {
    /// The holders of these tokens, which an operator wrote down.
    ///
    /// # Errors
    /// Where two have one name.
    pub fn named(tokens: Vec<NamedToken>) -> Result<Self, SettingsError> {
        let mut names = HashSet::new();
        if let Some(token) = tokens.iter().find(|token| !names.insert(&token.name)) {
            return Err(SettingsError::TokenName(token.name.clone()));
        }
        Ok(Self { named: tokens.into(), ..Self::default() })
    }

    /// And the holders of tokens in the state database.
    ///
    /// # Errors
    /// Where one of them has the name of another kind of token, or the database cannot be read.
    pub fn with_tokens(mut self, tokens: Tokens) -> Result<Self, TokenError> {
        let known = tokens.list()?;
        if let Some(about) = known.iter().find(|about| self.is_named(&about.name)) {
            return Err(TokenError::Taken(about.name.clone()));
        }
        self.open.closed.store(!known.is_empty(), Ordering::Release);
        self.tokens = Some(tokens);
        Ok(self)
    }

    /// And the holders of access tokens.
    #[must_use]
    pub fn with_oauth(mut self, oauth: OAuth) -> Self {
        self.oauth = Some(Arc::new(oauth));
        self
    }

    /// And no more than so many requests a minute for each of them but the local user.
    #[must_use]
    pub fn at_most(mut self, per_minute: NonZeroU32) -> Self {
        self.rates = Some(Arc::new(Rates::new(per_minute)));
        self
    }

    /// The authorization server, where there is one.
    pub fn oauth(&self) -> Option<&OAuth> {
        self.oauth.as_deref()
    }

    /// Whether everyone who reaches the door is let in. Making the first token in the state ends this, within a tenth of a
    /// second, and nothing but a new start without tokens begins it again: who takes the last token back does not open the door.
    pub fn are_everyone(&self) -> bool {
        if !self.named.is_empty() || self.oauth.is_some() || self.open.closed.load(Ordering::Acquire) {
            return false;
        }
        let Some(tokens) = &self.tokens else { return true };
        let mut looked = self.open.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return true;
        }
        let any = tokens.any().unwrap_or_else(|error| {
            tracing::error!(target: "packhost", %error, "tokens cannot be read");
            true
        });
        if any {
            self.open.closed.store(true, Ordering::Release);
        }
        *looked = Some(Instant::now());
        !any
    }

    /// Who shows this token, or none.
    ///
    /// # Errors
    /// Why the request is nobody's.
    pub async fn identify(&self, shown: Option<&[u8]>) -> Result<Identity, Refused> {
        if self.are_everyone() {
            return Ok(Identity::local());
        }
        let identity = self.look_up(shown.ok_or(Refused::NoToken)?).await?;
        if identity.scopes.is_empty() {
            return Err(Refused::NoScope(identity.caller));
        }
        if let Some(rates) = &self.rates {
            rates.count(&identity.caller)?;
        }
        Ok(identity)
    }

    /// Whether this caller, of whom it was proved earlier who it is, may still come in to do this. Counts as a request of its own.
    ///
    /// # Errors
    /// Why not. A token of this host has to be there and good; of an authorization server's nothing more can be known here than that
    /// there is one.
    pub fn still_let_in(&self, caller: &Caller, scope: &Scope) -> Result<(), Refused> {
        let known = match (self.are_everyone(), caller.as_str().strip_prefix("token:")) {
            (true, _) => return if *caller == Caller::local() { Ok(()) } else { Err(Refused::NoToken) },
            (false, Some(name)) => {
                let name = name.parse::<TokenName>().map_err(|_| TokenFault::Unknown)?;
                self.is_named(&name) || self.holds(&name, scope)?
            }
            (false, None) => caller.is_oauth() && self.oauth.is_some(),
        };
        if !known {
            return Err(TokenFault::Unknown.into());
        }
        if let Some(rates) = &self.rates {
            rates.count(caller)?;
        }
        Ok(())
    }

    /// Whether there is a good token of this name in the state that lets its holder do this.
    fn holds(&self, name: &TokenName, scope: &Scope) -> Result<bool, Refused> {
        let Some(tokens) = &self.tokens else { return Ok(false) };
        let about = tokens.named(name).map_err(|error| {
            tracing::error!(target: "packhost", %error, "tokens cannot be read");
            Refused::Unavailable
        })?;
        Ok(about.is_some_and(|about| !about.has_expired() && about.scopes.allow(scope)))
    }

    async fn look_up(&self, shown: &[u8]) -> Result<Identity, Refused> {
        let digest = Digest::of(shown);
        if let Some(token) = NamedToken::find(&self.named, &digest) {
            return Ok(Identity::of(Caller::token(token.name.as_str())));
        }
        if let Some(looked) = Secret::look(shown) {
            looked.map_err(|_| TokenFault::Typo)?;
            return self.kept(&digest);
        }
        match &self.oauth {
            Some(oauth) if OAuth::looks_like_one(shown) => Ok(oauth.identify(shown).await?),
            _ => Err(TokenFault::Unknown.into()),
        }
    }

    /// The holder of a token in the state.
    fn kept(&self, digest: &Digest) -> Result<Identity, Refused> {
        let Some(tokens) = &self.tokens else { return Err(TokenFault::Unknown.into()) };
        let found = tokens.find(digest).map_err(|error| {
            tracing::error!(target: "packhost", %error, "tokens cannot be read");
            Refused::Unavailable
        })?;
        let about = found.ok_or(TokenFault::Unknown)?;
        if about.has_expired() {
            return Err(TokenFault::Expired.into());
        }
        // Made after the start, when nobody could see that the name is another caller's.
        if self.is_named(&about.name) {
            tracing::warn!(
                target: "packhost", name = %about.name,
                "a token is not accepted: the file of tokens has the same name; revoke it and take another"
            );
            return Err(TokenFault::Unknown.into());
        }
        Ok(about.identity())
    }

    fn is_named(&self, name: &TokenName) -> bool {
        self.named.iter().any(|token| token.name == *name)
    }
}

impl std::fmt::Debug for Callers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callers")
            .field("named", &self.named.len())
            .field("tokens", &self.tokens.is_some())
            .field("oauth", &self.oauth.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use packhost_core::{Group, Groups, Scope};
    use packhost_state::Database;
    use tempfile::TempDir;

    use super::*;
    use crate::tokens::NewToken;

    const FILE: &str = "secret-of-the-file-1";

    fn named(name: &str) -> Callers {
        Callers::named(vec![NamedToken::new(name, FILE).expect("good")]).expect("one name")
    }

    fn tokens(dir: &TempDir) -> Tokens {
        Tokens::open(Arc::new(Database::open(dir.path()).expect("a database"))).expect("tables")
    }

    fn new(name: &str, scopes: &[&str]) -> NewToken {
        let scopes = scopes.iter().map(|scope| scope.parse::<Scope>().expect("a scope")).collect();
        let groups = ["ops".parse::<Group>().expect("a group")].into_iter().collect::<Groups>();
        NewToken { name: name.parse().expect("a name"), scopes, groups, expires: None }
    }

    #[tokio::test]
    async fn without_tokens_everyone_is_the_local_user() {
        let all = Callers::default();
        assert!(all.are_everyone());
        for shown in [None, Some(&b"whatever"[..])] {
            assert_eq!(all.identify(shown).await, Ok(Identity::local()));
        }
    }

    #[tokio::test]
    async fn each_kind_of_token_says_who_calls() {
        let dir = TempDir::new().expect("a directory");
        let tokens = tokens(&dir);
        let (secret, _) = tokens.create(new("laptop", &["packs:call:http.*"])).expect("made");
        let callers = named("ci").with_tokens(tokens).expect("other names");
        let of_file = callers.identify(Some(FILE.as_bytes())).await.expect("it is known");
        assert_eq!(of_file, Identity::of(Caller::token("ci")));
        let kept = callers.identify(Some(secret.expose().as_bytes())).await.expect("it is known");
        assert_eq!(
            (kept.caller.as_str(), kept.scopes.to_string().as_str()),
            ("token:laptop", "packs:call:http.*")
        );
        assert!(kept.groups.hold("ops"));
        let typo = &secret.expose()[..51];
        let other = Secret::random().expect("random numbers");
        for (shown, why) in [
            (None, Refused::NoToken),
            (Some(typo), TokenFault::Typo.into()),
            (Some(other.expose()), TokenFault::Unknown.into()),
            (Some("secret-of-somebody-else"), TokenFault::Unknown.into()),
            (Some("a.b.c"), TokenFault::Unknown.into()),
            (Some(""), TokenFault::Unknown.into()),
        ] {
            assert_eq!(callers.identify(shown.map(str::as_bytes)).await, Err(why), "{shown:?}");
        }
    }

    #[tokio::test]
    async fn who_takes_the_last_token_back_does_not_open_the_door() {
        let dir = TempDir::new().expect("a directory");
        let (here, there) = (tokens(&dir), tokens(&dir));
        let callers = Callers::default().with_tokens(here).expect("readable");
        assert!(callers.are_everyone());
        let (secret, made) = there.create(new("ci", &[])).expect("made");
        while callers.identify(None).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(callers.identify(None).await, Err(Refused::NoToken), "the first token closes it");
        assert!(callers.identify(Some(secret.expose().as_bytes())).await.is_ok());
        there.revoke(&made.name).expect("it is there");
        assert_eq!(callers.identify(Some(secret.expose().as_bytes())).await, Err(TokenFault::Unknown.into()));
        assert_eq!(callers.identify(None).await, Err(Refused::NoToken));
        assert!(!callers.are_everyone());
    }

    #[tokio::test]
    async fn two_kinds_of_tokens_have_no_name_in_common() {
        assert!(matches!(
            Callers::named(vec![NamedToken::new("a", FILE).expect("good"); 2]),
            Err(SettingsError::TokenName(_))
        ));
        let dir = TempDir::new().expect("a directory");
        let (here, there) = (tokens(&dir), tokens(&dir));
        let callers = named("ci").with_tokens(here.clone()).expect("other names");
        let (secret, _) = there.create(new("ci", &["admin"])).expect("made");
        let shown = callers.identify(Some(secret.expose().as_bytes())).await;
        assert_eq!(shown, Err(TokenFault::Unknown.into()));
        assert!(matches!(named("ci").with_tokens(here), Err(TokenError::Taken(_))));
    }

    #[tokio::test]
    async fn a_caller_has_so_many_requests_a_minute() {
        let callers = named("ci").at_most(NonZeroU32::new(2).expect("not zero"));
        for _ in 0..2 {
            assert!(callers.identify(Some(FILE.as_bytes())).await.is_ok());
        }
        assert!(matches!(callers.identify(Some(FILE.as_bytes())).await, Err(Refused::TooMany(_))));
        let everyone = Callers::default().at_most(NonZeroU32::new(1).expect("not zero"));
        for _ in 0..5 {
            assert!(everyone.identify(None).await.is_ok(), "the local user is not counted");
        }
    }
}
