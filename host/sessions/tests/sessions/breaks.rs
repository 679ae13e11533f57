//! Programs on connections that break, at any byte.

use std::sync::Arc;
use std::time::Duration;

use packhost_session_protocol::limits;
use packhost_sessions::link::{Command, LinkError, LinkSettings};
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::execs::pour;
use crate::fake::{Fake, exit, noise};
use crate::wire::{FakeRuntime, Wire};

fn wire() -> impl Strategy<Value = Wire> {
    let bytes = || prop_oneof![1_usize..200, 200_usize..20_000, 20_000_usize..2_000_000];
    let chunk = prop_oneof![1_usize..50, 50_usize..70_000];
    (bytes(), bytes(), chunk).prop_map(|(up, down, chunk)| Wire { up, down, chunk })
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), 1_usize..5_000, 5_000_usize..300_000, 300_000_usize..1_500_000]
}

/// A step of one that is slow: every third takes its (simulated) time, in which what is sent piles up and breaks.
async fn step(count: &mut u32) {
    *count += 1;
    if count.is_multiple_of(3) {
        tokio::time::sleep(Duration::from_millis(u64::from(*count % 40))).await;
    }
}

/// Reads all, with buffers of this size.
async fn all(mut output: impl AsyncRead + Unpin, size: usize) -> std::io::Result<Vec<u8>> {
    let (mut whole, mut buffer, mut steps) = (Vec::new(), vec![0; size], 0);
    loop {
        step(&mut steps).await;
        match output.read(&mut buffer).await? {
            0 => return Ok(whole),
            count => whole.extend(&buffer[..count]),
        }
    }
}

async fn survives(sizes: [usize; 3], steps: [usize; 3], wires: Vec<Wire>) -> Result<(), TestCaseError> {
    let fake = Arc::new(Fake::default());
    let runtime = FakeRuntime::new(fake.clone(), wires);
    let settings = LinkSettings { reopen_for: Duration::from_secs(3600), ..LinkSettings::default() };
    let link = runtime.link_with(None, settings).await.expect("a link");
    let mut exec = link.exec(pour(sizes[0], sizes[1], 7).stdin()).await.expect("a program");
    let sent = noise(sizes[2], 3);
    let mut stdin = exec.stdin().expect("an input");
    let feed = async {
        let mut count = 0;
        for piece in sent.chunks(steps[2]) {
            step(&mut count).await;
            stdin.write_all(piece).await?;
        }
        stdin.shutdown().await
    };
    let (stdout, stderr) = (exec.stdout().expect("an output"), exec.stderr().expect("an output"));
    let (fed, stdout, stderr) = tokio::join!(feed, all(stdout, steps[0]), all(stderr, steps[1]));
    fed.expect("the input is taken");
    prop_assert!(stdout.expect("all of it") == noise(sizes[0], 1), "standard output differs");
    prop_assert!(stderr.expect("all of it") == noise(sizes[1], 2), "standard error differs");
    prop_assert_eq!(exec.wait().await, Ok(exit(Some(7), None)));
    prop_assert!(fake.only().state.lock().expect("a lock").stdin == sent, "standard input differs");
    prop_assert_eq!(fake.programs.lock().expect("a lock").len(), 1, "it was started twice");
    prop_assert_eq!(fake.faults(), Vec::<String>::new());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn not_one_byte_is_lost_or_doubled(
        sizes in [size(), size(), size()],
        steps in [1_usize..100_000, 1_usize..100_000, 1_usize..100_000],
        wires in prop::collection::vec(wire(), 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(survives(sizes, steps, wires))?;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_at_every_byte_of_the_greeting_is_opened_again() {
    for byte in 1..120 {
        let wires = [
            Wire { up: byte, ..Wire::WHOLE },
            Wire { down: byte, ..Wire::WHOLE },
            Wire { up: 4 * byte, down: 3 * byte, chunk: 1 },
        ];
        survives([100, 100, 100], [7, 7, 7], wires.into()).await.expect("the same bytes");
    }
}

#[tokio::test]
async fn a_program_that_is_dropped_while_the_connection_is_broken_is_killed() {
    let fake = Arc::new(Fake::default());
    let runtime = FakeRuntime::new(fake.clone(), []);
    let link = runtime.link().await.expect("a link");
    let exec = link.exec(Command::new("sleep")).await.expect("a program");
    runtime.cut();
    drop((exec, link));
    fake.only().until(|program| program.forgotten == 1).await;
}

#[tokio::test]
async fn no_break_makes_a_host_send_more_than_the_supervisor_has_room_for() {
    let fake = Arc::new(Fake::default());
    let runtime = FakeRuntime::new(fake.clone(), []);
    let link = runtime.link().await.expect("a link");
    let mut exec = link.exec(Command::new("hoard").stdin()).await.expect("a program");
    let mut stdin = exec.stdin().expect("an input");
    let writer = tokio::spawn(async move { stdin.write_all(&noise(4 * limits::UNCONFIRMED, 1)).await });
    for round in 1..4 {
        fake.only().until(|state| state.attached == round && state.stdin.len() == limits::UNCONFIRMED).await;
        for _ in 0..20 {
            link.ping().await.expect("an answer");
        }
        runtime.cut();
    }
    exec.kill();
    assert_eq!(exec.wait().await, Ok(exit(None, Some(9))));
    assert!(writer.await.expect("no panic").is_err());
    assert_eq!(fake.faults(), Vec::<String>::new());
    assert_eq!(fake.only().state.lock().expect("a lock").stdin.len(), limits::UNCONFIRMED);
}

#[tokio::test]
async fn a_link_that_nobody_uses_is_opened_again_too() {
    let fake = Arc::new(Fake::default());
    let runtime = FakeRuntime::new(fake.clone(), []);
    let link = runtime.link().await.expect("a link");
    for round in 1..5 {
        assert_eq!(runtime.opened(), round);
        runtime.cut();
        while runtime.opened() == round {
            tokio::task::yield_now().await;
        }
        link.ping().await.expect("an answer");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_question_whose_connection_breaks_meanwhile_is_asked_again() {
    for _ in 0..200 {
        let runtime = FakeRuntime::new(Arc::new(Fake::default()), []);
        let link = runtime.link().await.expect("a link");
        let asking: Vec<_> = std::iter::repeat_with(|| {
            let link = link.clone();
            tokio::spawn(async move { link.ping().await })
        })
        .take(8)
        .collect();
        runtime.cut();
        for answer in asking {
            assert_eq!(answer.await.expect("no panic"), Ok(()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_every_time_is_given_up() {
    let useless = std::iter::repeat_n(Wire { up: 400, down: 100, chunk: 64 }, 100_000);
    let fake = Arc::new(Fake::default());
    let runtime = FakeRuntime::new(fake.clone(), [Wire::WHOLE].into_iter().chain(useless));
    let link = runtime.link().await.expect("a link");
    let exec = link.exec(pour(limits::UNCONFIRMED, 0, 0).stdin()).await.expect("a program");
    runtime.cut();
    assert!(matches!(exec.wait().await, Err(LinkError::Broken(_))));
}
