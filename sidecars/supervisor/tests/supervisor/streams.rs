//! Streams: clean, bounded, independent of each other.

use packhost_session_protocol::message::{ExecInput, Opening, Pong};
use packhost_session_protocol::{Kind, limits};

use crate::conversation::Conversation;
use crate::host::{Host, Sandbox, noise, program, shell};

/// What a supervisor may have resident, in KiB, beside what it keeps for programs.
const ITSELF: u64 = 12 * 1024;

#[tokio::test]
async fn megabytes_go_through_unchanged() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let input = noise(8 * 1024 * 1024);
    let outcome = Conversation::new(program(&["cat"]), input.clone()).whole(&host).await;
    assert!(outcome.stdout == input);
    let both = shell("tee /dev/stderr");
    let outcome = Conversation::new(both, input.clone()).whole(&host).await;
    assert!(outcome.stdout == input && outcome.stderr == input);
    let memory = sandbox.resident();
    assert!(memory < ITSELF, "{memory} KiB");
}

#[tokio::test]
async fn what_a_program_does_not_read_is_thrown_away() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let input = noise(4 * 1024 * 1024);
    let script = "exec 0<&-; echo closed; sleep 0.1; exit 3";
    let outcome = Conversation::new(shell(script), input.clone()).whole(&host).await;
    assert_eq!((outcome.exit.code, outcome.text().as_str()), (Some(3), "closed\n"));
    let outcome = Conversation::new(program(&["head", "-c", "5"]), input.clone()).whole(&host).await;
    assert_eq!((outcome.exit.code, &outcome.stdout[..]), (Some(0), &input[..5]));
    // Without standard input there is nothing to read, and what is sent all the same is no harm.
    let mut exec = host.start(program(&["cat"])).await;
    exec.write(b"for nobody").await;
    assert_eq!(exec.outcome().await.stdout, b"");
}

#[tokio::test]
async fn a_program_waits_for_a_host_that_does_not_confirm() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let mut writers = Vec::new();
    for _ in 0..8 {
        let mut exec = host.start(shell("head -c 5000000 /dev/zero; echo done >&2")).await;
        while exec.stdout < limits::UNCONFIRMED as u64 {
            exec.next().await;
        }
        assert_eq!(exec.stdout, limits::UNCONFIRMED as u64);
        writers.push(exec);
    }
    let memory = sandbox.resident();
    assert!(memory < ITSELF + 8 * limits::UNCONFIRMED as u64 / 1024, "{memory} KiB");
    ping(&host).await;
    for mut exec in writers {
        exec.say(exec.confirmation()).await;
        let outcome = exec.outcome().await;
        assert_eq!(outcome.stdout.len(), 5_000_000 - limits::UNCONFIRMED);
        assert_eq!(outcome.stderr, b"done\n");
    }
}

#[tokio::test]
async fn one_output_that_is_full_does_not_hold_the_other() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let mut start = shell("(yes | head -c 9000000) & read line; echo $line >&2; cat >/dev/null; wait");
    start.stdin = true;
    let mut exec = host.start(start).await;
    while exec.stdout < limits::UNCONFIRMED as u64 {
        exec.next().await;
    }
    // The output is full; commands, standard input and standard error still work.
    exec.write(b"hello\n").await;
    loop {
        let frame = exec.next().await;
        if frame.kind == Kind::Error {
            assert_eq!(frame.payload, b"hello\n");
            break;
        }
    }
    exec.say(ExecInput::Kill).await;
    exec.say(exec.confirmation()).await;
    assert_eq!(exec.outcome().await.exit.signal, Some(9));
}

#[tokio::test]
async fn a_host_that_sends_without_end_is_held_back() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let mut start = shell("read line; exec cat >/dev/null");
    start.stdin = true;
    let mut exec = host.start(start).await;
    let piece = vec![b'x'; limits::DATA];
    let flood = async {
        loop {
            exec.write(&piece).await;
        }
    };
    // Much more than is kept anywhere on the way is never taken from it.
    let sent = async {
        for _ in 0..200 {
            ping(&host).await;
        }
    };
    tokio::select! {
        () = flood => {}
        () = sent => {}
    }
    let memory = sandbox.resident();
    assert!(memory < ITSELF, "{memory} KiB");
    assert_eq!(host.shell("exit 2").await.exit.code, Some(2));
}

async fn ping(host: &Host) {
    let mut frames = host.open(&Opening::Ping).await;
    let _: Pong = frames.message().await.expect("a pong");
}
