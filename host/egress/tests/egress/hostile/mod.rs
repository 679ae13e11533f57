//! A hostile internet on loopback: names that change their mind, and servers that lie, drip, flood, echo and break off.

mod child;
mod dns;
mod echoes;
mod floods;
mod heads;
mod lengths;
mod memory;
mod nameserver;
mod namespace;
mod overlap;
mod pipelines;
mod redirects;
mod slow;
mod tls;

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use packhost_egress::*;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::support::*;

/// The body that comes back from a server that sends this and closes.
async fn against(response: impl Into<Bytes>) -> Result<String, EgressError> {
    let server = Server::answering(response).await;
    text(get(&plain(), &loopback(), &server.url("127.0.0.1")).await?).await
}

async fn send(egress: &Egress, call: &CallEgress, method: Method, url: &str) -> Answer {
    let request = Request::builder().method(method).uri(url).body(Full::<Bytes>::default()).unwrap();
    egress.send(request, call, Waits::default()).await
}

/// A server that keeps its connections open and answers one request after the other on each.
struct Lasting {
    address: SocketAddr,
    heads: mpsc::UnboundedReceiver<String>,
}

impl Lasting {
    async fn start(at: &str, answer: impl Fn(&str) -> Vec<u8> + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, heads) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, seen) = (answer.clone(), seen.clone());
                tokio::spawn(async move {
                    loop {
                        let head = read_head(&mut stream).await;
                        if !head.ends_with("\r\n\r\n") || stream.write_all(&answer(&head)).await.is_err() {
                            break;
                        }
                        seen.send(head).ok();
                    }
                });
            }
        });
        Self { address, heads }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many requests arrived since this was last asked.
    fn count(&mut self) -> usize {
        std::iter::from_fn(|| self.heads.try_recv().ok()).count()
    }
}
