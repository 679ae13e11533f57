//! MCP over pipes: one message a line.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::{Calls, FIRST, Server, check, hello, ready, request, structured};
use crate::Outcome;
use crate::rounds::Sample;

/// A client at the other end of a server's stdin and stdout.
pub(crate) struct Pipes {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    line: Vec<u8>,
    calls: Calls,
    next: usize,
    _server: Server,
}

impl Pipes {
    /// Starts the server and says hello.
    pub(crate) fn open(command: &mut Command) -> Outcome<Self> {
        let mut server = Server::start(command.stdin(Stdio::piped()))?;
        let to = server.0.stdin.take().ok_or("the server has no stdin")?;
        let from = BufReader::new(server.0.stdout.take().ok_or("the server has no stdout")?);
        let mut client =
            Self { to, from, line: Vec::new(), calls: Calls::new(), next: FIRST, _server: server };
        client.say(&hello())?;
        client.hear()?;
        client.say(&ready())?;
        Ok(client)
    }

    /// One call, and the data that it answers.
    pub(crate) fn answer(&mut self) -> Outcome<Value> {
        self.ask()?;
        self.hear()?;
        structured(&self.line)
    }

    /// One call of another tool, and its result.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Outcome<Value> {
        let id = self.next;
        self.next += 1;
        self.say(&request(id, &json!({ "name": tool, "arguments": arguments }).to_string()))?;
        loop {
            self.hear()?;
            let mut message: Value = serde_json::from_slice(&self.line)?;
            if message["id"] == id {
                return Ok(message["result"].take());
            }
        }
    }

    /// So many calls, so many of them in flight.
    pub(crate) fn sample(&mut self, calls: usize, in_flight: usize) -> Outcome<Sample> {
        let mut asked = HashMap::with_capacity(in_flight);
        let mut took = Vec::with_capacity(calls);
        let since = Instant::now();
        let last = self.next + calls;
        for _ in 0..in_flight {
            asked.insert(self.ask()?, Instant::now());
        }
        while took.len() < calls {
            self.hear()?;
            let asked_at = asked.remove(&id(&self.line)?).ok_or("a response to nothing")?;
            took.push(asked_at.elapsed());
            check(&self.line)?;
            if self.next < last {
                let before = Instant::now();
                asked.insert(self.ask()?, before);
            }
        }
        Ok(Sample::of(&took, since))
    }

    fn ask(&mut self) -> Outcome<usize> {
        let id = self.next;
        self.next += 1;
        self.say(&self.calls.request(id))?;
        Ok(id)
    }

    fn say(&mut self, message: &str) -> Outcome<()> {
        let mut line = String::with_capacity(message.len() + 1);
        line.push_str(message);
        line.push('\n');
        Ok(self.to.write_all(line.as_bytes())?)
    }

    fn hear(&mut self) -> Outcome<()> {
        self.line.clear();
        match self.from.read_until(b'\n', &mut self.line)? {
            0 => Err("the server has gone".into()),
            _ => Ok(()),
        }
    }
}

/// The id of a response.
fn id(message: &[u8]) -> Outcome<usize> {
    const KEY: &[u8] = b"\"id\":";
    let at = message.windows(KEY.len()).position(|window| window == KEY);
    let digits = at.and_then(|at| message.get(at + KEY.len()..)).unwrap_or_default();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let id = std::str::from_utf8(&digits[..end])?.parse();
    id.map_err(|_| format!("no id in {}", String::from_utf8_lossy(message)).into())
}
