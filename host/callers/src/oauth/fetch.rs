//! The documents of an authorization server: where its keys are (RFC 8414, OpenID Connect Discovery 1.0), and the keys.

use async_trait::async_trait;
use serde_json::Value;
use url::{Host, Url};

use super::key::Key;

/// The largest document that is read, in bytes.
pub(crate) const MAX_DOCUMENT: usize = 256 << 10;
/// The most keys in one set.
pub(crate) const MAX_KEYS: usize = 64;

/// Whoever sends the host's own requests.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// `GET`s this URL, follows no redirect, and reads at most `most` bytes of the body; a larger one is an error.
    async fn get(&self, url: &Url, most: usize) -> Result<Fetched, FetchError>;
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The status code.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why there are no keys, in a few words for the operator's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// An authorization server: its name, which is a URL (RFC 8414 section 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: Url,
}

impl Issuer {
    /// Reads a name, as tokens have it to the letter. With `loopback`, one on this machine may be without TLS.
    ///
    /// # Errors
    /// Why it is not the name of an issuer, in a few words.
    pub fn parse(text: &str, loopback: bool) -> Result<Self, String> {
        let url = origin_of_keys(text, loopback)?;
        if url.query().is_some() {
            return Err(format!("\"{text}\" is not an issuer: it has a query"));
        }
        if text.len() > packhost_core::Caller::MAX_PART {
            return Err(format!("\"{text}\" is longer than {} bytes", packhost_core::Caller::MAX_PART));
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name as a URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where its metadata may be, in the order in which MCP looks (specification 2025-11-25, "Authorization Server Metadata
    /// Discovery").
    fn metadata(&self) -> Vec<Url> {
        let path = self.url.path().trim_end_matches('/');
        let mut places = vec![
            format!("/.well-known/oauth-authorization-server{path}"),
            format!("/.well-known/openid-configuration{path}"),
        ];
        if !path.is_empty() {
            places.push(format!("{path}/.well-known/openid-configuration"));
        }
        let at = |path: String| {
            let mut url = self.url.clone();
            url.set_path(&path);
            url
        };
        places.into_iter().map(at).collect()
    }
}

/// A URL that keys may come from: with TLS, or on this machine where that is allowed.
pub(crate) fn origin_of_keys(text: &str, loopback: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|why| format!("\"{text}\" is not a URL: {why}"))?;
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    let named = !url.username().is_empty() || url.password().is_some() || url.fragment().is_some();
    match url.scheme() {
        _ if named => Err(format!("\"{text}\" has a user name or a fragment")),
        "https" => Ok(url),
        "http" if loopback && local => Ok(url),
        _ => Err(format!("\"{text}\" is not an https URL: whoever is on the way could exchange the keys")),
    }
}

/// The keys of an issuer: those at `jwks`, or where its metadata says.
pub(crate) async fn keys(
    fetch: &dyn Fetch,
    issuer: &Issuer,
    jwks: Option<&Url>,
) -> Result<Vec<Key>, FetchError> {
    let url = match jwks {
        Some(url) => url.clone(),
        None => discover(fetch, issuer).await?,
    };
    let answer = fetch.get(&url, MAX_DOCUMENT).await?;
    if answer.status != 200 {
        return Err(FetchError(format!("{url} answers with status {}", answer.status)));
    }
    key_set(&answer.body).map_err(|why| FetchError(format!("{url}: {why}")))
}

async fn discover(fetch: &dyn Fetch, issuer: &Issuer) -> Result<Url, FetchError> {
    for place in issuer.metadata() {
        let answer = fetch.get(&place, MAX_DOCUMENT).await?;
        if answer.status == 200 {
            return where_keys_are(&answer.body, issuer).map_err(|why| FetchError(format!("{place}: {why}")));
        }
    }
    Err(FetchError(format!("{} publishes no metadata; say where its keys are", issuer.as_str())))
}

/// The place of the keys, if this is the metadata of that issuer and they are at its origin: a document that names another
/// place would make this host send requests there.
fn where_keys_are(document: &[u8], issuer: &Issuer) -> Result<Url, String> {
    let document: Value =
        serde_json::from_slice(document).map_err(|error| format!("it is not JSON: {error}"))?;
    if document["issuer"] != issuer.as_str() {
        return Err(format!("it is the metadata of another issuer than {}", issuer.as_str()));
    }
    let keys = document["jwks_uri"].as_str().ok_or("it does not say where the keys are")?;
    let url = Url::parse(keys).map_err(|why| format!("jwks_uri: {why}"))?;
    if url.origin() != issuer.url.origin() {
        return Err("the keys are at another origin than the issuer; if that is right, name it".to_owned());
    }
    Ok(url)
}

/// The keys of a set (RFC 7517 section 5) that check signatures. The others are passed over, as it asks.
fn key_set(document: &[u8]) -> Result<Vec<Key>, String> {
    let document: Value =
        serde_json::from_slice(document).map_err(|error| format!("it is not JSON: {error}"))?;
    let keys = document["keys"].as_array().ok_or("it is no set of keys")?;
    if keys.len() > MAX_KEYS {
        return Err(format!("it has {} keys, more than {MAX_KEYS}", keys.len()));
    }
    let keys: Vec<Key> = keys.iter().filter_map(Key::of).collect();
    if keys.is_empty() { Err("it has no key that checks a signature".to_owned()) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn issuer(text: &str) -> Issuer {
        Issuer::parse(text, false).expect("an issuer")
    }

    #[test]
    fn an_issuer_is_an_https_url() {
        for good in ["https://a.example", "https://a.example/realms/x", "https://a.example:8443/"] {
            assert_eq!(issuer(good).as_str(), good);
        }
        for bad in [
            "",
            "a.example",
            "http://a.example",
            "http://127.0.0.1:80",
            "https://u@a.example",
            "https://a.example/?x",
            "https://a.example/#x",
            "ftp://a.example",
            "file:///etc/keys",
            &format!("https://a.example/{}", "x".repeat(255)),
        ] {
            assert!(Issuer::parse(bad, false).is_err(), "{bad}");
        }
        for own in ["http://127.0.0.1:80", "http://[::1]:80", "http://localhost:80"] {
            assert!(Issuer::parse(own, true).is_ok(), "{own}");
        }
        for other in ["http://10.0.0.1", "http://localhost.evil.example", "http://a.example"] {
            assert!(Issuer::parse(other, true).is_err(), "{other}");
        }
    }

    #[test]
    fn metadata_is_looked_for_where_the_standards_have_it() {
        let places = |text: &str| issuer(text).metadata().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            places("https://a.example"),
            [
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            places("https://a.example/realms/x"),
            [
                "https://a.example/.well-known/oauth-authorization-server/realms/x",
                "https://a.example/.well-known/openid-configuration/realms/x",
                "https://a.example/realms/x/.well-known/openid-configuration"
            ]
        );
    }

    #[test]
    fn metadata_leads_to_keys_at_the_issuers_origin_and_nowhere_else() {
        let own = issuer("https://a.example/x");
        let read = |document: Value| where_keys_are(document.to_string().as_bytes(), &own);
        let good = json!({"issuer": "https://a.example/x", "jwks_uri": "https://a.example/keys"});
        assert_eq!(read(good.clone()).expect("a place").as_str(), "https://a.example/keys");
        for (name, value) in [
            ("issuer", json!("https://a.example/y")),
            ("issuer", json!("https://a.example/x/")),
            ("issuer", Value::Null),
            ("jwks_uri", json!("https://b.example/keys")),
            ("jwks_uri", json!("https://a.example:8443/keys")),
            ("jwks_uri", json!("http://a.example/keys")),
            ("jwks_uri", json!("http://169.254.169.254/latest")),
            ("jwks_uri", json!("file:///etc/passwd")),
            ("jwks_uri", json!(1)),
        ] {
            let mut wrong = good.clone();
            wrong[name] = value.clone();
            assert!(read(wrong).is_err(), "{name}: {value}");
        }
        assert!(where_keys_are(b"<html>", &own).is_err());
    }

    #[test]
    fn a_set_of_keys_is_bounded_and_what_is_no_key_of_ours_is_passed_over() {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let set = |keys: Vec<Value>| key_set(json!({ "keys": keys }).to_string().as_bytes());
        let count = |keys: Vec<Value>| set(keys).map(|keys| keys.len()).map_err(|_| ());
        assert_eq!(count(vec![key.clone(), json!({"kty": "oct", "k": "AAAA"}), json!(1)]), Ok(1));
        assert_eq!(count(vec![key.clone(); MAX_KEYS]), Ok(MAX_KEYS));
        assert_eq!(count(vec![key; MAX_KEYS + 1]), Err(()));
        assert_eq!(count(vec![json!({"kty": "oct", "k": "AAAA"})]), Err(()));
        for wrong in ["", "{}", "[]", "{\"keys\": {}}"] {
            assert!(key_set(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
