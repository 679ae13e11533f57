//! The names by which requests may reach this host and the pages that they may come from, against DNS rebinding and pages of
//! others: on loopback without tokens, whoever reaches the door is the local user. `/mcp` has the same rules from rmcp.

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri};

use crate::{BindError, Settings};

/// Which names and pages are known.
pub(crate) struct Names {
    hosts: Vec<Place>,
    origins: Vec<(String, Place)>,
}

/// A host, in lower case, and a port where only one is meant.
struct Place {
    host: String,
    port: Option<u16>,
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stranger {
    #[error("the request does not say which host it is for")]
    NoHost,
    #[error("this host is not known by that name; packhost serve --allow-host makes it known")]
    Host,
    #[error("pages of that origin may not call; packhost serve --allow-origin lets them")]
    Origin,
}

impl Place {
    fn of(authority: &Authority) -> Self {
        Self { host: authority.host().to_ascii_lowercase(), port: authority.port_u16() }
    }

    fn is(&self, asked: &Self, default: Option<u16>) -> bool {
        self.host == asked.host && self.port.is_none_or(|port| asked.port.or(default) == Some(port))
    }
}

impl Names {
    /// # Errors
    /// Where an origin in the settings is none.
    pub(crate) fn of(settings: &Settings) -> Result<Self, BindError> {
        let hosts = settings.hosts();
        let known = |host: &String| authority(host).as_ref().map(Place::of);
        let mut origins = Vec::new();
        for origin in settings.origins()? {
            let bare = origin.strip_suffix(":*").unwrap_or(&origin);
            origins.push(parse(bare).ok_or_else(|| BindError::Origin(origin.clone()))?);
        }
        Ok(Self { hosts: hosts.iter().filter_map(known).collect(), origins })
    }

    /// # Errors
    /// Where the request is for another host, or from a page that may not call.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Stranger> {
        let mut named = headers.get_all(HOST).iter();
        let host = match (named.next(), named.next()) {
            (Some(host), None) => host.to_str().ok().and_then(authority),
            // HTTP/2 has it in a place of its own (RFC 9113 section 8.3.1).
            (None, _) => uri.authority().cloned(),
            (Some(_), Some(_)) => None,
        };
        let host = Place::of(&host.ok_or(Stranger::NoHost)?);
        if !self.hosts.iter().any(|known| known.is(&host, None)) {
            return Err(Stranger::Host);
        }
        // Every one of them: a second header must not hide behind the first.
        let known = |origin: &HeaderValue| origin.to_str().is_ok_and(|origin| self.knows(origin));
        if headers.get_all(ORIGIN).iter().all(known) { Ok(()) } else { Err(Stranger::Origin) }
    }

    fn knows(&self, origin: &str) -> bool {
        let Some((scheme, asked)) = parse(origin) else { return false };
        let default = match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        self.origins.iter().any(|(known, place)| *known == scheme && place.is(&asked, default))
    }
}

/// A host with or without a port, and nothing else.
fn authority(text: &str) -> Option<Authority> {
    Authority::try_from(text).ok().filter(|authority| !authority.host().is_empty() && !text.contains('@'))
}

/// Scheme, host and port of an origin (RFC 6454 section 6.2).
fn parse(origin: &str) -> Option<(String, Place)> {
    let (scheme, rest) = origin.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    authority(rest).map(|authority| (scheme, Place::of(&authority)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)]) -> Result<(), Stranger> {
        let mut settings = Settings::new("127.0.0.1:0".parse().expect("an address"));
        settings.allowed_hosts = vec!["packs.example:8443".into()];
        settings.allowed_origins = vec!["https://app.example".into()];
        let headers = headers.iter().map(|(name, value)| {
            (axum::http::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        Names::of(&settings).expect("good settings").check(
            &Uri::from_static("/"),
            &headers.fold(HeaderMap::new(), |mut all, (n, v)| {
                all.append(n, v);
                all
            }),
        )
    }

    #[test]
    fn a_host_is_one_that_is_known() {
        for (host, known) in [
            ("localhost:1234", Ok(())),
            ("LOCALHOST", Ok(())),
            ("[::1]:80", Ok(())),
            ("127.0.0.1", Ok(())),
            ("packs.example:8443", Ok(())),
            ("packs.example", Err(Stranger::Host)),
            ("packs.example:8444", Err(Stranger::Host)),
            ("evil.example", Err(Stranger::Host)),
            ("localhost.evil.example", Err(Stranger::Host)),
            ("localhost.", Err(Stranger::Host)),
            ("evil@localhost", Err(Stranger::NoHost)),
            ("", Err(Stranger::NoHost)),
            ("localhost/evil", Err(Stranger::NoHost)),
        ] {
            assert_eq!(check(&[("host", host)]), known, "{host}");
        }
        assert_eq!(check(&[]), Err(Stranger::NoHost));
        assert_eq!(check(&[("host", "localhost"), ("host", "localhost")]), Err(Stranger::NoHost));
    }

    #[test]
    fn a_page_is_of_an_origin_that_may_call() {
        for (origin, may) in [
            ("http://localhost:6274", true),
            ("http://[::1]", true),
            ("https://app.example", true),
            ("https://app.example:443", true),
            ("https://app.example:444", false),
            ("http://app.example", false),
            ("https://localhost:6274", false),
            ("http://localhost.evil.example", false),
            ("http://evil@localhost", false),
            ("null", false),
            ("", false),
            ("http://localhost/x", false),
        ] {
            let checked = check(&[("host", "localhost"), ("origin", origin)]);
            assert_eq!(checked, if may { Ok(()) } else { Err(Stranger::Origin) }, "{origin}");
        }
        let two = check(&[
            ("host", "localhost"),
            ("origin", "http://localhost"),
            ("origin", "http://evil.example"),
        ]);
        assert_eq!(two, Err(Stranger::Origin));
    }
}
