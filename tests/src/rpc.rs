//! A raw JSON-RPC client on the streams of `packhost mcp`: it sees every line, in order, as it was written.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// How long a test waits for an answer before it calls the host dead.
const PATIENCE: Duration = Duration::from_secs(60);

/// The client of one host.
pub struct Rpc {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Receiver<String>,
    logged: String,
    /// Messages that were not the answer that was waited for.
    pub passed: Vec<Value>,
    next_id: u64,
}

impl Rpc {
    /// The client of a host that was started with its streams piped.
    pub fn new(mut child: Child) -> Self {
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        let (lines, stderr) = (read(stdout), read(stderr));
        let stdin = child.stdin.take();
        Self { child, stdin, lines, stderr, logged: String::new(), passed: Vec::new(), next_id: 1 }
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

    /// The next line as it was written.
    pub fn next_line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the host answers")
    }

    /// The next line, whatever it is; it has to be a JSON-RPC message, because nothing else may come out.
    pub fn message(&mut self) -> Value {
        let line = self.next_line();
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

    /// Waits until the host logs a line with this in it.
    pub fn logged(&mut self, what: &str) {
        loop {
            let line = self.stderr.recv_timeout(PATIENCE).expect("the host logs it");
            self.logged += &line;
            self.logged.push('\n');
            if line.contains(what) {
                return;
            }
        }
    }

    /// Closes the host's stdin and waits for its end: the exit code, what it still said, and what it logged.
    pub fn close(mut self) -> (i32, Vec<String>, String) {
        self.stdin.take();
        let code = self.child.wait().expect("it ends").code().unwrap_or(-1);
        let log = self.stderr.iter().fold(std::mem::take(&mut self.logged), |log, line| log + &line + "\n");
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

/// Reads a stream to its end on a thread, line by line, so that the child never waits for us. A line that is no text says
/// so, which makes it no message.
fn read(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (told, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8(line)
                .unwrap_or_else(|error| format!("not UTF-8: {}", String::from_utf8_lossy(error.as_bytes())));
            if told.send(line).is_err() {
                return;
            }
        }
    });
    lines
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
