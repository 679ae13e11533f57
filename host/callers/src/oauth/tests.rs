//! Tokens signed with real keys, good and forged.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use url::Url;

use super::*;

const ISSUER: &str = "https://login.example.com";
const US: &str = "https://packs.example.com/mcp";

struct Signer {
    pair: EcdsaKeyPair,
    kid: &'static str,
}

impl Signer {
    fn new(kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
            .expect("a key");
        Self { pair, kid }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.kid, "use": "sig", "alg": "ES256"})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = unsigned(header, claims);
        let signature = self.pair.sign(&SystemRandom::new(), text.as_bytes()).expect("signed");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn header(&self) -> Value {
        json!({"alg": "ES256", "typ": "at+jwt", "kid": self.kid})
    }

    fn token(&self) -> String {
        self.sign(&self.header(), &claims())
    }
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": US, "sub": "alice", "exp": now() + 300, "scope": "packs:call:http.*"})
}

/// An issuer with metadata and keys.
struct Server {
    keys: Mutex<Value>,
    asked: AtomicUsize,
}

#[async_trait]
impl Fetch for Server {
    async fn get(&self, url: &Url, _: usize) -> Result<Fetched, FetchError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let body = match url.as_str() {
            "https://login.example.com/.well-known/openid-configuration" => {
                json!({"issuer": ISSUER, "jwks_uri": "https://login.example.com/keys"})
            }
            "https://login.example.com/keys" => json!({ "keys": *self.keys.lock().expect("not poisoned") }),
            _ => return Ok(Fetched { status: 404, body: Vec::new() }),
        };
        Ok(Fetched { status: 200, body: body.to_string().into_bytes() })
    }
}

fn server(signers: &[&Signer]) -> (Arc<Server>, OAuth) {
    let keys = signers.iter().map(|signer| signer.jwk()).collect();
    let server = Arc::new(Server { keys: Mutex::new(keys), asked: AtomicUsize::new(0) });
    (Arc::clone(&server), OAuth::new(settings(), server).expect("good settings"))
}

fn settings() -> OAuthSettings {
    OAuthSettings::new(Issuer::parse(ISSUER, false).expect("an issuer"), vec![US.to_owned()])
}

#[tokio::test]
async fn a_token_of_the_issuer_says_who_calls() {
    let signer = Signer::new("1");
    let (server, oauth) = server(&[&signer]);
    let token = signer.token();
    for _ in 0..3 {
        let identity = oauth.identify(token.as_bytes()).await.expect("it is good");
        assert_eq!(identity.caller.as_str(), "oauth:login.example.com:alice");
        assert_eq!(identity.scopes.to_string(), "packs:call:http.*");
    }
    assert_eq!(server.asked.load(Ordering::SeqCst), 3, "two places of metadata, then the keys, once");
}

#[tokio::test]
async fn a_forged_token_proves_nothing() {
    let (signer, stranger) = (Signer::new("1"), Signer::new("1"));
    let (_, oauth) = server(&[&signer]);
    let token = signer.token();
    let (text, signature) = token.rsplit_once('.').expect("three parts");
    let changed =
        unsigned(&signer.header(), &json!({"iss": ISSUER, "aud": US, "sub": "root", "exp": now() + 300}));
    let none = unsigned(&json!({"alg": "none", "typ": "at+jwt"}), &claims());
    for (forged, why) in [
        (stranger.token(), Unproved::Signature),
        (format!("{changed}.{signature}"), Unproved::Signature),
        (format!("{text}."), Unproved::Signature),
        (format!("{none}."), Unproved::Algorithm),
        (format!("{text}.{}", URL_SAFE_NO_PAD.encode([0; 64])), Unproved::Signature),
        (Signer::new("other").token(), Unproved::Key),
    ] {
        assert_eq!(oauth.identify(forged.as_bytes()).await, Err(why), "{forged}");
    }
    assert!(oauth.identify(token.as_bytes()).await.is_ok());
}

#[tokio::test]
async fn a_public_key_is_never_taken_for_a_shared_secret() {
    let signer = Signer::new("1");
    let (_, oauth) = server(&[&signer]);
    let public = signer.jwk().to_string();
    for secret in [signer.pair.public_key().as_ref(), public.as_bytes(), b""] {
        let text = unsigned(&json!({"alg": "HS256", "typ": "at+jwt", "kid": "1"}), &claims());
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
        let forged = format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag));
        assert_eq!(oauth.identify(forged.as_bytes()).await, Err(Unproved::Algorithm));
    }
}

#[tokio::test]
async fn a_kid_finds_a_key_and_nothing_else() {
    let signer = Signer::new("1");
    let (_, oauth) = server(&[&signer]);
    for kid in ["../../../../dev/null", "1' OR '1'='1", "https://evil.example/keys", "", "1 ", "1\0"] {
        let mut header = signer.header();
        header["kid"] = kid.into();
        let token = signer.sign(&header, &claims());
        assert_eq!(oauth.identify(token.as_bytes()).await, Err(Unproved::Key), "{kid:?}");
    }
}

#[tokio::test]
async fn a_key_in_the_header_is_not_used() {
    let (signer, stranger) = (Signer::new("1"), Signer::new("1"));
    let (server, oauth) = server(&[&signer]);
    for (name, value) in [
        ("jwk", stranger.jwk()),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/c")),
    ] {
        let mut header = stranger.header();
        header[name] = value;
        let token = stranger.sign(&header, &claims());
        assert_eq!(oauth.identify(token.as_bytes()).await, Err(Unproved::Header), "{name}");
    }
    assert_eq!(server.asked.load(Ordering::SeqCst), 0, "nothing was fetched for them");
}

#[tokio::test]
async fn nothing_is_fetched_for_a_token_of_somebody_else() {
    let signer = Signer::new("1");
    let (server, oauth) = server(&[&signer]);
    for (name, value, why) in [
        ("iss", json!("https://evil.example"), Unproved::Issuer),
        ("aud", json!("https://evil.example"), Unproved::Audience),
        ("exp", json!(now() - 61), Unproved::Expired),
    ] {
        let mut claims = claims();
        claims[name] = value;
        let token = signer.sign(&signer.header(), &claims);
        assert_eq!(oauth.identify(token.as_bytes()).await, Err(why), "{name}");
    }
    assert_eq!(server.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_withdrawn_proves_nothing_any_more() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let (server, oauth) = server(&[&old]);
    let token = old.token();
    assert!(oauth.identify(token.as_bytes()).await.is_ok());
    *server.keys.lock().expect("not poisoned") = json!([new.jwk()]);
    tokio::time::advance(keys::PAUSE).await;
    assert!(oauth.identify(new.token().as_bytes()).await.is_ok(), "the new key is followed");
    assert_eq!(oauth.identify(token.as_bytes()).await, Err(Unproved::Key), "also for a token that was seen");
}

#[tokio::test]
async fn so_many_tokens_are_remembered() {
    let signer = Signer::new("1");
    let (_, oauth) = server(&[&signer]);
    let proved = |until| Remembered { identity: Identity::local(), until, generation: 1 };
    let digest = |n: usize| Digest::of(&n.to_be_bytes());
    oauth.remember(digest(0), proved(u64::MAX));
    assert_eq!(oauth.recall(&digest(0), now()), None, "without keys nothing is proved");
    assert!(oauth.identify(signer.token().as_bytes()).await.is_ok());
    assert_eq!(oauth.recall(&digest(0), now()), Some(Identity::local()));
    for n in 0..REMEMBERED + 2 {
        oauth.remember(digest(n), proved(u64::MAX));
    }
    assert!(oauth.remembered.lock().expect("not poisoned").len() <= REMEMBERED);
    oauth.remember(digest(0), proved(now()));
    assert_eq!(oauth.recall(&digest(0), now()), None, "its time is over");
    oauth.remember(digest(0), Remembered { generation: 2, ..proved(u64::MAX) });
    assert_eq!(oauth.recall(&digest(0), now()), None, "it was proved with other keys");
}

#[test]
fn a_client_is_told_what_to_ask_for() {
    let mut settings = settings();
    settings.scope_prefix = "pk/".into();
    settings.scopes =
        ["packs:list", "packs:call:web.*", "packs:call"].map(|s| s.parse().expect("a scope")).into();
    let server = Arc::new(Server { keys: Mutex::new(json!([])), asked: AtomicUsize::new(0) });
    let oauth = OAuth::new(settings, server).expect("good settings");
    let pack = |name: &str| name.parse().expect("a name");
    let held: Scopes = [Scope::ListPacks].into_iter().collect();
    assert_eq!(oauth.first_scope(), "pk/packs:list");
    assert_eq!(oauth.scope_to_call(&held, &pack("web.scrape")), "pk/packs:list pk/packs:call:web.*");
    assert_eq!(oauth.scope_to_call(&Scopes::default(), &pack("http.fetch")), "pk/packs:call");
    assert_eq!(
        oauth.metadata_url().as_str(),
        "https://packs.example.com/.well-known/oauth-protected-resource/mcp"
    );
    assert_eq!(
        oauth.metadata(),
        json!({"resource": US, "resource_name": "packhost", "authorization_servers": [ISSUER],
            "scopes_supported": ["pk/packs:list", "pk/packs:call:web.*", "pk/packs:call"],
            "bearer_methods_supported": ["header"]})
    );
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let server = Arc::new(Server { keys: Mutex::new(json!([])), asked: AtomicUsize::new(0) });
    let refused = |change: fn(&mut OAuthSettings)| {
        let mut settings = settings();
        change(&mut settings);
        OAuth::new(settings, Arc::clone(&server) as Arc<dyn Fetch>).err().expect("it is refused")
    };
    assert_eq!(refused(|s| s.audiences.clear()), OAuthError::None("audience"));
    assert!(matches!(refused(|s| s.audiences = vec!["api://packs".into()]), OAuthError::Audience(_)));
    assert!(matches!(refused(|s| s.audiences = vec!["https://a/#b".into()]), OAuthError::Audience(_)));
    assert!(matches!(refused(|s| s.jwks = Url::parse("http://10.0.0.1/keys").ok()), OAuthError::Keys(_)));
    assert_eq!(refused(|s| s.skew = Duration::from_secs(601)), OAuthError::Skew);
    assert_eq!(refused(|s| s.types.clear()), OAuthError::None("type of token"));
    assert_eq!(refused(|s| s.scopes.clear()), OAuthError::None("scope"));
}
