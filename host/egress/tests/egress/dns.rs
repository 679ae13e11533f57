//! A name server over TLS or HTTPS.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{CNAME, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use packhost_egress::*;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, rustls::server::Acceptor};

use super::tls::Authority;

/// What the certificates of these servers are for.
pub(crate) const NAME: &str = "dns.test";

/// What the server does with a query.
pub(crate) enum Reply {
    Message(Message),
    /// Says this and closes the connection.
    Last(Message),
    Nothing,
    Close,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Tls,
    Https,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Tls, Kind::Https];

type Answer = dyn Fn(&Message) -> Reply + Send + Sync;

/// A name server, and what it has seen.
pub(crate) struct NameService {
    kind: Kind,
    port: u16,
    seen: Arc<Seen>,
    /// On the port of the server: nobody writes to it.
    udp: UdpSocket,
}

#[derive(Default)]
struct Seen {
    queries: Mutex<Vec<String>>,
    names: Mutex<Vec<Option<String>>>,
    connections: AtomicUsize,
    in_the_clear: AtomicUsize,
}

impl NameService {
    /// A server for [`NAME`] that answers so.
    pub(crate) async fn start(
        kind: Kind,
        authority: &Authority,
        answer: impl Fn(&Message) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with(kind, authority.server(&[NAME], &[], |_| ()), answer).await
    }

    pub(crate) async fn with(
        kind: Kind,
        mut config: ServerConfig,
        answer: impl Fn(&Message) -> Reply + Send + Sync + 'static,
    ) -> Self {
        if kind == Kind::Https {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        let (config, answer) = (Arc::new(config), Arc::new(answer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let udp = UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
        let seen = Arc::new(Seen::default());
        let noting = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(kind, stream, config.clone(), answer.clone(), noting.clone()));
            }
        });
        Self { kind, port, seen, udp }
    }

    pub(crate) fn described(&self) -> NameServer {
        let Self { kind, port, .. } = self;
        let text = match kind {
            Kind::Tls => format!("tls://127.0.0.1:{port}#{NAME}"),
            Kind::Https => format!("https://127.0.0.1:{port}/resolve#{NAME}"),
        };
        text.parse().unwrap()
    }

    /// What was asked, such as `A granted.test.`, in order of type.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = self.seen.queries.lock().unwrap().clone();
        asked.sort();
        asked
    }

    /// The names that clients asked for in their handshakes.
    pub(crate) fn names(&self) -> Vec<Option<String>> {
        self.seen.names.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }

    /// Whether anything came that was not TLS.
    pub(crate) fn was_asked_in_the_clear(&self) -> bool {
        self.seen.in_the_clear.load(Ordering::Relaxed) > 0 || self.udp.try_recv(&mut [0; 512]).is_ok()
    }
}

async fn connection(
    kind: Kind,
    stream: TcpStream,
    config: Arc<ServerConfig>,
    answer: Arc<Answer>,
    seen: Arc<Seen>,
) {
    seen.connections.fetch_add(1, Ordering::Relaxed);
    stream.set_nodelay(true).unwrap();
    // The content type of a handshake record, RFC 8446 section 5.1.
    let mut first = [0];
    if stream.peek(&mut first).await.is_ok_and(|read| read == 1) && first != [22] {
        seen.in_the_clear.fetch_add(1, Ordering::Relaxed);
    }
    let Ok(start) = LazyConfigAcceptor::new(Acceptor::default(), stream).await else { return };
    seen.names.lock().unwrap().push(start.client_hello().server_name().map(str::to_owned));
    let Ok(stream) = start.into_stream(config).await else { return };
    match kind {
        Kind::Tls => over_tls(stream, &*answer, &seen).await,
        Kind::Https => over_https(stream, answer, seen).await,
    }
}

/// RFC 7858, with the framing of RFC 1035 section 4.2.2.
async fn over_tls(mut stream: TlsStream<TcpStream>, answer: &Answer, seen: &Seen) {
    while let Ok(length) = stream.read_u16().await {
        let mut query = vec![0; usize::from(length)];
        if stream.read_exact(&mut query).await.is_err() {
            return;
        }
        let (reply, last) = match answer(&seen.note(&query)) {
            Reply::Message(reply) => (reply, false),
            Reply::Last(reply) => (reply, true),
            Reply::Nothing => continue,
            Reply::Close => return,
        };
        let reply = reply.to_vec().unwrap();
        let length = u16::try_from(reply.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length, reply.as_slice()].concat()).await.ok();
        stream.flush().await.ok();
        if last {
            stream.shutdown().await.ok();
            return;
        }
    }
}

/// RFC 8484 section 4.1.
async fn over_https(stream: TlsStream<TcpStream>, answer: Arc<Answer>, seen: Arc<Seen>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let (close, mut closed) = tokio::sync::mpsc::unbounded_channel();
    loop {
        let (request, mut respond) = tokio::select! {
            request = connection.accept() => match request {
                Some(Ok(request)) => request,
                _ => return,
            },
            _ = closed.recv() => return,
        };
        let (answer, seen, close) = (answer.clone(), seen.clone(), close.clone());
        tokio::spawn(async move {
            assert_eq!((request.method(), request.uri().path()), (&http::Method::POST, "/resolve"));
            assert_eq!(request.headers()["content-type"], "application/dns-message");
            let (mut body, mut query) = (request.into_body(), Vec::new());
            while let Some(piece) = body.data().await {
                query.extend_from_slice(&piece.unwrap());
            }
            let reply = match answer(&seen.note(&query)) {
                Reply::Message(reply) | Reply::Last(reply) => reply,
                Reply::Nothing => std::future::pending().await,
                Reply::Close => return close.send(()).unwrap_or_default(),
            };
            let head = http::Response::builder().header("content-type", "application/dns-message");
            let mut stream = respond.send_response(head.body(()).unwrap(), false).unwrap();
            stream.send_data(Bytes::from(reply.to_vec().unwrap()), true).ok();
        });
    }
}

impl Seen {
    fn note(&self, query: &[u8]) -> Message {
        let query = Message::from_vec(query).unwrap();
        let asked = &query.queries[0];
        self.queries.lock().unwrap().push(format!("{} {}", asked.query_type(), asked.name()));
        query
    }
}

/// An answer to `query` without records.
pub(crate) fn reply(query: &Message, code: ResponseCode) -> Message {
    let mut reply = Message::error_msg(query.metadata.id, query.metadata.op_code, code);
    reply.queries = query.queries.clone();
    reply
}

/// An answer with those of these addresses that are of the family asked for.
pub(crate) fn addresses(query: &Message, ttl: u32, addresses: &[&str]) -> Message {
    let mut reply = reply(query, ResponseCode::NoError);
    let asked = &query.queries[0];
    for address in addresses {
        add(&mut reply, asked.name(), ttl, address, asked.query_type());
    }
    reply
}

/// Adds the address to the answers where it is of this family.
pub(crate) fn add(reply: &mut Message, name: &Name, ttl: u32, address: &str, family: RecordType) {
    let data = match address.parse().unwrap() {
        IpAddr::V4(address) => RData::A(address.into()),
        IpAddr::V6(address) => RData::AAAA(address.into()),
    };
    if data.record_type() == family {
        reply.answers.push(Record::from_rdata(name.clone(), ttl, data));
    }
}

pub(crate) fn alias(reply: &mut Message, name: &str, to: &str) {
    let data = RData::CNAME(CNAME(to.parse().unwrap()));
    reply.answers.push(Record::from_rdata(name.parse().unwrap(), 60, data));
}

/// Says for how long there is no such name, RFC 2308 section 3.
pub(crate) fn no_such_name(query: &Message, ttl: u32) -> Message {
    let mut reply = reply(query, ResponseCode::NXDomain);
    let zone: Name = "test.".parse().unwrap();
    let soa = SOA::new(zone.clone(), zone.clone(), 1, 1, 1, 1, ttl);
    reply.authorities.push(Record::from_rdata(zone, ttl, RData::SOA(soa)));
    reply
}

/// Long enough for any answer on loopback.
pub(crate) const PATIENT: Duration = Duration::from_secs(20);

pub(crate) fn resolver(servers: &[&NameService], authority: &Authority) -> EncryptedResolver {
    hurried(servers, authority, PATIENT)
}

pub(crate) fn hurried(
    servers: &[&NameService],
    authority: &Authority,
    patience: Duration,
) -> EncryptedResolver {
    let servers = servers.iter().map(|server| server.described()).collect();
    made(servers, &[authority.root()], patience)
}

pub(crate) fn made(
    servers: Vec<NameServer>,
    roots: &[CertificateDer<'static>],
    patience: Duration,
) -> EncryptedResolver {
    EncryptedResolver::new(servers, roots, patience).unwrap()
}

pub(crate) async fn found(resolver: &EncryptedResolver, name: &str) -> std::io::Result<Vec<String>> {
    Ok(resolver.resolve(name).await?.iter().map(IpAddr::to_string).collect())
}

/// The kind of error, and its text.
pub(crate) async fn unfound(resolver: &EncryptedResolver, name: &str) -> (std::io::ErrorKind, String) {
    let error = found(resolver, name).await.unwrap_err();
    (error.kind(), error.to_string())
}
