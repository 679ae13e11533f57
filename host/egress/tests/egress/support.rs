//! Servers, rules and resolvers for the tests.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use packhost_egress::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use url::Url;

/// Short enough for a test that waits for it, long enough for loopback.
pub(crate) const SHORT: Duration = Duration::from_millis(150);
pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// A server on loopback. What it accepts is counted by the connections it sends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: mpsc::UnboundedReceiver<String>,
}

impl Server {
    /// Serves each connection with `serve`, which gets the stream and the head of the request.
    pub(crate) async fn start<F, R>(serve: F) -> Self
    where
        F: Fn(TcpStream, String) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let head = read_head(&mut stream).await;
                seen.send(head.clone()).ok();
                tokio::spawn(serve(stream, head));
            }
        });
        Self { address, connections }
    }

    /// Answers every request with these bytes and closes.
    pub(crate) async fn answering(response: impl Into<Bytes>) -> Self {
        let response = response.into();
        Self::start(move |mut stream, _| {
            let response = response.clone();
            async move {
                stream.write_all(&response).await.ok();
            }
        })
        .await
    }

    /// Sends these bytes and then nothing, with the connection open until the client closes it.
    pub(crate) async fn stalling_after(response: &'static [u8]) -> Self {
        Self::start(move |mut stream, _| async move {
            stream.write_all(response).await.ok();
            stream.read_to_end(&mut Vec::new()).await.ok();
        })
        .await
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/", self.port())
    }

    /// The heads of the requests that arrived so far.
    pub(crate) fn heads(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.connections.try_recv().ok()).collect()
    }
}

/// The head of a request up to and with its empty line; what was there when the client went away otherwise.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Grants these hosts, whatever the method and path, and opens these networks.
pub(crate) struct Hosts(pub(crate) Vec<&'static str>, pub(crate) Vec<&'static str>);

impl Rules for Hosts {
    fn decide(&self, method: &Method, url: &Url) -> Verdict {
        let host = url.host_str().unwrap_or_default();
        if self.0.contains(&"*") || self.0.contains(&host) {
            let addresses = self.1.iter().map(|net| net.parse().unwrap()).collect();
            return Verdict::Allowed { addresses, credentials: Vec::new() };
        }
        Verdict::Denied { message: format!("{method} {host} is not granted"), fix: format!("grant {host}") }
    }

    fn tunnel(&self, origin: &Url) -> Verdict {
        self.decide(&Method::CONNECT, origin)
    }
}

/// Grants `granted.test` and everything else that is asked for by address, with loopback open.
pub(crate) fn loopback() -> CallEgress {
    call(&["*"], &["127.0.0.0/8", "::1/128"])
}

pub(crate) fn call(hosts: &[&'static str], addresses: &[&'static str]) -> CallEgress {
    CallEgress::new(Arc::new(Hosts(hosts.to_vec(), addresses.to_vec())), Allowance::default())
}

/// Answers from a list: each answer but the last of a name is given once. Remembers what it was asked.
#[derive(Default)]
pub(crate) struct Names {
    answers: Mutex<HashMap<&'static str, VecDeque<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    pub(crate) fn new(answers: &[(&'static str, &[&[&str]])]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        let answers = answers.iter().map(|(name, all)| (*name, all.iter().map(parse).collect())).collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: Mutex::default() })
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        self.asked.lock().unwrap().push(host.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.get_mut(host) {
            Some(left) if left.len() > 1 => left.pop_front(),
            Some(left) => left.front().cloned(),
            None => None,
        };
        Box::pin(async move { answer.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

/// Each request has a connection of its own: most servers here close theirs without saying so.
pub(crate) fn settings(names: &Arc<Names>) -> Settings {
    Settings { resolver: names.clone(), idle: Duration::ZERO, ..Settings::default() }
}

pub(crate) fn egress(names: &Arc<Names>) -> Egress {
    Egress::new(settings(names)).unwrap()
}

/// A way out for tests that ask for addresses only.
pub(crate) fn plain() -> Egress {
    egress(&Names::new(&[]))
}

pub(crate) type Answer = Result<Response<ResponseBody>, EgressError>;

pub(crate) async fn get(egress: &Egress, call: &CallEgress, url: &str) -> Answer {
    egress.send(Request::get(url).body(Full::<Bytes>::default()).unwrap(), call, Waits::default()).await
}

pub(crate) async fn text(response: Response<ResponseBody>) -> Result<String, EgressError> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A request body that the test feeds piece by piece.
pub(crate) struct Fed(pub(crate) mpsc::Receiver<Bytes>);

impl Body for Fed {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}
