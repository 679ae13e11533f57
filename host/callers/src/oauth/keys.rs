//! The keys of an issuer, as far as they are known: fetched when they are needed, and no more often than they may be.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use url::Url;

use super::Unproved;
use super::fetch::{self, Fetch, Issuer};
use super::key::{Algorithm, Key};

/// After so long keys are fetched again: this long a key that the issuer withdraws is still good here.
pub(crate) const FRESH: Duration = Duration::from_secs(300);
/// So long they are used when the issuer cannot be reached.
pub(crate) const STALE: Duration = Duration::from_secs(12 * 3600);
/// Between two attempts, whatever tokens ask for.
pub(crate) const PAUSE: Duration = Duration::from_secs(10);
/// What one attempt may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The keys of one issuer.
pub(crate) struct Keys {
    fetch: Arc<dyn Fetch>,
    issuer: Issuer,
    jwks: Option<Url>,
    known: RwLock<Known>,
    /// One attempt at a time; when the last one began.
    turn: Mutex<Option<Instant>>,
}

#[derive(Default, Clone)]
struct Known {
    keys: Arc<[Arc<Key>]>,
    /// None until there are any.
    since: Option<Instant>,
    /// Grows with every set.
    generation: u64,
}

impl Known {
    fn is_younger_than(&self, age: Duration) -> bool {
        self.since.is_some_and(|since| since.elapsed() < age)
    }

    /// The one key that is meant: of that name and for that algorithm, or, where no name is given, the only one for it.
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<Arc<Key>> {
        if !self.is_younger_than(STALE) {
            return None;
        }
        let meant = |key: &&Arc<Key>| key.fits(algorithm) && (kid.is_none() || key.kid.as_deref() == kid);
        let mut meant = self.keys.iter().filter(meant);
        let one = meant.next()?;
        meant.next().is_none().then(|| Arc::clone(one))
    }
}

impl Keys {
    pub(crate) fn new(fetch: Arc<dyn Fetch>, issuer: Issuer, jwks: Option<Url>) -> Self {
        Self { fetch, issuer, jwks, known: RwLock::default(), turn: Mutex::new(None) }
    }

    /// Which set of keys is in force, while it is fresh.
    pub(crate) fn generation(&self) -> Option<u64> {
        let known = self.known();
        known.is_younger_than(FRESH).then_some(known.generation)
    }

    /// The key that a token names. One that is not known may be new, so the keys are fetched again; whoever sends many such
    /// tokens waits in line, and has them fetched once in [`PAUSE`]. With the key comes which set it is of.
    pub(crate) async fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<(Arc<Key>, u64), Unproved> {
        let known = self.known();
        match known.find(kid, algorithm) {
            Some(key) if known.is_younger_than(FRESH) => return Ok((key, known.generation)),
            // Old, but good enough for whoever is not the first to notice.
            Some(key) => match self.turn.try_lock() {
                Ok(mut turn) => self.renew(&mut turn).await,
                Err(_) => return Ok((key, known.generation)),
            },
            None => self.renew(&mut *self.turn.lock().await).await,
        }
        let known = self.known();
        match known.find(kid, algorithm) {
            Some(key) => Ok((key, known.generation)),
            None if known.is_younger_than(STALE) => Err(Unproved::Key),
            None => Err(Unproved::NoKeys),
        }
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fetches the keys, unless that was tried just now. What cannot be fetched changes nothing.
    async fn renew(&self, tried: &mut Option<Instant>) {
        if tried.is_some_and(|tried| tried.elapsed() < PAUSE) {
            return;
        }
        *tried = Some(Instant::now());
        let fetched = fetch::keys(&*self.fetch, &self.issuer, self.jwks.as_ref());
        let fetched = timeout(PATIENCE, fetched).await;
        let fetched = fetched.unwrap_or_else(|_| Err(fetch::FetchError("no answer in time".to_owned())));
        match fetched {
            Ok(keys) => {
                let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
                let generation = known.generation + 1;
                let keys = keys.into_iter().map(Arc::new).collect();
                *known = Known { keys, since: Some(Instant::now()), generation };
            }
            Err(error) => tracing::warn!(
                target: "packhost", issuer = self.issuer.as_str(), "the keys of the issuer cannot be had: {error}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use serde_json::{Value, json};

    use super::super::{FetchError, Fetched};
    use super::*;

    /// An issuer whose keys can be changed, and which can go away.
    #[derive(Default)]
    struct Server {
        keys: std::sync::Mutex<Option<Value>>,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl Fetch for Server {
        async fn get(&self, _: &Url, _: usize) -> Result<Fetched, FetchError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            // Others come while it is under way.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let keys = self.keys.lock().expect("not poisoned").clone();
            let keys = keys.ok_or_else(|| FetchError("it is away".into()))?;
            Ok(Fetched { status: 200, body: json!({ "keys": keys }).to_string().into_bytes() })
        }
    }

    impl Server {
        fn has(&self, kids: &[&str]) {
            let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
            let key = |kid: &&str| json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid});
            *self.keys.lock().expect("not poisoned") = Some(kids.iter().map(key).collect());
        }

        fn goes_away(&self) {
            *self.keys.lock().expect("not poisoned") = None;
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    fn keys() -> (Arc<Server>, Arc<Keys>) {
        let server = Arc::new(Server::default());
        server.has(&["1"]);
        let issuer = Issuer::parse("https://a.example", false).expect("an issuer");
        let jwks = Url::parse("https://a.example/keys").expect("a URL");
        (Arc::clone(&server), Arc::new(Keys::new(server, issuer, Some(jwks))))
    }

    async fn find(keys: &Keys, kid: &str) -> Result<(), Unproved> {
        keys.find(Some(kid), Algorithm::Ed25519).await.map(|_| ())
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_fetched_once_for_many() {
        let (server, keys) = keys();
        let many = (0..50).map(|_| {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { find(&keys, "1").await })
        });
        for one in many.collect::<Vec<_>>() {
            assert_eq!(one.await.expect("no panic"), Ok(()));
        }
        assert_eq!(server.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_key_is_found_and_a_withdrawn_one_is_forgotten() {
        let (server, keys) = keys();
        assert_eq!(find(&keys, "1").await, Ok(()));
        server.has(&["2"]);
        tokio::time::advance(PAUSE).await;
        assert_eq!(find(&keys, "2").await, Ok(()));
        assert_eq!(find(&keys, "1").await, Err(Unproved::Key));
        server.has(&["3"]);
        tokio::time::advance(FRESH).await;
        assert_eq!(find(&keys, "2").await, Err(Unproved::Key), "it was looked for when it was old");
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_with_invented_keys_make_few_requests() {
        let (server, keys) = keys();
        assert_eq!(find(&keys, "1").await, Ok(()));
        for n in 0..100 {
            assert_eq!(find(&keys, &format!("invented {n}")).await, Err(Unproved::Key));
        }
        assert_eq!(server.asked(), 1, "within the pause of the first");
        tokio::time::advance(PAUSE).await;
        let many = (0..100).map(|n| {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { find(&keys, &format!("invented {n}")).await })
        });
        for one in many.collect::<Vec<_>>() {
            assert_eq!(one.await.expect("no panic"), Err(Unproved::Key));
        }
        assert_eq!(server.asked(), 2);
        assert_eq!(find(&keys, "1").await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn old_keys_serve_for_a_while_when_the_issuer_is_away() {
        let (server, keys) = keys();
        assert_eq!(find(&keys, "1").await, Ok(()));
        assert_eq!(keys.generation(), Some(1));
        server.goes_away();
        tokio::time::advance(FRESH).await;
        assert_eq!(keys.generation(), None, "what was proved with them is proved anew");
        assert_eq!(find(&keys, "1").await, Ok(()));
        let asked = server.asked();
        assert_eq!(find(&keys, "1").await, Ok(()));
        assert_eq!(server.asked(), asked, "it is not asked for each token");
        tokio::time::advance(STALE).await;
        assert_eq!(find(&keys, "1").await, Err(Unproved::NoKeys));
        server.has(&["1"]);
        tokio::time::advance(PAUSE).await;
        assert_eq!(find(&keys, "1").await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_meant_when_it_is_the_only_one() {
        let (server, keys) = keys();
        assert!(keys.find(None, Algorithm::Ed25519).await.is_ok());
        assert_eq!(keys.find(None, Algorithm::Es256).await.err(), Some(Unproved::Key));
        assert_eq!(keys.find(Some("1"), Algorithm::Rs256).await.err(), Some(Unproved::Key));
        server.has(&["1", "2"]);
        tokio::time::advance(FRESH).await;
        assert_eq!(keys.find(None, Algorithm::Ed25519).await.err(), Some(Unproved::Key));
        server.has(&["1", "1"]);
        tokio::time::advance(FRESH).await;
        assert_eq!(find(&keys, "1").await, Err(Unproved::Key), "two of one name are none");
    }
}
