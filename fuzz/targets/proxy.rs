//! What a program in a sandbox may send into the proxy. No bytes make a request that no rule grants: a name is looked up, an
//! address connected to and a request or a tunnel arrives only where the rules were asked about just that and allowed it, and
//! nothing gets through a tunnel but behind a ClientHello to its host. What comes back is HTTP, and what it takes is bounded.
//!
//! `{web}`, `{deep}` and `{shut}` in the input are the ports of a web server, of what stands at the end of a tunnel, and of a
//! server that no rule opens.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use packhost_core::Caller;
use packhost_egress::{
    Allowance, CallEgress, Decision, Egress, Ending, Holding, ProxyWaits, Quota, Resolve, Resolving, Rules,
    SessionCa, Settings, Verdict,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use url::{Position, Url};

use super::sni;

/// More than any input, so that all of it is on its way at once.
const HELD: usize = 1 << 20;
/// What a stream with its buffers takes, and what one byte of it may cost.
const MEMORY: (usize, usize) = (8 << 20, 64);
/// How long nothing happens where something is still to come from a server on this machine.
const QUIET: Duration = Duration::from_millis(20);
/// How often everybody gets their turn where nobody waits for a server.
const TURNS: usize = 32;
const WAIT: Duration = Duration::from_secs(2);

/// What the rules were asked, what they said to it, and what arrived.
#[derive(Default)]
struct Seen {
    requests: Vec<(Method, Url, bool)>,
    tunnels: Vec<(Url, bool)>,
    looked_up: Vec<String>,
    arrived: Vec<(Method, String)>,
    through: Vec<Vec<u8>>,
    /// A tunnel ended at the host.
    ends: bool,
}

#[derive(Default)]
struct Watch(Mutex<Seen>);

impl Watch {
    fn with<T>(&self, what: impl FnOnce(&mut Seen) -> T) -> T {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Place {
    runtime: Runtime,
    egress: Egress,
    rules: Arc<Granted>,
    authority: Arc<SessionCa>,
    shut: TcpListener,
}

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let seen = Arc::new(Watch::default());
    let (web, deep) = runtime.block_on(async { (web(seen.clone()).await, deep(seen.clone()).await) });
    let shut = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    shut.set_nonblocking(true).expect("a socket");
    let settings = Settings {
        connect: WAIT,
        first_byte: WAIT,
        between_bytes: WAIT,
        resolver: Arc::new(Names(seen.clone())),
        proxy: ProxyWaits { idle: WAIT, hello: WAIT },
        ..Settings::default()
    };
    let ports = [web, deep, shut.local_addr().expect("an address")].map(|address| address.port());
    Place {
        runtime,
        egress: Egress::new(settings).expect("a way out"),
        rules: Arc::new(Granted { ports, seen }),
        authority: Arc::new(SessionCa::new().expect("an authority")),
        shut,
    }
});

/// Every name is this machine.
struct Names(Arc<Watch>);

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        self.0.with(|seen| seen.looked_up.push(host.to_owned()));
        Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) })
    }
}

struct Granted {
    ports: [u16; 3],
    seen: Arc<Watch>,
}

fn verdict(allowed: bool, addresses: &[&str]) -> Verdict {
    let addresses = addresses.iter().map(|network| network.parse().expect("a network")).collect();
    match allowed {
        true => Verdict::Allowed { addresses, credentials: Vec::new() },
        false => Verdict::Denied { message: "No rule.".into(), fix: "None.".into() },
    }
}

impl Rules for Granted {
    fn decide(&self, method: &Method, url: &Url) -> Verdict {
        let [web, _, shut] = self.ports;
        let server = (url.scheme(), url.host_str().unwrap_or_default(), url.port());
        let (allowed, addresses) = match server {
            ("http", "web.test", Some(port)) if port == web => {
                (url.path().starts_with("/v1/"), "127.0.0.1/32")
            }
            // Granted by name, and this machine is no place on the internet.
            ("http", "far.test", Some(port)) if port == shut => (true, "192.0.2.0/24"),
            _ => (false, "127.0.0.1/32"),
        };
        self.seen.with(|seen| seen.requests.push((method.clone(), url.clone(), allowed)));
        verdict(allowed, &[addresses])
    }

    fn tunnel(&self, origin: &Url) -> Verdict {
        let allowed = origin.host_str() == Some("deep.test") && origin.port() == Some(self.ports[1]);
        self.seen.with(|seen| seen.tunnels.push((origin.clone(), allowed)));
        verdict(allowed, &["127.0.0.1/32"])
    }

    fn terminates(&self, origin: &Url) -> bool {
        let ends = origin.host_str() == Some("ends.test");
        self.seen.with(|seen| seen.ends |= ends);
        ends
    }
}

/// A web server that answers everything with nothing.
async fn web(seen: Arc<Watch>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = seen.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let seen = seen.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    seen.with(|seen| seen.arrived.push((parts.method, parts.uri.to_string())));
                    let _cut_off = body.collect().await;
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
                }
            });
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

/// What stands at the end of a tunnel: it reads.
async fn deep(seen: Arc<Watch>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = Vec::new();
            let _cut_off = stream.read_to_end(&mut read).await;
            seen.with(|seen| seen.through.push(read));
        }
    });
    address
}

pub(crate) fn fuzz(bytes: &[u8]) {
    let place = &*PLACE;
    let bytes = place.with_ports(bytes);
    place.rules.seen.with(|seen| *seen = Seen::default());
    let quota = Quota { requests_per_minute: u32::MAX, connections: 4 };
    let account = place.egress.account(&"fuzz.pack".parse().expect("a name"), &Caller::local(), quota);
    let rules = place.rules.clone();
    let call = CallEgress::of(account, rules, Allowance::default(), Holding::default(), Ending::default());
    let call = call.terminating(place.authority.clone());
    let said = crate::within_memory(MEMORY.0 + MEMORY.1 * bytes.len(), || {
        place.runtime.block_on(place.serve(&bytes, &call))
    });
    let seen = place.rules.seen.with(std::mem::take);
    place.holds(&seen, &call);
    let ends_in_a_tunnel = seen.ends || seen.tunnels.iter().any(|(_, allowed)| *allowed);
    is_http(&said, ends_in_a_tunnel, finds(&bytes, b"HEAD"));
}

fn finds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

impl Place {
    fn with_ports(&self, bytes: &[u8]) -> Vec<u8> {
        let mut all = bytes.to_vec();
        for (name, port) in [&b"{web}"[..], b"{deep}", b"{shut}"].iter().zip(self.rules.ports) {
            while let Some(at) = all.windows(name.len()).position(|window| window == *name) {
                all.splice(at..at + name.len(), port.to_string().into_bytes());
            }
        }
        all
    }

    /// Sends the bytes, and closes once nothing more is to be expected. What came back.
    async fn serve(&self, bytes: &[u8], call: &CallEgress) -> Vec<u8> {
        let (mut client, other) = tokio::io::duplex(HELD);
        let serving = async {
            // Why it ended is for the log.
            let _ended = self.egress.serve_proxy(other, call).await;
        };
        let asking = async {
            client.write_all(&bytes[..bytes.len().min(HELD)]).await.ok();
            let mut said = Vec::new();
            while self.says_more(&mut client, &mut said).await {}
            client.shutdown().await.ok();
            client.read_to_end(&mut said).await.ok();
            said
        };
        let ((), said) = tokio::join!(serving, asking);
        let tunnels = call.contacts().list.iter().filter(|contact| self.is_tunnel(contact)).count();
        let all_is_read = async {
            while self.rules.seen.with(|seen| seen.through.len()) < tunnels {
                tokio::task::yield_now().await;
            }
        };
        timeout(WAIT, all_is_read).await.expect("a tunnel that is over is closed");
        said
    }

    /// Whether something came.
    async fn says_more(&self, client: &mut DuplexStream, said: &mut Vec<u8>) -> bool {
        let mut turns = 0;
        let quiet = async {
            while turns < TURNS {
                tokio::task::yield_now().await;
                turns += 1;
            }
            if self.rules.seen.with(|seen| !seen.looked_up.is_empty()) {
                tokio::time::sleep(QUIET).await;
            }
        };
        tokio::select! {
            biased;
            read = client.read_buf(said) => read.is_ok_and(|read| read > 0),
            () = quiet => false,
        }
    }

    fn is_tunnel(&self, contact: &packhost_egress::Contact) -> bool {
        contact.port == self.rules.ports[1]
            && contact.address.is_some()
            && contact.decision != Decision::DeniedByAddress
    }

    fn holds(&self, seen: &Seen, call: &CallEgress) {
        let connected = self.shut.accept().map_err(|error| error.kind());
        assert!(matches!(connected, Err(ErrorKind::WouldBlock)), "{connected:?}: no rule opens it");
        let requests = seen.requests.iter().filter(|(.., allowed)| *allowed).map(|(_, url, _)| url);
        let tunnels = seen.tunnels.iter().filter(|(_, allowed)| *allowed).map(|(url, _)| url);
        let hosts: Vec<_> = requests.chain(tunnels).filter_map(Url::host_str).collect();
        for name in &seen.looked_up {
            assert!(hosts.contains(&name.as_str()), "{name} was looked up, and {hosts:?} are allowed");
        }
        let mut requests = seen.requests.iter();
        for (method, target) in &seen.arrived {
            let was_asked = requests.any(|(asked, url, allowed)| {
                *allowed && asked == method && url[Position::BeforePath..Position::AfterQuery] == **target
            });
            assert!(was_asked, "{method} {target} arrived, and {:?} was asked", seen.requests);
        }
        for bytes in seen.through.iter().filter(|bytes| !bytes.is_empty()) {
            let names = sni::names(bytes).unwrap_or_default();
            assert!(
                names.len() == 1 && sni::is(&names[0], "deep.test"),
                "{names:?}: {bytes:?} has gone through"
            );
        }
        let spent = call.spent();
        assert!(spent.requests >= (seen.requests.len() + seen.tunnels.len()) as u64);
    }
}

/// Answers, one behind the other, each of them whole; behind a yes to a CONNECT, anything.
fn is_http(mut said: &[u8], ends_in_a_tunnel: bool, may_lack_bodies: bool) {
    while !said.is_empty() {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut answer = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(head)) = answer.parse(said) else {
            panic!("no answer: {}", String::from_utf8_lossy(said));
        };
        let field =
            |name: &str| answer.headers.iter().find(|field| field.name == name).map(|field| field.value);
        let status = answer.code.expect("a status");
        said = &said[head..];
        // What answers a HEAD.
        if may_lack_bodies && (said.is_empty() || said.starts_with(b"HTTP/1.")) {
            continue;
        }
        let Some(length) = field("content-length") else {
            let is_yes = status == 200 && ends_in_a_tunnel;
            assert!(is_yes || status < 200 || said.is_empty(), "{status}, and then: {said:?}");
            if is_yes {
                return;
            }
            continue;
        };
        let length =
            std::str::from_utf8(length).ok().and_then(|length| length.parse().ok()).expect("a length");
        let (body, rest) = said.split_at_checked(length).expect("a whole body");
        if field("content-type") == Some(b"application/problem+json") {
            let problem: serde_json::Value = serde_json::from_slice(body).expect("a problem");
            assert_eq!(problem["status"], status);
        }
        said = rest;
    }
}
