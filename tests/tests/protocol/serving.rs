//! The life of `packhost serve`: answers that come at once, calls that a client takes back, and an end in good order.

use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use packhost_tests::host::{Setup, wait_until};
use packhost_tests::http::{self, KeptOpen, Response};
use packhost_tests::rpc::{code, result};
use serde_json::{Value, json};

use crate::wire::{self, misbehaving};

/// How long a test waits for an answer before it calls the host dead.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two equal calls of a pack for which there is one place, and no queue: one of them was refused, so the other runs.
struct OneRuns {
    connections: Vec<TcpStream>,
    answers: Receiver<(usize, Vec<u8>)>,
    running: usize,
    refused: Value,
}

impl OneRuns {
    fn start(address: SocketAddr, input: &Value) -> Self {
        // From here on nobody waits for a compilation.
        assert_eq!(echo(address)["isError"], false);
        let (told, answers) = channel();
        let connect = |n: usize| {
            let connection = wire::open(address, "misbehave", input);
            let (mut reading, told) = (connection.try_clone().expect("a socket"), told.clone());
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                // What came before a cut counts.
                let _ = reading.read_to_end(&mut bytes);
                let _ = told.send((n, bytes));
            });
            connection
        };
        let connections = (0..2).map(connect).collect();
        let (refused, bytes) = answers.recv_timeout(PATIENCE).expect("one is refused at once");
        let refusal = result(http::read(&bytes).message());
        Self { connections, answers, running: 1 - refused, refused: refusal }
    }

    fn answer(&self) -> Response {
        let (_, bytes) = self.answers.recv_timeout(PATIENCE).expect("the call that runs is answered");
        http::read(&bytes)
    }

    fn hang_up(&self) {
        self.connections[self.running].shutdown(Shutdown::Both).expect("it is connected");
    }
}

fn echo(address: SocketAddr) -> Value {
    let call = wire::call("misbehave", &json!({ "do": "echo", "text": "hello" }));
    result(wire::send(address, &[], &call).message())
}

/// The time that the 25th of 50 requests took.
fn median(connection: &mut KeptOpen, message: &Value) -> Duration {
    let (head, body) = (wire::headers(message), message.to_string());
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let since = Instant::now();
            let answered = connection.send(&head, "POST", "/mcp", body.as_bytes());
            let took = since.elapsed();
            assert_eq!(answered.status, 200, "{}", answered.text());
            took
        })
        .collect();
    times.sort();
    times[25]
}

/// A sender that waits for acknowledgements is late every time, by 40 ms; a busy machine is late now and then.
fn is_not_always_late(connection: &mut KeptOpen, message: &Value) {
    let medians = (0..5).map(|_| median(connection, message));
    let late: Vec<Duration> = medians.take_while(|median| *median >= Duration::from_millis(20)).collect();
    assert!(late.len() < 5, "{late:?}");
}

#[test]
fn small_answers_come_at_once() {
    let setup = misbehaving("time: 30s");
    let served = setup.serve(&[]);
    let mut connection = KeptOpen::to(served.address);
    is_not_always_late(&mut connection, &wire::call("text_stats", &json!({ "text": "one two" })));
    // In pieces, which is where an answer would wait.
    let mut message = wire::call("misbehave", &json!({ "do": "progress", "amount": 2 }));
    message["params"]["_meta"]["progressToken"] = "how far".into();
    is_not_always_late(&mut connection, &message);
}

#[test]
fn a_full_queue_says_when_to_come_back() {
    let setup = misbehaving("time: 10m, concurrency: 1");
    let served = setup.serve(&["--queue", "0"]);
    let calls = OneRuns::start(served.address, &json!({ "do": "spin" }));
    assert_eq!(code(&calls.refused), "rate_limited");
    let error = &calls.refused["_meta"]["packhost/error"];
    assert_eq!(error["retry"], true);
    assert!(error["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{error}");
}

#[test]
fn a_client_that_hangs_up_stops_its_call() {
    let setup = misbehaving("time: 10m, concurrency: 1");
    let served = setup.serve(&["--queue", "0"]);
    let calls = OneRuns::start(served.address, &json!({ "do": "spin" }));
    assert_eq!(code(&calls.refused), "rate_limited");
    assert_eq!(code(&echo(served.address)), "rate_limited", "there is one place");
    calls.hang_up();
    let since = Instant::now();
    loop {
        let answer = echo(served.address);
        if answer["isError"] == false {
            return;
        }
        assert_eq!(code(&answer), "rate_limited");
        assert!(since.elapsed() < PATIENCE, "the place of a call that nobody waits for is never free");
    }
}

#[test]
fn a_call_that_runs_is_answered_before_the_host_ends() {
    let setup = misbehaving("time: 30s, concurrency: 1");
    let served = setup.serve(&["--queue", "0"]);
    let address = served.address;
    let calls = OneRuns::start(address, &json!({ "do": "sleep", "amount": 2000 }));
    assert_eq!(code(&calls.refused), "rate_limited");
    let (exit, log) = served.terminate();
    assert_eq!(exit, 0, "{log}");
    let answered = calls.answer();
    assert_eq!(answered.status, 200);
    assert_eq!(result(answered.message())["structuredContent"]["saw"], json!(["slept"]));
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn a_call_that_takes_too_long_is_cancelled_when_the_host_ends() {
    let setup = misbehaving("time: 10m, concurrency: 1");
    let served = setup.serve(&["--queue", "0", "--drain", "0"]);
    let calls = OneRuns::start(served.address, &json!({ "do": "spin" }));
    let since = Instant::now();
    let (exit, log) = served.terminate();
    assert_eq!(exit, 0, "{log}");
    assert!(since.elapsed() < PATIENCE, "the call may take ten minutes");
    assert_eq!(code(&result(calls.answer().message())), "cancelled");
}

#[test]
fn a_host_that_is_about_to_stop_says_so_while_it_still_answers() {
    let setup = Setup::new().warmed();
    let served = setup.serve(&["--notice", "3600"]);
    let ready = || http::send(served.address, &[], "GET", "/readyz", b"").status;
    assert_eq!(ready(), 200);
    let pid = served.pid().to_string();
    let signal =
        || assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill is there").success());
    signal();
    wait_until("it says that it is about to stop", &|| ready() == 503);
    let answer = http::send(
        served.address,
        &[("content-type", "application/json")],
        "POST",
        "/v1/packs/text.stats/calls",
        br#"{"input": {"text": "to be"}}"#,
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
}
