//! Names resolved over TLS or HTTPS by the operator's name servers, and by nobody else.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hickory_resolver::Resolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RecordType};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::line::{Line, UNREACHABLE};
use super::name_server::NameServer;
use super::{LOOKUPS, Resolve, Resolving};
use crate::error::SetupError;
use crate::tls;

/// More name servers than this are more than a request waits for.
const SERVERS: usize = 8;

/// How many answers of each server are remembered: one for each name and address family.
const REMEMBERED: u64 = 512;

/// An answer, also that there is none, is remembered as long as it says and no longer than this.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// A resolver that asks name servers over TLS (RFC 7858) or HTTPS (RFC 8484) only: there is no way back to queries in the
/// clear, whatever fails. Names are absolute, without search domains, and `/etc/hosts` is not read: it could send a name
/// elsewhere without the name servers' knowing. `localhost`, `.onion` and `.invalid` are answered here (RFC 6761, RFC 7686).
///
/// The servers are asked in order until one answers, which it also does by saying that the name has no address. One that
/// cannot be reached, or has not answered for some time, gives its place to the next. A name's IPv4 and IPv6 addresses take turns in
/// the result, so that both are among the first. Cheap to clone.
#[derive(Clone)]
pub struct EncryptedResolver {
    shared: Arc<Shared>,
}

struct Shared {
    servers: Vec<Server>,
    /// Which of them is asked first.
    first: AtomicUsize,
    slots: Semaphore,
}

struct Server {
    described: NameServer,
    line: Line,
    resolver: Resolver<Line>,
    patience: Duration,
    failing: AtomicBool,
}

impl EncryptedResolver {
    /// How long one server may take for a name, its connection included. Two servers fit into the time that a request has
    /// for [its connection](crate::Settings::connect).
    pub const PATIENCE: Duration = Duration::from_secs(4);

    /// Asks these 1 to 8 servers, each for at most `patience`, half of it for its connection and half for an answer. Their
    /// certificates are held against the platform's roots and `extra_roots`. Uses no network; resolving needs a tokio runtime
    /// with I/O and time.
    ///
    /// # Errors
    ///
    /// No server or too many, and an extra root that is not a certificate.
    pub fn new(
        servers: Vec<NameServer>,
        extra_roots: &[CertificateDer<'static>],
        patience: Duration,
    ) -> Result<Self, SetupError> {
        if servers.is_empty() || servers.len() > SERVERS {
            return Err(SetupError::NameServers { given: servers.len(), most: SERVERS });
        }
        let tls = Arc::new(tls::client(extra_roots)?);
        let servers = servers.into_iter().map(|server| Server::new(server, &tls, patience));
        let servers = servers.collect::<Result<_, _>>()?;
        let (first, slots) = (AtomicUsize::new(0), Semaphore::new(LOOKUPS));
        Ok(Self { shared: Arc::new(Shared { servers, first, slots }) })
    }
}

impl Resolve for EncryptedResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let _slot = self.shared.slots.acquire().await.map_err(io::Error::other)?;
            let name = absolute(host)?;
            self.shared.addresses(&name).await.map_err(|error| in_our_words(&error))
        })
    }
}

impl std::fmt::Debug for EncryptedResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let servers = self.shared.servers.iter().map(|server| server.described.to_string());
        f.debug_list().entries(servers).finish()
    }
}

impl Shared {
    /// Asks the servers in turn.
    async fn addresses(&self, name: &Name) -> Result<Vec<IpAddr>, NetError> {
        let (first, count) = (self.first.load(Ordering::Relaxed), self.servers.len());
        let mut last = NetError::NoConnections;
        for at in (first..first + count).map(|at| at % count) {
            match self.servers[at].addresses(name).await {
                Ok(addresses) => return Ok(addresses),
                Err(error) if is_none(&error) => return Err(error),
                Err(error) => last = error,
            }
            if self.servers[at].line.is_dead() {
                let (next, relaxed) = ((at + 1) % count, Ordering::Relaxed);
                self.first.compare_exchange(at, next, relaxed, relaxed).ok();
            }
        }
        Err(last)
    }
}

impl Server {
    fn new(described: NameServer, tls: &Arc<ClientConfig>, patience: Duration) -> Result<Self, SetupError> {
        let step = patience / 2;
        // A query for each family.
        let line = Line::new(described.clone(), tls.clone(), step, LOOKUPS * 2);
        // The line knows the way. For hickory this is some server behind one connection.
        let config = NameServerConfig::tls(described.address().ip(), described.to_string().into());
        let config = ResolverConfig::from_name_servers(vec![config]);
        let resolver = Resolver::builder_with_config(config, line.clone())
            .with_tls_config(ClientConfig::clone(tls))
            .with_options(options(step))
            .build()
            .map_err(|error| SetupError::Resolver(error.to_string()))?;
        Ok(Self { described, line, resolver, patience, failing: AtomicBool::new(false) })
    }

    /// Both families at once. Where one of them fails, the other's addresses are the answer; that there is none, both have
    /// to say.
    async fn addresses(&self, name: &Name) -> Result<Vec<IpAddr>, NetError> {
        let families =
            async { tokio::join!(self.family(name, RecordType::A), self.family(name, RecordType::AAAA)) };
        let (v4, v6) = match timeout(self.patience, families).await {
            Ok(families) => families,
            Err(_) => (Err(NetError::Timeout), Err(NetError::Timeout)),
        };
        let answer = match (v4, v6) {
            (Ok(v4), Ok(v6)) => Ok(by_turns(v4, v6)),
            (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(one),
            (Err(none), Err(error)) if is_none(&none) => Err(error),
            (Err(error), Err(_)) => Err(error),
        };
        self.note(&answer);
        answer
    }

    async fn family(&self, name: &Name, family: RecordType) -> Result<Vec<IpAddr>, NetError> {
        let found = self.resolver.lookup(name.clone(), family).await?;
        Ok(found.answers().iter().filter_map(|record| record.data.ip_addr()).collect())
    }

    /// Tells the operator when the server stops working, and when it works again; the requests in between fail more quietly.
    fn note(&self, answer: &Result<Vec<IpAddr>, NetError>) {
        let dead = self.line.is_dead();
        if self.failing.swap(dead, Ordering::Relaxed) == dead {
            return;
        }
        match answer {
            Err(error) if dead => {
                let why = in_our_words(error);
                tracing::warn!(target: "packhost", "the name server {} is no use: {why}", self.described);
            }
            _ => tracing::warn!(target: "packhost", "the name server {} answers again", self.described),
        }
    }
}

fn options(step: Duration) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = step;
    // The line tries again where that helps.
    options.attempts = 0;
    options.num_concurrent_reqs = 1;
    options.max_active_requests = LOOKUPS * 2;
    options.use_hosts_file = ResolveHosts::Never;
    options.preserve_intermediates = false;
    options.cache_size = REMEMBERED;
    options.positive_max_ttl = Some(LONGEST);
    options.negative_max_ttl = Some(LONGEST);
    options
}

/// The name as it is: no domain is appended, with or without a dot at its end.
fn absolute(host: &str) -> io::Result<Name> {
    let mut name = Name::from_ascii(host)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the name cannot be asked for"))?;
    name.set_fqdn(true);
    Ok(name)
}

fn by_turns(one: Vec<IpAddr>, other: Vec<IpAddr>) -> Vec<IpAddr> {
    let longer = one.len().max(other.len());
    let turn = |at| [one.get(at), other.get(at)].into_iter().flatten();
    (0..longer).flat_map(turn).copied().collect()
}

/// Whether a server says that there is nothing to find.
fn is_none(error: &NetError) -> bool {
    matches!(error, NetError::Dns(DnsError::NoRecordsFound(_)))
}

/// Without a word that a server has sent.
fn in_our_words(error: &NetError) -> io::Error {
    let (kind, why) = match error {
        error if is_none(error) => (io::ErrorKind::NotFound, "the name has no address"),
        NetError::Dns(_) => (io::ErrorKind::Other, "the name server could not find the name's addresses"),
        NetError::Timeout => (io::ErrorKind::TimedOut, "the name server did not answer in time"),
        NetError::Message(why @ UNREACHABLE) => (io::ErrorKind::NotConnected, *why),
        NetError::Message(why) => (io::ErrorKind::InvalidData, *why),
        _ => (io::ErrorKind::InvalidData, "the name server's answer cannot be used"),
    };
    io::Error::new(kind, why)
}
