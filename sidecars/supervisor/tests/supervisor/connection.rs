//! Connections: greetings, what comes from a peer that is no host, and how a supervisor ends.

use std::process::{Command, Stdio};

use packhost_session_protocol::message::{
    Fault, Hello, Leaving, Opening, Pong, Refusal, RunningExecs, Welcome,
};
use packhost_session_protocol::{Frames, Mux, Role, limits};
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::host::{Host, Sandbox, hello, marker, noise, processes_with, program, shell, until};

#[tokio::test]
async fn another_version_is_told_this_one_and_let_go() {
    let sandbox = Sandbox::start().await;
    let (mux, _incoming) = Mux::start(sandbox.dial().await, Role::Host);
    let mut frames = Frames::new(mux.open().await.expect("an exchange"));
    frames.say(&Opening::Hello(Hello { version: 99, ..hello() })).await.expect("said");
    let welcome: Welcome = frames.message().await.expect("a welcome");
    assert_eq!(welcome.version, limits::VERSION);
    mux.ended().await;
    sandbox.host().await;
}

#[tokio::test]
async fn nothing_is_served_before_hello() {
    let sandbox = Sandbox::start().await;
    for opening in [Opening::Ping, Opening::Shutdown, Opening::Start(program(&["true"]))] {
        let (mux, _incoming) = Mux::start(sandbox.dial().await, Role::Host);
        let mut frames = Frames::new(mux.open().await.expect("an exchange"));
        frames.say(&opening).await.expect("said");
        let refusal: Refusal = frames.message().await.expect("a refusal");
        assert_eq!(refusal.fault, Fault::Malformed);
        mux.ended().await;
    }
    sandbox.host().await;
}

#[tokio::test]
async fn garbage_ends_a_connection_and_nothing_else() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let noise = noise(100_000);
    for start in [0, 1000, 5000, 20_000] {
        let mut stream = sandbox.dial().await;
        // The other end may be closed before all of it is written.
        let _ = stream.write_all(&noise[start..]).await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }
    for head in [[0, 255, 255, 255], [9, 0, 0, 1], [0, 16, 0, 1], [1, 0, 0, 1]] {
        let mut frames = Frames::new(host.mux.open().await.expect("an exchange"));
        frames.get_mut().write_all(&head).await.expect("written");
        frames.get_mut().write_all(&noise[..1000]).await.expect("written");
        let refusal: Refusal = frames.message().await.expect("a refusal");
        assert_eq!(refusal.fault, Fault::Malformed);
    }
    let mut frames = Frames::new(host.mux.open().await.expect("an exchange"));
    frames.say(&Leaving::Proxy).await.expect("said");
    frames.get_mut().shutdown().await.expect("ended");
    let _ = frames.next().await;
    assert_eq!(host.shell("exit 7").await.exit.code, Some(7));
}

#[tokio::test]
async fn a_peer_that_opens_without_end_loses_its_connection() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let (mut flood, mut received) = (sandbox.dial().await, Vec::new());
    for stream in 0..2 * limits::STREAMS as u32 {
        // A yamux frame that opens an exchange: version, window update, SYN, its odd number, no more window.
        let mut frame = vec![0, 1, 0, 1];
        frame.extend_from_slice(&(2 * stream + 1).to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        if flood.write_all(&frame).await.is_err() {
            break;
        }
    }
    let _ = flood.read_to_end(&mut received).await;
    assert_eq!(host.shell("exit 7").await.exit.code, Some(7));
}

#[tokio::test]
async fn pings_and_lists_are_answered() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let first: Pong = host.open(&Opening::Ping).await.message().await.expect("a pong");
    let mut execs = Vec::new();
    for word in ["one", "two", "three"] {
        let mut start = shell("read line");
        start.argv.push(word.as_bytes().to_vec().into());
        execs.push(host.start(crate::host::with_input(start)).await);
    }
    let all: RunningExecs = host.open(&Opening::Execs).await.message().await.expect("a list");
    let last: Vec<_> = all.execs.iter().map(|exec| exec.argv.last().expect("a word").to_vec()).collect();
    assert_eq!(last, [&b"one"[..], b"two", b"three"]);
    assert!(all.execs.iter().zip(&execs).all(|(listed, exec)| listed.pid == exec.attached.pid));
    assert!(all.execs.iter().all(|exec| !exec.ended));
    let second: Pong = host.open(&Opening::Ping).await.message().await.expect("a pong");
    assert!(second.uptime_ms >= first.uptime_ms);
}

#[tokio::test]
async fn a_supervisor_without_a_host_ends_itself_and_says_so() {
    let mut sandbox = Sandbox::with(&["--orphaned-after", "300"]).await;
    let host = sandbox.host().await;
    let marker = marker();
    let exec = host.start(program(&["sleep", &marker])).await;
    assert_eq!(processes_with(&marker).len(), 1);
    drop((exec, host));
    assert_eq!(sandbox.exit_code().await, Some(i32::from(packhost_supervisor::ORPHANED)));
    assert_eq!(processes_with(&marker), []);
}

#[tokio::test]
async fn the_host_says_how_long_it_is_waited_for() {
    let mut sandbox = Sandbox::with(&["--orphaned-after", "600000"]).await;
    let (mux, incoming) = Mux::start(sandbox.dial().await, Role::Host);
    let mut frames = Frames::new(mux.open().await.expect("an exchange"));
    frames.say(&Opening::Hello(Hello { orphaned_after_ms: Some(50), ..hello() })).await.expect("said");
    let _: Welcome = frames.message().await.expect("a welcome");
    // Another connection keeps it, whatever this one does.
    let host = sandbox.host().await;
    drop((frames, incoming, mux));
    assert_eq!(host.shell("sleep 0.2; exit 7").await.exit.code, Some(7));
    drop(host);
    assert_eq!(sandbox.exit_code().await, Some(75));
}

#[tokio::test]
async fn sigterm_and_shutdown_end_it_in_order() {
    for by_signal in [true, false] {
        let mut sandbox = Sandbox::start().await;
        let host = sandbox.host().await;
        let marker = marker();
        let mut exec = host.start(shell(&format!("trap '' TERM; echo ready; sleep {marker}; echo no"))).await;
        exec.read_until("ready").await;
        if by_signal {
            let pid = i32::try_from(sandbox.pid()).ok().and_then(Pid::from_raw).expect("a pid");
            // What it does not know changes nothing.
            for signal in [Signal::HUP, Signal::QUIT, Signal::PIPE, Signal::USR1, Signal::ALARM, Signal::TERM]
            {
                rustix::process::kill_process(pid, signal).expect("sent");
            }
        } else {
            let mut frames = host.open(&Opening::Shutdown).await;
            assert!(!matches!(frames.next().await, Ok(Some(_))));
        }
        assert_eq!(sandbox.exit_code().await, Some(0));
        assert_eq!(processes_with(&marker), []);
        assert!(!sandbox.socket().exists());
    }
}

#[tokio::test]
async fn a_bridge_carries_a_host_but_not_a_program() {
    let sandbox = Sandbox::start().await;
    let socket = sandbox.socket().into_os_string().into_string().expect("text");
    let binary = env!("CARGO_BIN_EXE_packhost-supervisor");
    let mut bridge = Command::new(binary)
        .args(["bridge", &socket])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let input = std::os::fd::OwnedFd::from(bridge.stdin.take().expect("piped"));
    let output = std::os::fd::OwnedFd::from(bridge.stdout.take().expect("piped"));
    let input = tokio::net::unix::pipe::Sender::from_owned_fd(input).expect("a pipe");
    let output = tokio::net::unix::pipe::Receiver::from_owned_fd(output).expect("a pipe");
    let host = Host::greet(tokio::io::join(output, input)).await;
    assert_eq!(host.shell("exit 7").await.exit.code, Some(7));

    // From within, the socket leads nowhere: the connection is closed before a word.
    let outcome = host.start(crate::host::with_input(program(&[binary, "bridge", &socket]))).await;
    let outcome = outcome.outcome().await;
    assert_eq!((outcome.exit.code, outcome.stdout.len()), (Some(0), 0));
    drop(host);
    let mut ended = None;
    until(|| {
        ended = bridge.try_wait().expect("it can be waited for");
        ended.is_some()
    })
    .await;
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
}

#[test]
fn a_wrong_command_line_is_refused() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_packhost-supervisor")).arg("serve").output().expect("it runs");
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--listen"));
}
