//! A raw JSON-RPC client on the streams of `packhost mcp`: it sees every line, in order, as it was written.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::host::drain;

/// How long a test waits for an answer before it calls the host dead.
const PATIENCE: Duration = Duration::from_secs(60);

/// The client of one host.
pub struct Rpc {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Option<std::thread::JoinHandle<String>>,
    /// Messages that were not the answer that was waited for.
    pub passed: Vec<Value>,
    next_id: u64,
}

impl Rpc {
    pub(crate) fn new(mut child: Child) -> Self {
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = drain(child.stderr.take().expect("it is piped"));
        let (told, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, lines, stderr: Some(stderr), passed: Vec::new(), next_id: 1 }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes one line.
    pub fn line(&mut self, line: &[u8]) {
        let stdin = self.stdin.as_mut().expect("it is open");
        stdin
            .write_all(line)
            .and_then(|()| stdin.write_all(b"\n"))
            .and_then(|()| stdin.flush())
            .expect("it reads");
    }

    /// Sends a message as it is.
    pub fn send(&mut self, message: &Value) {
        self.line(message.to_string().as_bytes());
    }

    /// Sends a request and gives its id.
    pub fn ask(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The next line, whatever it is; it has to be a JSON-RPC message, because nothing else may come out.
    pub fn message(&mut self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("the host answers");
        let message: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("stdout is not the protocol's: {error}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        message
    }

    /// The answer to that request. What comes before it is kept in [`passed`](Self::passed).
    pub fn answer(&mut self, id: u64) -> Value {
        if let Some(at) = self.passed.iter().position(|message| is_answer(message, id)) {
            return self.passed.remove(at);
        }
        loop {
            let message = self.message();
            if is_answer(&message, id) {
                return message;
            }
            self.passed.push(message);
        }
    }

    /// A request and its answer.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        self.answer(id)
    }

    /// The handshake of 2025-11-25.
    pub fn initialize(&mut self) -> Value {
        let client = json!({ "name": "test", "version": "1" });
        let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
        let answer = self.request("initialize", hello);
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        answer
    }

    /// Starts a call and gives its id.
    pub fn start(&mut self, tool: &str, input: Value) -> u64 {
        self.ask("tools/call", json!({ "name": tool, "arguments": input }))
    }

    /// A call and its result.
    pub fn call(&mut self, tool: &str, input: Value) -> Value {
        let id = self.start(tool, input);
        result(self.answer(id))
    }

    /// Takes a request back.
    pub fn cancel(&mut self, id: u64) {
        self.send(
            &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }),
        );
    }

    /// Closes the host's stdin and waits for its end: the exit code, what it still said, and what it logged.
    pub fn close(mut self) -> (i32, Vec<String>, String) {
        self.stdin.take();
        let code = self.child.wait().expect("it ends").code().unwrap_or(-1);
        let log = self.stderr.take().and_then(|log| log.join().ok()).unwrap_or_default();
        (code, self.lines.iter().collect(), log)
    }
}

impl Drop for Rpc {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_answer(message: &Value, id: u64) -> bool {
    message["id"] == id && message.get("method").is_none()
}

/// The result of an answer that is no protocol error.
pub fn result(answer: Value) -> Value {
    assert!(answer.get("error").is_none(), "{answer}");
    answer["result"].clone()
}

/// The error code of a result that is one, such as `timeout`.
pub fn code(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "{result}");
    result["_meta"]["packhost/error"]["code"].as_str().expect("a failure has a code")
}
