//! Programs whose connection breaks, and hosts that come back for them.

use packhost_session_protocol::limits;
use packhost_session_protocol::message::{ExecInput, Fault, Opening, RunningExecs};
use proptest::prelude::*;

use crate::breaking::Breaking;
use crate::conversation::Conversation;
use crate::host::{Host, Sandbox, noise, program, shell};

/// Talks to a program over connections that break after so many bytes each, and at last over one that does not.
async fn talk(sandbox: &Sandbox, breaks: &[usize], input: &[u8]) {
    let script = "tee /dev/stderr; echo the end; exit 9";
    let mut conversation = Conversation::new(shell(script), input.to_vec());
    let mut breaks = breaks.iter();
    let exit = loop {
        let host = match breaks.next() {
            // The greeting always goes through: what comes after it is what is tested.
            Some(bytes) => Host::greet(Breaking::after(300 + bytes, sandbox.dial().await)).await,
            None => sandbox.host().await,
        };
        if let Ok(exit) = conversation.part(&host).await {
            break exit;
        }
    };
    let outcome = conversation.outcome(exit);
    assert_eq!(outcome.exit.code, Some(9));
    assert!(outcome.stderr == input, "{} bytes of standard error", outcome.stderr.len());
    let whole = [input, b"the end\n"].concat();
    assert!(outcome.stdout == whole, "{} bytes of standard output", outcome.stdout.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_byte_is_lost_or_doubled_wherever_connections_break(
        breaks in proptest::collection::vec(prop_oneof![0_usize..400, 0_usize..600_000], 1..12),
        length in 0_usize..1_500_000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let sandbox = Sandbox::start().await;
            talk(&sandbox, &breaks, &noise(length)).await;
        });
    }
}

#[tokio::test]
async fn a_program_goes_on_without_a_host_and_its_end_waits() {
    let sandbox = Sandbox::start().await;
    let start = shell("echo one; echo two >&2; exit 8");
    let id = start.id;
    let host = sandbox.host().await;
    drop(host.start(start).await);
    drop(host);
    let host = sandbox.host().await;
    loop {
        let mut frames = host.open(&Opening::Execs).await;
        let all: RunningExecs = frames.message().await.expect("a list");
        assert_eq!(all.execs.len(), 1);
        assert_eq!(all.execs[0].id, id);
        if all.execs[0].ended {
            break;
        }
    }
    // As often as it takes, from wherever the host is.
    let outcome = host.attach(id, 0, 0).await.expect("it is kept").read_exit().await;
    assert_eq!((outcome.exit.code, outcome.text().as_str()), (Some(8), "one\n"));
    assert_eq!(outcome.stderr, b"two\n");
    let outcome = host.attach(id, 2, 4).await.expect("it is kept").read_exit().await;
    assert_eq!((outcome.text().as_str(), outcome.stderr.len()), ("e\n", 0));

    // Another host, which has nothing, goes on from what is left.
    let exec = host.attach(id, 0, 0).await.expect("it is kept");
    assert_eq!((exec.attached.stdout, exec.attached.stderr), (2, 4));
    assert_eq!(exec.outcome().await.text(), "e\n");
    // Forgotten with that.
    until_forgotten(&host).await;
    assert_eq!(host.attach(id, 0, 0).await.err().map(|refusal| refusal.fault), Some(Fault::NotFound));
}

async fn until_forgotten(host: &Host) {
    loop {
        let mut frames = host.open(&Opening::Execs).await;
        let all: RunningExecs = frames.message().await.expect("a list");
        if all.execs.is_empty() {
            return;
        }
    }
}

#[tokio::test]
async fn what_was_never_written_cannot_be_skipped() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let start = shell("echo ready; read line");
    let id = start.id;
    let mut exec = host.start(crate::host::with_input(start)).await;
    exec.read_until("ready\n").await;
    assert_eq!(host.attach(id, 7, 0).await.err().map(|refusal| refusal.fault), Some(Fault::Malformed));
    assert_eq!(host.attach(id, 0, 1).await.err().map(|refusal| refusal.fault), Some(Fault::Malformed));
    // The exchange that has it keeps it, but not if it confirms such a thing itself.
    exec.say(ExecInput::Confirm { stdout: 7, stderr: 0 }).await;
    assert!(!matches!(exec.frames.next().await, Ok(Some(_))));
    let mut exec = host.attach(id, 6, 0).await.expect("it runs");
    exec.say(ExecInput::End).await;
    assert_eq!(exec.outcome().await.stdout, b"");
}

#[tokio::test]
async fn starting_it_again_and_attaching_again_take_over() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let start = crate::host::with_input(shell("echo $$; read line; echo $line"));
    let mut first = host.start(start.clone()).await;
    let pid = first.read_until("\n").await;
    let mut second = host.start(start.clone()).await;
    assert_eq!(first.attached.pid, second.attached.pid);
    // The first is over, the second has all of it.
    assert!(!matches!(first.frames.next().await, Ok(Some(_))));
    assert_eq!(second.read_until("\n").await, pid);
    let mut third = host.attach(start.id, pid.len() as u64, 0).await.expect("it runs");
    assert!(!matches!(second.frames.next().await, Ok(Some(_))));
    third.write(b"third\n").await;
    assert_eq!(third.outcome().await.text(), "third\n");
}

#[tokio::test]
async fn ended_programs_that_nobody_asks_for_make_room() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    for _ in 0..2 * limits::EXECS {
        host.start(program(&["true"])).await.read_exit().await;
    }
    let mut frames = host.open(&Opening::Execs).await;
    let all: RunningExecs = frames.message().await.expect("a list");
    assert!(all.execs.len() <= limits::EXECS + 1, "{}", all.execs.len());
}
