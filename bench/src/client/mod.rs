//! A lean MCP client, the same for every server: it writes requests that were made ahead and looks for no more in a
//! response than that it is the answer.

mod http;
mod stdio;

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

pub(crate) use http::Http;
pub(crate) use stdio::Pipes;

use crate::{Outcome, job};

/// The protocol version that is spoken.
const VERSION: &str = "2025-11-25";
/// What an answer of the job has in it, and a failure has not.
const PROOF: &[u8] = b"\"reading_time_seconds\":";
/// The id of the first call; what comes before has smaller ones.
const FIRST: usize = 1000;

/// A server of one's own, ended with the client.
struct Server(Child);

impl Server {
    fn start(command: &mut Command) -> Outcome<Self> {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let started = command.spawn().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
        Ok(Self(started))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is ours, and it is over.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn hello() -> String {
    let about = json!({
        "protocolVersion": VERSION, "capabilities": {}, "clientInfo": { "name": "bench", "version": "1" },
    });
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": about }).to_string()
}

fn ready() -> String {
    json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string()
}

/// The job as requests: all of one but the id is made ahead.
struct Calls {
    params: String,
}

impl Calls {
    fn new() -> Self {
        Self { params: json!({ "name": "text_stats", "arguments": job::input() }).to_string() }
    }

    fn request(&self, id: usize) -> String {
        request(id, &self.params)
    }
}

fn request(id: usize, params: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{params}}}")
}

/// Whether these bytes hold an answer of the job.
fn check(response: &[u8]) -> Outcome<()> {
    if response.windows(PROOF.len()).any(|window| window == PROOF) {
        return Ok(());
    }
    Err(format!("not an answer: {}", String::from_utf8_lossy(response)).into())
}

/// The data of an answer.
fn structured(message: &[u8]) -> Outcome<Value> {
    let mut message: Value = serde_json::from_slice(message)?;
    Ok(message["result"]["structuredContent"].take())
}
