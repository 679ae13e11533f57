//! The connection to one name server: made when it is needed, shared by all that ask, made anew once it is gone, and
//! always TLS.

use std::future::{Ready, ready};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::Stream;
use futures::stream::once;
use hickory_resolver::config::ConnectionConfig;
use hickory_resolver::net::NetError;
use hickory_resolver::net::h2::HttpsClientStream;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::tls::tls_client_connect;
use hickory_resolver::net::xfer::{DnsExchange, DnsHandle, DnsMultiplexer, DnsRequestSender, FirstAnswer};
use hickory_resolver::proto::op::{DnsRequest, DnsResponse};
use hickory_resolver::{ConnectionProvider, PoolContext};
use rustls::ClientConfig;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::name_server::{NameServer, Way};
use crate::tls;

/// More records than this are no answer for a name's addresses. A message of 64 KiB can hold thousands, and those of the
/// cache stay in memory.
const RECORDS: usize = 256;

/// So many queries in a row without an answer are the server's fault; fewer may be that of the names, whose own servers can be
/// slow. A lookup makes two to four.
const UNANSWERED: u32 = 8;

/// What a [`NetError::Message`] says where there is no connection.
pub(super) const UNREACHABLE: &str = "there is no connection to the name server";

/// The way to one name server. Hickory makes a connection for each query that finds none; this is all of them.
#[derive(Clone)]
pub(super) struct Line {
    shared: Arc<Shared>,
}

struct Shared {
    server: NameServer,
    tls: Arc<ClientConfig>,
    /// For the connection with its handshakes, and for each answer.
    step: Duration,
    queries: usize,
    /// In a row, up to now.
    unanswered: AtomicU32,
    open: Mutex<Open>,
    runtime: TokioRuntimeProvider,
}

type Exchange = DnsExchange<TokioRuntimeProvider>;

#[derive(Default)]
struct Open {
    exchange: Option<Exchange>,
    /// How many were made so far.
    made: u64,
}

impl Line {
    /// To `server`, with no more than `queries` at once.
    pub(super) fn new(server: NameServer, tls: Arc<ClientConfig>, step: Duration, queries: usize) -> Self {
        let (open, runtime) = (Mutex::default(), TokioRuntimeProvider::new());
        let unanswered = AtomicU32::new(0);
        Self { shared: Arc::new(Shared { server, tls, step, queries, unanswered, open, runtime }) }
    }

    /// Whether the server cannot be reached, or has not answered for some time.
    pub(super) fn is_dead(&self) -> bool {
        self.shared.unanswered.load(Ordering::Relaxed) >= UNANSWERED
    }

    /// Asks once, and once more over a new connection where the one that was there has failed: servers close those that
    /// were idle, and routers forget them.
    async fn ask(&self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let answer = self.try_twice(&request).await;
        answer.map_err(in_our_words).and_then(|answer| checked(answer, &request))
    }

    async fn try_twice(&self, request: &DnsRequest) -> Result<DnsResponse, NetError> {
        let (exchange, made, reused) = self.exchange().await?;
        match self.answer(&exchange, request).await {
            Err(_) if reused => {
                self.close(made).await;
                let (exchange, made, _) = self.exchange().await?;
                let answer = self.answer(&exchange, request).await;
                if answer.is_err() {
                    self.close(made).await;
                }
                answer
            }
            Err(error) => {
                self.close(made).await;
                Err(error)
            }
            answer => answer,
        }
    }

    async fn answer(&self, exchange: &Exchange, request: &DnsRequest) -> Result<DnsResponse, NetError> {
        let answer = exchange.send(request.clone()).first_answer();
        let answer = timeout(self.shared.step, answer).await.unwrap_or(Err(NetError::Timeout));
        match answer {
            Ok(_) => self.shared.unanswered.store(0, Ordering::Relaxed),
            // It takes years to wrap around.
            Err(_) => _ = self.shared.unanswered.fetch_add(1, Ordering::Relaxed),
        }
        answer
    }

    /// The connection, its number, and whether it was there before. Who comes while it is being made waits for it.
    async fn exchange(&self) -> Result<(Exchange, u64, bool), NetError> {
        let mut open = self.shared.open.lock().await;
        if let Some(exchange) = &open.exchange {
            return Ok((exchange.clone(), open.made, true));
        }
        let connecting = timeout(self.shared.step, self.shared.connect());
        let exchange = connecting.await.unwrap_or(Err(NetError::Timeout)).inspect_err(|_| {
            self.shared.unanswered.store(UNANSWERED, Ordering::Relaxed);
        })?;
        open.exchange = Some(exchange.clone());
        open.made += 1;
        Ok((exchange, open.made, false))
    }

    /// Nobody is given this connection any more; who waits for an answer on it still may get one.
    async fn close(&self, made: u64) {
        let mut open = self.shared.open.lock().await;
        if open.made == made {
            open.exchange = None;
        }
    }
}

impl Shared {
    async fn connect(&self) -> Result<Exchange, NetError> {
        let (address, name) = (self.server.address(), self.server.identity());
        let (tls, runtime) = (self.tls.clone(), self.runtime.clone());
        match self.server.way() {
            Way::Tls => {
                let (connecting, outgoing) = tls_client_connect(address, name, tls, runtime);
                let stream = DnsMultiplexer::new(connecting.await?, outgoing)
                    .with_timeout(self.step)
                    .with_max_active_requests(self.queries);
                Ok(drive(stream))
            }
            Way::Https { path } => {
                let connecting = HttpsClientStream::builder(tls, runtime);
                let stream = connecting.build(address, name.to_str().as_ref().into(), path.clone()).await?;
                Ok(drive(stream))
            }
        }
    }
}

/// Drives a connection in a task that ends with it, or when nobody holds the exchange any more.
fn drive<S: DnsRequestSender>(stream: S) -> Exchange {
    let (exchange, driver) = Exchange::from_stream(stream);
    tokio::spawn(driver);
    exchange
}

/// Says what became of the connection in a way that hickory hands on. It would wait and ask again on [`NetError::Busy`], which a
/// connection that has ended says too, and puts an error of its own in place of [`NetError::Io`].
fn in_our_words(error: NetError) -> NetError {
    match error {
        NetError::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            NetError::Message(tls::fault(&error).0)
        }
        NetError::Io(_)
        | NetError::H2(_)
        | NetError::Busy
        | NetError::NoConnections
        | NetError::Message(_) => NetError::Message(UNREACHABLE),
        error => error,
    }
}

/// Lets an answer pass that is one to this question. Hickory holds the ids of messages over TLS against each other, and not
/// the questions.
fn checked(answer: DnsResponse, request: &DnsRequest) -> Result<DnsResponse, NetError> {
    if answer.queries != request.queries {
        return Err(NetError::Message("the answer is to another question"));
    }
    if answer.all_sections().count() > RECORDS {
        return Err(NetError::Message("the answer has too many records"));
    }
    Ok(answer)
}

impl DnsHandle for Line {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let line = self.clone();
        Box::pin(once(async move { line.ask(request).await }))
    }
}

impl ConnectionProvider for Line {
    type Conn = Self;
    type FutureConn = Ready<Result<Self, NetError>>;
    type RuntimeProvider = TokioRuntimeProvider;

    /// Whatever hickory thinks it connects to: there is one way, and it is TLS.
    fn new_connection(
        &self,
        _: IpAddr,
        _: &ConnectionConfig,
        _: &PoolContext,
    ) -> Result<Self::FutureConn, NetError> {
        Ok(ready(Ok(self.clone())))
    }

    fn runtime_provider(&self) -> &TokioRuntimeProvider {
        &self.shared.runtime
    }
}
