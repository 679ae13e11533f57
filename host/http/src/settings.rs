//! What an operator can set about the listener, and what is refused before it listens.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use axum::http::uri::Authority;
use ipnet::IpNet;
use packhost_api::Desk;
use packhost_callers::Callers;
use tokio_util::sync::CancellationToken;

use crate::{TlsError, TlsFiles};

/// Address, callers and bounds of the listener.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen. Anything but loopback needs callers that prove who they are.
    pub listen: SocketAddr,
    /// Who may call.
    pub callers: Callers,
    /// The certificate and its key, where connections are secured here.
    pub tls: Option<TlsFiles>,
    /// Names by which clients reach the listener (`Host`), with or without a port, besides loopback and the address.
    pub allowed_hosts: Vec<String>,
    /// Web origins (RFC 6454) whose pages may call, such as `https://app.example.com` or `http://localhost:*`. Pages
    /// from this machine may where the listener is on loopback; requests without an `Origin` are not from a page.
    pub allowed_origins: Vec<String>,
    /// Where the proxies are that may say for whom a request is (`X-Forwarded-For`). From anywhere else that counts for nothing.
    pub trusted_proxies: Vec<IpNet>,
    /// The largest request body, in bytes.
    pub max_body: usize,
    /// Connections at once; more wait to be accepted.
    pub max_connections: usize,
    /// Sessions of clients of 2025-11-25 and older at once. One more ends the session that was unused for the longest.
    pub max_sessions: usize,
    /// For how long a session is safe from that; while all of them are, more clients are told to come back.
    pub session_grace: Duration,
    /// After how long without a message a session is forgotten.
    pub session_idle: Duration,
    /// How long a client may take for the head of a request, and how long it may keep an unused connection.
    pub header_timeout: Duration,
    /// How long a client may take for the body of a request.
    pub body_timeout: Duration,
    /// Cancelled when the host is about to stop: from then on `/readyz` says so, and nothing else changes.
    pub leaving: CancellationToken,
    /// What an operator looks at over the API.
    pub desk: Option<Arc<dyn Desk>>,
    /// The directory of the record, for callers who may read it.
    pub record: Option<PathBuf>,
    /// How long calls that run may still take when the listener is stopped.
    pub drain: Duration,
}

/// Why there is nothing listening.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Others can reach the address, and there is no token.
    #[error(
        "{0} can be reached by others, and no token is configured: anyone could call every pack. \
         Configure a token for each caller, or listen on 127.0.0.1"
    )]
    Exposed(SocketAddr),
    /// Whoever reaches the proxy would be the local user.
    #[error(
        "there is a proxy in front of this listener, and no token is configured: whoever reaches the proxy could call every \
         pack as the local user. Configure a token for each caller"
    )]
    Proxied,
    /// Not a host.
    #[error(
        "\"{0}\" is not a host: a name or an address, with or without a port, such as \"packs.example.com:8080\""
    )]
    Host(String),
    /// Not an origin.
    #[error(
        "\"{0}\" is not a web origin: scheme, host and port, such as \"https://app.example.com\" or \"http://localhost:*\""
    )]
    Origin(String),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Address {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

impl Settings {
    /// The defaults, at this address.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            callers: Callers::default(),
            tls: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            max_body: 4 << 20,
            max_connections: 1024,
            max_sessions: 256,
            session_grace: Duration::from_secs(60),
            session_idle: Duration::from_secs(3600),
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            leaving: CancellationToken::new(),
            desk: None,
            record: None,
            drain: Duration::from_secs(10),
        }
    }

    /// # Errors
    /// What makes these settings unsafe or meaningless.
    pub(crate) fn check(&self) -> Result<(), BindError> {
        if self.callers.are_everyone() && !self.on_loopback() {
            return Err(BindError::Exposed(self.listen));
        }
        if self.callers.are_everyone() && !self.trusted_proxies.is_empty() {
            return Err(BindError::Proxied);
        }
        if let Some(host) = self.allowed_hosts.iter().find(|host| Authority::try_from(host.as_str()).is_err())
        {
            return Err(BindError::Host(host.clone()));
        }
        self.origins().map(|_| ())
    }

    /// The hosts that requests may name.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<_> = ["localhost", "127.0.0.1", "[::1]"].map(String::from).into();
        match self.listen.ip() {
            ip if ip.is_unspecified() => {}
            std::net::IpAddr::V4(ip) => hosts.push(ip.to_string()),
            std::net::IpAddr::V6(ip) => hosts.push(format!("[{ip}]")),
        }
        hosts.extend(self.allowed_hosts.iter().cloned());
        hosts
    }

    /// The origins that requests may come from, each with its port.
    pub(crate) fn origins(&self) -> Result<Vec<String>, BindError> {
        let own = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"].map(String::from);
        let own = if self.on_loopback() { own.into() } else { Vec::new() };
        let others = self.allowed_origins.iter();
        let others = others.map(|origin| with_port(origin).ok_or_else(|| BindError::Origin(origin.clone())));
        own.into_iter().map(Ok).chain(others).collect()
    }

    fn on_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }
}

/// An origin with its port written out: rmcp takes one without for any port.
fn with_port(origin: &str) -> Option<String> {
    let bare = origin.strip_suffix(":*").unwrap_or(origin);
    let uri = bare.parse::<Uri>().ok()?;
    let authority = uri.authority()?;
    if bare != format!("{}://{authority}", uri.scheme_str()?) || authority.as_str().contains('@') {
        return None;
    }
    match (uri.scheme_str()?, authority.port_u16(), bare == origin) {
        (_, Some(_), true) | (_, None, false) => Some(origin.to_owned()),
        ("http", None, true) => Some(format!("{origin}:80")),
        ("https", None, true) => Some(format!("{origin}:443")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use packhost_callers::NamedToken;

    use super::*;

    fn at(listen: &str) -> Settings {
        Settings::new(listen.parse().expect("an address"))
    }

    #[test]
    fn others_reach_nothing_without_a_token() {
        for own in ["127.0.0.1:0", "127.8.8.8:80", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
            assert!(at(own).check().is_ok(), "{own}");
        }
        for open in ["0.0.0.0:0", "[::]:0", "10.0.0.1:80", "192.0.2.1:80", "[::ffff:10.0.0.1]:0"] {
            let mut settings = at(open);
            let refused = settings.check().expect_err(open);
            assert!(refused.to_string().contains("listen on 127.0.0.1"), "it says what to do: {refused}");
            let token = NamedToken::new("ci", "secret-of-the-pipeline").expect("a good token");
            settings.callers = Callers::named(vec![token]).expect("one name");
            assert!(settings.check().is_ok(), "{open}");
        }
    }

    #[test]
    fn nobody_is_the_local_user_through_a_proxy() {
        let mut settings = at("127.0.0.1:0");
        settings.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
        let refused = settings.check().expect_err("anyone could call");
        assert!(matches!(refused, BindError::Proxied), "{refused}");
        let token = NamedToken::new("ci", "secret-of-the-pipeline").expect("a good token");
        settings.callers = Callers::named(vec![token]).expect("one name");
        assert!(settings.check().is_ok());
    }

    #[test]
    fn an_origin_means_one_port_unless_it_says_otherwise() {
        let read = |origin: &str| with_port(origin);
        assert_eq!(read("https://a.example").as_deref(), Some("https://a.example:443"));
        assert_eq!(read("http://a.example").as_deref(), Some("http://a.example:80"));
        for same in ["https://a.example:8443", "http://localhost:*", "http://[::1]:*"] {
            assert_eq!(read(same).as_deref(), Some(same));
        }
        for bad in [
            "",
            "a.example",
            "https://",
            "https://a/b",
            "https://a/",
            "ftp://a",
            "*",
            "http://a:1:*",
            "http://u@a",
        ] {
            assert_eq!(read(bad), None, "{bad:?} was taken for an origin");
        }
    }

    #[test]
    fn a_page_of_this_machine_is_trusted_on_loopback_only() {
        assert_eq!(at("127.0.0.1:0").origins().expect("origins").len(), 3);
        assert!(at("10.0.0.1:0").origins().expect("origins").is_empty());
    }
}
