//! Ctrl-C while a call runs.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use packhost_tests::host::{Ran, Setup};
use serde_json::json;

/// How long a test waits for the call to be under way.
const PATIENCE: Duration = Duration::from_secs(60);
/// The call would go on for 60 seconds.
const SOON: Duration = Duration::from_secs(10);

/// A call that waits for a server: the process, and the request that the server has had.
fn waiting(setup: &Setup, words: &[&str]) -> (Child, BufReader<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let input = json!({ "url": url, "timeout_s": 50 }).to_string();
    let words = [words, &["call", "http.fetch", input.as_str()]].concat();
    let child = setup.command(words).spawn().expect("the binary starts");
    let (told, asked) = channel();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("loopback");
        let mut stream = BufReader::new(stream);
        stream.read_line(&mut String::new()).expect("a request");
        let _ = told.send(stream);
    });
    (child, asked.recv_timeout(PATIENCE).expect("the pack sends its request"))
}

fn interrupted(child: Child) -> Ran {
    let pid = child.id().to_string();
    let since = Instant::now();
    let sent = Command::new("kill").args(["-INT", &pid]).status().expect("kill is there");
    assert!(sent.success());
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert!(since.elapsed() < SOON, "it went on after Ctrl-C");
    ran
}

fn setup() -> Setup {
    let rule = "{ url: \"${input.url}\", addresses: [\"127.0.0.1/32\"] }";
    let policy =
        format!("version: 1\npacks: {{ http.fetch: {{ http: [{rule}], limits: {{ time: 60s }} }} }}\n");
    Setup::new().policy(&policy).warmed()
}

#[test]
fn a_call_that_runs_is_cancelled() {
    let setup = setup();
    let (child, mut server) = waiting(&setup, &[]);
    let ran = interrupted(child);
    assert_eq!((ran.code, ran.stdout.as_str()), (23, ""), "{ran:?}");
    assert!(ran.stderr.contains("cancelled: "), "{}", ran.stderr);
    // The rest of the request, and then the end: nothing is left that waits.
    server.read_to_end(&mut Vec::new()).expect("the connection is closed in good order");
}

#[test]
fn a_program_is_told_so_in_json() {
    let setup = setup();
    let (child, _server) = waiting(&setup, &["--json"]);
    let ran = interrupted(child);
    let said = ran.json();
    assert_eq!((ran.code, &said["error"]["code"]), (23, &json!("cancelled")), "{said}");
    assert_eq!(said["error"]["retry"], true, "{said}");
}
