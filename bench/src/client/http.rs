//! MCP over HTTP/1.1: one connection for each call in flight, kept open for a round.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::{Calls, FIRST, Server, VERSION, check, hello, ready, structured};
use crate::Outcome;
use crate::bare::current_thread;
use crate::rounds::Sample;

/// A client of a server that listens.
pub(crate) struct Http {
    runtime: Runtime,
    address: String,
    /// What every request of the session begins with, up to its length.
    head: String,
    shared: Arc<Shared>,
    _server: Server,
}

struct Shared {
    calls: Calls,
    next: AtomicUsize,
}

impl Http {
    /// Starts the server, which prints its URL, and opens a session.
    pub(crate) fn open(command: &mut Command) -> Outcome<Self> {
        Self::named(command, None)
    }

    /// The same, showing a token with every request.
    pub(crate) fn named(command: &mut Command, token: Option<&str>) -> Outcome<Self> {
        let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        let mut server = Server::start(command.stdin(Stdio::null()))?;
        let mut line = String::new();
        BufReader::new(server.0.stdout.take().ok_or("the server has no stdout")?).read_line(&mut line)?;
        let started: Value = serde_json::from_str(&line)?;
        let url = started["listening"].as_str().ok_or("the server does not say where it listens")?;
        let address = url.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/mcp"));
        let address = address.ok_or("not the URL of an MCP server")?.to_owned();
        let runtime = current_thread()?;
        let head = runtime.block_on(async {
            let mut first = Connection::open(&address, head(&address, &token, None)).await?;
            first.post(&hello()).await?;
            let session = first.session()?;
            first.head = head(&address, &token, Some(&session));
            first.post(&ready()).await?;
            Outcome::Ok(first.head)
        })?;
        let shared = Arc::new(Shared { calls: Calls::new(), next: AtomicUsize::new(FIRST) });
        Ok(Self { runtime, address, head, shared, _server: server })
    }

    /// One call, and the data that it answers.
    pub(crate) fn answer(&mut self) -> Outcome<Value> {
        let request = self.shared.calls.request(self.shared.next.fetch_add(1, Ordering::Relaxed));
        let connection = self.runtime.block_on(async {
            let mut connection = Connection::open(&self.address, self.head.clone()).await?;
            connection.post(&request).await?;
            Outcome::Ok(connection)
        })?;
        // JSON, or an event stream with the message in its last event.
        let body = String::from_utf8_lossy(connection.body());
        let message = body.lines().rev().find_map(|line| line.strip_prefix("data:")).unwrap_or(&body);
        structured(message.trim().as_bytes())
    }

    /// So many calls, so many of them in flight. The connections are new for every round, because a server may close
    /// one that nobody uses; opening them is not counted.
    pub(crate) fn sample(&mut self, calls: usize, in_flight: usize) -> Outcome<Sample> {
        let last = self.shared.next.load(Ordering::Relaxed) + calls;
        let sample = self.runtime.block_on(async {
            let mut connections = Vec::with_capacity(in_flight);
            for _ in 0..in_flight {
                connections.push(Connection::open(&self.address, self.head.clone()).await?);
            }
            let since = Instant::now();
            let mut working = JoinSet::new();
            for connection in connections {
                working.spawn(connection.work(Arc::clone(&self.shared), last));
            }
            let mut took = Vec::with_capacity(calls);
            while let Some(done) = working.join_next().await {
                took.extend(done??);
            }
            Outcome::Ok(Sample::of(&took, since))
        })?;
        // Each connection took one id too many.
        self.shared.next.store(last, Ordering::Relaxed);
        Ok(sample)
    }
}

fn head(address: &str, token: &str, session: Option<&str>) -> String {
    let session = session.map_or_else(String::new, |id| {
        format!("Mcp-Session-Id: {id}\r\nMCP-Protocol-Version: {VERSION}\r\n")
    });
    format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{token}{session}Content-Length: "
    )
}

/// A connection, and the response that came over it last.
struct Connection {
    stream: TcpStream,
    head: String,
    response: Vec<u8>,
    body_at: usize,
}

impl Connection {
    async fn open(address: &str, head: String) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, head, response: Vec::new(), body_at: 0 })
    }

    async fn work(mut self, shared: Arc<Shared>, last: usize) -> Outcome<Vec<Duration>> {
        let mut took = Vec::new();
        loop {
            let id = shared.next.fetch_add(1, Ordering::Relaxed);
            if id >= last {
                return Ok(took);
            }
            let request = shared.calls.request(id);
            let since = Instant::now();
            self.post(&request).await?;
            took.push(since.elapsed());
            check(self.body())?;
        }
    }

    /// Sends a message and reads the response to its end.
    async fn post(&mut self, message: &str) -> Outcome<()> {
        let request = format!("{}{}\r\n\r\n{message}", self.head, message.len());
        self.stream.write_all(request.as_bytes()).await?;
        self.response.clear();
        self.body_at = 0;
        while !self.complete()? {
            if self.stream.read_buf(&mut self.response).await? == 0 {
                return Err("the server closed the connection".into());
            }
        }
        Ok(())
    }

    fn body(&self) -> &[u8] {
        self.response.get(self.body_at..).unwrap_or_default()
    }

    /// Whether the response has come whole. A body of known length, or in chunks (RFC 9112 section 7.1): the last one
    /// is empty, and servers send no trailers here.
    fn complete(&mut self) -> Outcome<bool> {
        if self.body_at == 0 {
            let Some(end) = self.response.windows(4).position(|four| four == b"\r\n\r\n") else {
                return Ok(false);
            };
            self.body_at = end + 4;
            let status = self.response.get(9..12).unwrap_or_default();
            if !status.starts_with(b"2") {
                return Err(format!("refused: {}", String::from_utf8_lossy(&self.response)).into());
            }
        }
        match self.header("content-length") {
            Some(length) => Ok(self.body().len() >= length.parse::<usize>()?),
            None if self.header("transfer-encoding").is_some() => Ok(self.body().ends_with(b"\r\n0\r\n\r\n")),
            None => Ok(true),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let head = std::str::from_utf8(self.response.get(..self.body_at)?).ok()?;
        head.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn session(&self) -> Outcome<String> {
        Ok(self.header("mcp-session-id").ok_or("the server opened no session")?.to_owned())
    }
}
