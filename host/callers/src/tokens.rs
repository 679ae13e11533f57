//! Tokens that this host makes, keeps and takes back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use packhost_core::{Caller, Digest, Groups, Identity, Scope, Scopes};
use packhost_state::{Database, Stamp, StateError};
use serde::Serialize;

use crate::named::TokenName;
use crate::secret::Secret;
use crate::store;

/// The tokens in a state database. What was looked up holds as long as nobody has written to the database: a token that another
/// process revokes is refused from its commit on, and there is no cache to wait for. Its methods block, on the disk and on
/// another process that writes; [`find`](Self::find) on neither, unless somebody else uses the same [`Database`].
#[derive(Clone)]
pub struct Tokens {
    database: Arc<Database>,
    found: Arc<Mutex<Found>>,
}

/// What was looked up last, in one state of the database.
#[derive(Default)]
struct Found {
    of: Option<Stamp>,
    tokens: HashMap<Digest, About>,
}

/// So many of those that were looked up are kept at most. What is no token is not kept.
const KEPT: usize = 256;

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What the records call its holder.
    pub name: TokenName,
    /// What its holder may do. None is [`Scopes::usual`].
    pub scopes: Vec<Scope>,
    /// The groups that its holder is in.
    pub groups: Groups,
    /// From when on it is not good any more, in seconds since 1970.
    pub expires: Option<u64>,
}

/// What may be known of a token: everything but the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct About {
    /// What the records call its holder.
    pub name: TokenName,
    /// What its holder may do.
    pub scopes: Scopes,
    /// The groups that its holder is in.
    pub groups: Groups,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// From when on it is not good any more, in seconds since 1970.
    pub expires: Option<u64>,
}

/// Why a token could not be made, found or taken back.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is one of this name.
    #[error("there is a token named \"{0}\"; revoke it first, or take another name")]
    Taken(TokenName),
    /// There is none of this name.
    #[error("there is no token named \"{0}\"")]
    NotFound(TokenName),
    /// It would never have been good.
    #[error("the token would have expired already")]
    Past,
    /// There are too many.
    #[error("there are {max} tokens, and no more fit; revoke some", max = Tokens::MAX)]
    Full,
    /// The system has no random numbers.
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<rusqlite::Error> for TokenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::State(error.into())
    }
}

impl Tokens {
    /// The most tokens of one host, those that have expired included.
    pub const MAX: usize = 10_000;

    /// The tokens in this database.
    ///
    /// # Errors
    /// When the tables are those of a newer host, or cannot be made.
    pub fn open(database: Arc<Database>) -> Result<Self, TokenError> {
        database.migrate("callers", store::STEPS)?;
        Ok(Self { database, found: Arc::default() })
    }

    /// Makes a token. This is the one time that it is seen: what is kept is its digest.
    ///
    /// # Errors
    /// When there is one of this name, it would have expired already, there are [`Tokens::MAX`], or the state cannot be written.
    pub fn create(&self, new: NewToken) -> Result<(Secret, About), TokenError> {
        let created = now();
        if new.expires.is_some_and(|expires| expires <= created) {
            return Err(TokenError::Past);
        }
        let scopes = if new.scopes.is_empty() { Scopes::usual() } else { new.scopes.into_iter().collect() };
        let about = About { name: new.name, scopes, groups: new.groups, created, expires: new.expires };
        let secret = Secret::random()?;
        self.database.write(|sql| {
            if store::named(sql, &about.name)?.is_some() {
                return Err(TokenError::Taken(about.name.clone()));
            }
            if store::count(sql)? >= Self::MAX {
                return Err(TokenError::Full);
            }
            store::put(sql, &about, &secret.digest())
        })?;
        Ok((secret, about))
    }

    /// Every token, by name.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn list(&self) -> Result<Vec<About>, TokenError> {
        self.database.read(store::all)
    }

    /// Takes a token back: whoever shows it from now on is a stranger, in every process of this host. What it held is gone;
    /// another token of the same name is the same caller.
    ///
    /// # Errors
    /// When there is none of this name, or the state cannot be written.
    pub fn revoke(&self, name: &TokenName) -> Result<(), TokenError> {
        match self.database.write(|sql| store::remove(sql, name))? {
            true => Ok(()),
            false => Err(TokenError::NotFound(name.clone())),
        }
    }

    /// Whether there is any, good or not.
    pub(crate) fn any(&self) -> Result<bool, TokenError> {
        self.database.glance(store::any)
    }

    /// The token of this name, good or not.
    pub(crate) fn named(&self, name: &TokenName) -> Result<Option<About>, TokenError> {
        self.database.read(|sql| store::named(sql, name))
    }

    /// The token with this digest, good or not.
    pub(crate) fn find(&self, digest: &Digest) -> Result<Option<About>, TokenError> {
        // In this order: what is read afterwards is of this state or of a newer one.
        let stamp = self.database.stamp();
        if let Some(about) = self.found().of(stamp).and_then(|tokens| tokens.get(digest).cloned()) {
            return Ok(Some(about));
        }
        let about = self.database.glance(|sql| store::find(sql, digest))?;
        if let (Some(about), Some(tokens)) = (&about, self.found().of(stamp)) {
            if tokens.len() >= KEPT {
                tokens.clear();
            }
            tokens.insert(*digest, about.clone());
        }
        Ok(about)
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    /// What was found in this state of the database; of another one nothing is kept.
    fn of(&mut self, stamp: Option<Stamp>) -> Option<&mut HashMap<Digest, About>> {
        if self.of != stamp {
            (self.of, self.tokens) = (stamp, HashMap::new());
        }
        stamp.map(|_| &mut self.tokens)
    }
}

impl About {
    /// Whether it is not good any more.
    pub fn has_expired(&self) -> bool {
        self.expires.is_some_and(|expires| expires <= now())
    }

    pub(crate) fn identity(&self) -> Identity {
        let caller = Caller::token(self.name.as_str());
        Identity { caller, groups: self.groups.clone(), scopes: self.scopes.clone() }
    }
}

/// In seconds since 1970. A clock before that is taken for a broken one, with which nothing has begun.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn new(name: &str) -> NewToken {
        let name = name.parse().expect("a name");
        NewToken { name, scopes: Vec::new(), groups: Groups::default(), expires: None }
    }

    fn tokens(dir: &TempDir) -> Tokens {
        Tokens::open(Arc::new(Database::open(dir.path()).expect("a database"))).expect("tables")
    }

    #[test]
    fn a_token_is_seen_once_and_kept_as_a_digest() {
        let dir = TempDir::new().expect("a directory");
        let tokens = tokens(&dir);
        let (secret, made) = tokens.create(new("ci")).expect("made");
        assert_eq!(tokens.list().expect("readable"), std::slice::from_ref(&made));
        assert_eq!(made.scopes.to_string(), "artifacts:read artifacts:write packs:*");
        assert_eq!(tokens.find(&secret.digest()).expect("readable"), Some(made));
        for file in std::fs::read_dir(dir.path()).expect("readable") {
            let bytes = std::fs::read(file.expect("readable").path()).expect("readable");
            let whole = secret.expose().as_bytes();
            for part in [whole, &whole[3..20]] {
                assert!(!bytes.windows(part.len()).any(|window| window == part), "the token is on the disk");
            }
        }
    }

    #[test]
    fn a_name_has_one_token_at_a_time() {
        let dir = TempDir::new().expect("a directory");
        let tokens = tokens(&dir);
        let (first, _) = tokens.create(new("ci")).expect("made");
        assert!(matches!(tokens.create(new("ci")), Err(TokenError::Taken(_))));
        let name = "ci".parse().expect("a name");
        tokens.revoke(&name).expect("it is there");
        assert!(matches!(tokens.revoke(&name), Err(TokenError::NotFound(_))));
        let (second, _) = tokens.create(new("ci")).expect("the name is free");
        assert_eq!(tokens.find(&first.digest()).expect("readable"), None);
        assert!(tokens.find(&second.digest()).expect("readable").is_some());
    }

    #[test]
    fn what_another_process_revokes_is_gone_at_once() {
        let dir = TempDir::new().expect("a directory");
        let (here, there) = (tokens(&dir), tokens(&dir));
        assert!(!here.any().expect("readable"));
        let (secret, made) = there.create(new("ci")).expect("made");
        assert!(here.any().expect("readable"));
        assert_eq!(here.find(&secret.digest()).expect("readable").as_ref(), Some(&made));
        there.revoke(&made.name).expect("it is there");
        assert_eq!(here.find(&secret.digest()).expect("readable"), None);
    }

    #[test]
    fn what_was_looked_up_holds_until_somebody_writes() {
        let dir = TempDir::new().expect("a directory");
        let (here, there) = (tokens(&dir), tokens(&dir));
        let mut made = Vec::new();
        for n in 0..KEPT + 2 {
            made.push(there.create(new(&format!("t{n}"))).expect("made"));
        }
        for _ in 0..2 {
            for (secret, about) in &made {
                assert_eq!(here.find(&secret.digest()).expect("readable").as_ref(), Some(about));
                let kept = here.found().tokens.len();
                assert!((1..=KEPT).contains(&kept), "{kept}");
            }
        }
        let stranger = Secret::random().expect("random numbers").digest();
        assert_eq!(here.find(&stranger).expect("readable"), None);
        assert!(!here.found().tokens.contains_key(&stranger), "a guess takes no room");
        // Each is refused from its end on, and the others are known all the same, in either process.
        for (at, (secret, about)) in made.iter().enumerate() {
            let revoker = if at % 2 == 0 { &here } else { &there };
            revoker.revoke(&about.name).expect("it is there");
            assert_eq!(here.find(&secret.digest()).expect("readable"), None, "{at}");
            let next = made.get(at + 1).map(|(secret, _)| here.find(&secret.digest()).expect("readable"));
            assert!(next.is_none_or(|next| next.is_some()), "{at}");
        }
    }

    #[test]
    fn a_token_expires_when_it_was_said() {
        let dir = TempDir::new().expect("a directory");
        let tokens = tokens(&dir);
        for past in [0, 1, now()] {
            let new = NewToken { expires: Some(past), ..new("old") };
            assert!(matches!(tokens.create(new), Err(TokenError::Past)), "{past}");
        }
        let (_, made) = tokens.create(NewToken { expires: Some(now() + 1000), ..new("ci") }).expect("made");
        assert!(!made.has_expired());
        assert!(About { expires: Some(now()), ..made.clone() }.has_expired());
        assert!(!About { expires: None, ..made }.has_expired());
    }
}
