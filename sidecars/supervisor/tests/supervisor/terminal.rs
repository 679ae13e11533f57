//! Programs on a terminal.

use packhost_session_protocol::message::{ExecInput, Terminal};

use crate::host::{Sandbox, on_terminal, program, shell};

#[tokio::test]
async fn a_program_on_a_terminal_has_it_as_its_own() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let script =
        "test -t 0 && test -t 1 && test -t 2 && echo three; echo own >/dev/tty; stty size; echo err >&2";
    let outcome = host.start(on_terminal(shell(script), 100, 40)).await.outcome().await;
    assert_eq!(outcome.text(), "three\r\nown\r\n40 100\r\nerr\r\n");
    assert_eq!(outcome.stderr, b"");
    assert_eq!(outcome.exit.code, Some(0));
}

#[tokio::test]
async fn a_terminal_takes_another_size() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let script = "stty -echo; echo ready; read line; stty size";
    let mut exec = host.start(on_terminal(shell(script), 80, 24)).await;
    exec.read_until("ready\r\n").await;
    exec.say(ExecInput::Resize(Terminal { columns: 132, rows: 50 })).await;
    exec.write(b"\n").await;
    assert_eq!(exec.outcome().await.text(), "50 132\r\n");
}

#[tokio::test]
async fn control_characters_are_signals_and_the_end() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let mut exec = host.start(on_terminal(program(&["cat"]), 80, 24)).await;
    exec.write(b"ready\n").await;
    // Echoed, and written by cat, which reads again from here.
    exec.read_until("ready\r\nready\r\n").await;
    exec.write(b"\x03").await;
    assert_eq!(exec.outcome().await.exit.signal, Some(2));

    let mut exec = host.start(on_terminal(program(&["cat"]), 80, 24)).await;
    exec.write(b"line\n").await;
    exec.say(ExecInput::End).await;
    let outcome = exec.outcome().await;
    assert_eq!(outcome.exit.code, Some(0));
    assert!(outcome.text().ends_with("line\r\n"));
}
