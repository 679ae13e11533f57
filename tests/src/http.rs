//! A raw HTTP/1.1 client: what is sent is what the test wrote.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A response, read to its end.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, out of its chunks.
    pub body: Vec<u8>,
}

impl Response {
    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The JSON-RPC message in the body: the body itself, or the last event of a stream.
    pub fn message(&self) -> Value {
        let text = self.text();
        let event =
            text.lines().filter_map(|line| line.strip_prefix("data:")).rfind(|data| data.trim() != "");
        let json = event.unwrap_or(&text);
        serde_json::from_str(json).unwrap_or_else(|error| panic!("not a message: {error}: {self:?}"))
    }
}

/// Opens a connection and sends a request; the connection is the caller's to read or to drop.
pub fn open(address: SocketAddr, head: &[(&str, &str)], method: &str, path: &str, body: &[u8]) -> TcpStream {
    let mut stream = connect(address);
    let head = [head, &[("connection", "close")]].concat();
    stream.write_all(&request(address, &head, method, path, body)).expect("it reads");
    stream
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket option");
    stream.set_nodelay(true).expect("a socket option");
    stream
}

fn request(address: SocketAddr, head: &[(&str, &str)], method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    if !head.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request += &format!("host: {address}\r\n");
    }
    for (name, value) in head {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("content-length: {}\r\n\r\n", body.len());
    [request.as_bytes(), body].concat()
}

/// A request and its response.
pub fn send(address: SocketAddr, head: &[(&str, &str)], method: &str, path: &str, body: &[u8]) -> Response {
    let mut bytes = Vec::new();
    let mut stream = open(address, head, method, path, body);
    // A connection that is cut after a refusal is an answer too.
    let _ = stream.read_to_end(&mut bytes);
    read(&bytes)
}

/// Posts a JSON-RPC message to `/mcp`.
pub fn post(address: SocketAddr, head: &[(&str, &str)], message: &Value) -> Response {
    let mut all =
        vec![("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    all.extend(head);
    send(address, &all, "POST", "/mcp", message.to_string().as_bytes())
}

/// A connection that stays open from one request to the next.
pub struct KeptOpen {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

impl KeptOpen {
    /// Connects.
    pub fn to(address: SocketAddr) -> Self {
        Self { stream: BufReader::new(connect(address)), address }
    }

    /// A request and its response, which has to say how long it is.
    pub fn send(&mut self, head: &[(&str, &str)], method: &str, path: &str, body: &[u8]) -> Response {
        let request = request(self.address, head, method, path, body);
        self.stream.get_mut().write_all(&request).expect("it reads");
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            self.line(&mut bytes);
        }
        let head = read(&bytes);
        match head.header("content-length").and_then(|length| length.parse::<u64>().ok()) {
            Some(length) => {
                let taken = (&mut self.stream).take(length).read_to_end(&mut bytes).expect("it writes");
                assert_eq!(taken as u64, length, "the body is cut");
            }
            None => self.chunks(&mut bytes),
        }
        read(&bytes)
    }

    fn line(&mut self, bytes: &mut Vec<u8>) -> usize {
        let length = self.stream.read_until(b'\n', bytes).expect("it writes");
        assert!(length > 0, "the connection is cut: {:?}", String::from_utf8_lossy(bytes));
        length
    }

    fn chunks(&mut self, bytes: &mut Vec<u8>) {
        loop {
            let line = self.line(bytes);
            let size = String::from_utf8_lossy(&bytes[bytes.len() - line..]).trim().to_owned();
            let size = usize::from_str_radix(&size, 16).expect("the size of a chunk");
            let start = bytes.len();
            bytes.resize(start + size + 2, 0);
            self.stream.read_exact(&mut bytes[start..]).expect("it writes");
            if size == 0 {
                return;
            }
        }
    }
}

/// A response out of its bytes.
pub fn read(bytes: &[u8]) -> Response {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| {
        panic!("no head: {:?}", String::from_utf8_lossy(bytes));
    });
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = &bytes[end + 4..];
    let body = if chunked { unchunk(body) } else { body.to_vec() };
    Response { status: status.expect("a status"), headers, body }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(String::from_utf8_lossy(&rest[..line]).trim(), 16).unwrap_or(0);
        let from = line + 2;
        if size == 0 || rest.len() < from + size {
            break;
        }
        body.extend_from_slice(&rest[from..from + size]);
        rest = rest.get(from + size + 2..).unwrap_or_default();
    }
    body
}
