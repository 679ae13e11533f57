//! The examples in the book's page of the protocol are what this crate writes and reads: another one's supervisor, written
//! after that page, talks to this host.

use packhost_session_protocol::message::{
    Attach, Attached, Confinement, ExecId, ExecInput, ExecOutput, Executed, Exit, Fault, FileReply, Forward,
    ForwardTarget, Hello, Leaving, Opening, Pong, Refusal, Rlimits, Start, User, Welcome,
};
use packhost_session_protocol::{Frames, Kind, limits};

const PAGE: &str = include_str!("../../../docs/src/sessions/protocol.md");

fn confinement() -> Confinement {
    Confinement {
        user: Some(User { uid: 1000, gid: 1000 }),
        read_only: vec![b"/usr".to_vec().into()],
        read_write: vec![b"/tmp".to_vec().into()],
        rlimits: Rlimits { open_files: Some(256), ..Rlimits::default() },
        required: true,
        landlock_abi: 6,
        plain: vec![b"/w".to_vec().into()],
    }
}

fn start() -> Start {
    Start {
        id: ExecId([7; 16]),
        argv: vec![b"echo".to_vec().into(), b"hi".to_vec().into()],
        env: vec![b"A=1".to_vec().into()],
        cwd: b"/tmp".to_vec().into(),
        timeout_ms: Some(1000),
        terminal: None,
        confinement: confinement(),
        stdin: false,
    }
}

const EXIT: Exit = Exit {
    code: Some(0),
    signal: None,
    timed_out: false,
    out_of_memory: false,
    ran_us: 900,
    cpu_us: 800,
    peak_memory: 4096,
};

/// The frame of a message, which is read back as the same.
async fn frame<M>(message: M) -> String
where
    M: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()> + PartialEq + std::fmt::Debug,
{
    let mut bytes = Vec::new();
    Frames::new(&mut bytes).say(&message).await.expect("written");
    assert_eq!(Frames::new(bytes.as_slice()).message::<M>().await.expect("read"), message);
    hex(&bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn every_example_is_what_is_written() {
    let hello = Hello { version: limits::VERSION, egress: true, orphaned_after_ms: None };
    let welcome = Welcome {
        version: limits::VERSION,
        release: "0.1.0".into(),
        landlock_abi: 7,
        uptime_ms: 5,
        is_init: true,
        proxy_port: Some(3128),
    };
    let attached = Attached { pid: 4, stdin: 0, stdout: 0, stderr: 0 };
    let mut data = Vec::new();
    Frames::new(&mut data).data(Kind::Output, b"hi\n").await.expect("written");
    let forward = Forward { target: ForwardTarget::Tcp(80) };
    let examples = [
        ("hello", frame(Opening::Hello(hello)).await),
        ("welcome", frame(welcome).await),
        ("start", frame(Opening::Start(start())).await),
        ("attached", frame(Executed::Attached(attached)).await),
        ("Output `hi\\n`", hex(&data)),
        ("confirm, said by the host", frame(ExecInput::Confirm { stdout: 65_536, stderr: 0 }).await),
        ("confirm, said by the supervisor", frame(ExecOutput::Confirm { stdin: 300 }).await),
        ("exited", frame(ExecOutput::Exited(EXIT)).await),
        ("forget", frame(ExecInput::Forget).await),
        ("attach", frame(Opening::Attach(Attach { id: ExecId([7; 16]), stdout: 3, stderr: 0 })).await),
        (
            "refused",
            frame(Executed::Refused(Refusal::new(Fault::NotFound, "there is no such program"))).await,
        ),
        ("refusal", frame(Refusal::new(Fault::Unsupported, "not known here")).await),
        ("forward", frame(Opening::Forward(forward)).await),
        ("ping", frame(Opening::Ping).await),
        ("pong", frame(Pong { uptime_ms: 5 }).await),
        ("file done", frame(FileReply::Done).await),
        ("leaving", frame(Leaving::Proxy).await),
    ];
    let table: Vec<String> = examples.iter().map(|(what, bytes)| format!("| {what} | `{bytes}` |")).collect();
    let missing: Vec<&String> = table.iter().filter(|line| !PAGE.contains(line.as_str())).collect();
    assert!(missing.is_empty(), "docs/src/sessions/protocol.md lacks\n{table}", table = table.join("\n"));
}

#[test]
fn places_that_are_missing_or_unknown_are_no_error() {
    let short = [0x82, 4, 0];
    let attached: Attached = minicbor::decode(&short).expect("places of a later version are left out");
    assert_eq!(attached, Attached { pid: 4, stdin: 0, stdout: 0, stderr: 0 });
    let long = [0x82, 5, 0x83, 1, 2, 3];
    let pong: Pong = minicbor::decode(&long[2..]).expect("places of a later version are skipped");
    assert_eq!(pong, Pong { uptime_ms: 1 });
}

#[test]
fn the_page_has_the_bounds_that_hold() {
    let number = |number: usize| {
        let digits = number.to_string();
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().filter_map(|c| std::str::from_utf8(c).ok()).collect();
        groups.join(",")
    };
    let bounds = [
        limits::DATA,
        limits::MESSAGE,
        limits::LIST,
        limits::HOST_STREAMS,
        limits::SUPERVISOR_STREAMS,
        limits::STREAMS,
        limits::UNREAD,
        limits::EXECS,
        limits::UNCONFIRMED,
    ];
    let bounds_of_page = PAGE.split("## Bounds").nth(1).expect("a section of bounds");
    for bound in bounds {
        assert!(bounds_of_page.contains(&format!("| {}", number(bound))), "{bound}");
    }
    assert!(bounds_of_page.contains(&format!("| {} s |", limits::KEPT.as_secs())));
    assert!(PAGE.contains(&format!("# The session protocol, version {}", limits::VERSION)));
}
