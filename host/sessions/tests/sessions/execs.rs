//! Programs on connections that hold.

use std::sync::Arc;
use std::time::Duration;

use packhost_session_protocol::limits;
use packhost_session_protocol::message::Fault;
use packhost_sessions::Ended;
use packhost_sessions::link::{Command, LinkError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fake::{Fake, exit, noise};
use crate::wire::FakeRuntime;

pub(crate) fn pour(stdout: usize, stderr: usize, code: u8) -> Command {
    Command::new("pour").args([stdout.to_string(), stderr.to_string(), code.to_string()])
}

#[tokio::test]
async fn a_program_is_run_to_its_end() {
    let fake = Arc::new(Fake::default());
    let link = FakeRuntime::new(fake.clone(), []).link().await.expect("a link");
    let finished = link.exec(pour(10, 20, 3)).await.expect("a program").output(100).await.expect("an end");
    assert_eq!(finished.exit, exit(Some(3), None));
    assert_eq!((finished.stdout, finished.stderr), (noise(10, 1), noise(20, 2)));
    assert!(!finished.stdout_truncated && !finished.stderr_truncated);
    fake.only().until(|program| program.forgotten == 1).await;
    assert_eq!(fake.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn more_output_than_is_wanted_is_thrown_away_and_said_to_be() {
    let fake = Arc::new(Fake::default());
    let link = FakeRuntime::new(fake.clone(), []).link().await.expect("a link");
    let size = 3 * limits::UNCONFIRMED;
    let finished = link.exec(pour(size, 7, 0)).await.expect("a program").output(7).await.expect("an end");
    assert_eq!((finished.stdout, finished.stderr), (noise(7, 1), noise(7, 2)));
    assert!(finished.stdout_truncated && !finished.stderr_truncated);
    let exit_without_readers = link.exec(pour(size, size, 0)).await.expect("a program").wait().await;
    assert_eq!(exit_without_readers, Ok(exit(Some(0), None)));
    assert_eq!(fake.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_written_comes_back() {
    let fake = Arc::new(Fake::default());
    let link = FakeRuntime::new(fake.clone(), []).link().await.expect("a link");
    let mut exec = link.exec(Command::new("cat").stdin()).await.expect("a program");
    let sent = noise(5 * limits::UNCONFIRMED, 9);
    let (mut stdin, mut stdout) = (exec.stdin().expect("an input"), exec.stdout().expect("an output"));
    assert!(exec.stdin().is_none() && exec.stdout().is_none());
    let mut received = Vec::new();
    let (written, read) = tokio::join!(
        async {
            stdin.write_all(&sent).await?;
            stdin.shutdown().await
        },
        stdout.read_to_end(&mut received)
    );
    written.expect("written");
    read.expect("read");
    assert!(received == sent);
    assert_eq!(exec.wait().await, Ok(exit(Some(0), None)));
    assert_eq!(fake.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn an_output_that_nobody_reads_stops_that_output_alone() {
    let fake = Arc::new(Fake::default());
    let link = FakeRuntime::new(fake.clone(), []).link().await.expect("a link");
    let size = 4 * limits::UNCONFIRMED;
    let mut exec = link.exec(pour(size, size, 0)).await.expect("a program");
    let (mut stdout, mut stderr) = (exec.stdout().expect("an output"), exec.stderr().expect("an output"));
    let mut errors = Vec::new();
    let mut all = (&mut stderr).take(size as u64);
    all.read_to_end(&mut errors).await.expect("all of the other output");
    assert!(errors == noise(size, 2));
    let mut output = Vec::new();
    stdout.read_to_end(&mut output).await.expect("the rest");
    assert!(output == noise(size, 1));
    assert_eq!(exec.wait().await, Ok(exit(Some(0), None)));
}

#[tokio::test]
async fn a_program_that_is_dropped_is_killed() {
    let fake = Arc::new(Fake::default());
    let link = FakeRuntime::new(fake.clone(), []).link().await.expect("a link");
    drop(link.exec(Command::new("sleep")).await.expect("a program"));
    fake.only().until(|program| program.forgotten == 1).await;
}

#[tokio::test]
async fn a_program_that_is_killed_says_so() {
    let fake = Arc::new(Fake::default());
    let link = FakeRuntime::new(fake.clone(), []).link().await.expect("a link");
    let exec = link.exec(Command::new("sleep")).await.expect("a program");
    exec.kill();
    assert_eq!(exec.wait().await, Ok(exit(None, Some(9))));
}

#[tokio::test]
async fn signals_and_sizes_reach_a_program() {
    let fake = Arc::new(Fake::default());
    let link = FakeRuntime::new(fake.clone(), []).link().await.expect("a link");
    let exec = link.exec(Command::new("vi").terminal(80, 24)).await.expect("a program");
    exec.resize(100, 30);
    fake.only().until(|program| program.sizes == [(100, 30)]).await;
    for number in [0, 65, u32::MAX] {
        assert!(matches!(exec.signal(number), Err(LinkError::Refused(_))));
    }
    exec.signal(15).expect("a signal");
    assert_eq!(exec.wait().await, Ok(exit(None, Some(15))));
    assert_eq!(fake.only().state.lock().expect("a lock").signals, [15]);
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_refused() {
    let link = FakeRuntime::new(Arc::new(Fake::default()), []).link().await.expect("a link");
    let Err(LinkError::Refused(refusal)) = link.exec(Command::new("missing")).await else {
        panic!("it was started");
    };
    assert_eq!(refusal.fault, Fault::NotFound);
    let mut nothing = Command::new("x");
    nothing.argv.clear();
    assert!(matches!(link.exec(nothing).await, Err(LinkError::Refused(_))));
    let long = Command::new("cat").args(std::iter::repeat_n("x".repeat(1024), 1100));
    assert!(
        matches!(link.exec(long).await, Err(LinkError::Refused(refusal)) if refusal.fault == Fault::Malformed)
    );
    let many = Command::new("cat").args(std::iter::repeat_n("x", limits::LIST));
    assert!(matches!(link.exec(many).await, Err(LinkError::Refused(_))));
}

#[tokio::test]
async fn input_for_a_program_that_does_not_read_is_a_broken_pipe() {
    let fake = Arc::new(Fake::default());
    let link = FakeRuntime::new(fake.clone(), []).link().await.expect("a link");
    let mut exec = link.exec(Command::new("deaf").stdin()).await.expect("a program");
    let mut stdin = exec.stdin().expect("an input");
    let endless = async {
        loop {
            if let Err(error) = stdin.write_all(&[0; 4096]).await {
                return error;
            }
        }
    };
    assert_eq!(endless.await.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn sixty_four_programs_run_at_once() {
    let fake = Arc::new(Fake::default());
    let link = FakeRuntime::new(fake.clone(), []).link().await.expect("a link");
    let mut running = tokio::task::JoinSet::new();
    for number in 0..64_u8 {
        let link = link.clone();
        running.spawn(async move {
            let size = 10_000 * usize::from(number);
            let exec = link.exec(pour(size, 64, number)).await.expect("a program");
            (number, size, exec.output(size).await.expect("an end"))
        });
    }
    while let Some(finished) = running.join_next().await {
        let (number, size, finished) = finished.expect("no panic");
        assert_eq!(finished.exit.code, Some(number));
        assert!(finished.stdout == noise(size, 1));
    }
    assert_eq!(fake.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn a_sandbox_that_ends_ends_its_programs_with_the_reason() {
    let fake = Arc::new(Fake::default());
    let runtime = FakeRuntime::new(fake.clone(), []);
    let link = runtime.link().await.expect("a link");
    let mut exec = link.exec(Command::new("cat").stdin()).await.expect("a program");
    let (mut stdin, mut stdout) = (exec.stdin().expect("an input"), exec.stdout().expect("an output"));
    stdin.write_all(b"last words").await.expect("written");
    let mut words = [0; 10];
    stdout.read_exact(&mut words).await.expect("read");
    runtime.end(Ended::OutOfMemory);
    let ended = LinkError::Ended(Ended::OutOfMemory);
    let error = stdout.read(&mut words).await.expect_err("no more output");
    assert_eq!(error.get_ref().and_then(|inner| inner.downcast_ref()), Some(&ended));
    assert!(stdin.write(b"x").await.is_err());
    assert_eq!(exec.wait().await, Err(ended.clone()));
    assert_eq!(link.exec(Command::new("cat")).await.err(), Some(ended.clone()));
    assert_eq!(link.usage().await, Err(ended.clone()));
    assert_eq!(link.lost().await, ended);
}

#[tokio::test]
async fn a_program_outlives_a_host_that_lets_it() {
    let fake = Arc::new(Fake::default());
    let runtime = FakeRuntime::new(fake.clone(), []);
    let link = runtime.link().await.expect("a link");
    let size = limits::UNCONFIRMED + 300_000;
    let mut exec = link.exec(pour(size, 0, 5).stdin()).await.expect("a program");
    let mut stdout = exec.stdout().expect("an output");
    let mut first = vec![0; 200_000];
    stdout.read_exact(&mut first).await.expect("the beginning");
    let id = exec.detach().await.expect("detached");
    drop((stdout, link));

    let link = runtime.link().await.expect("another host");
    let execs = link.execs().await.expect("a list");
    assert_eq!((execs.len(), execs[0].id, execs[0].ended), (1, id, false));
    let mut exec = link.attach(id).await.expect("the program");
    drop(exec.stdin());
    let mut rest = Vec::new();
    exec.stdout().expect("an output").read_to_end(&mut rest).await.expect("the rest");
    assert!(first == noise(size, 1)[..200_000]);
    assert!(rest == noise(size, 1)[200_000..]);
    assert_eq!(exec.wait().await, Ok(exit(Some(5), None)));
    assert_eq!(fake.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_not_there_cannot_be_attached_to() {
    let link = FakeRuntime::new(Arc::new(Fake::default()), []).link().await.expect("a link");
    let id = packhost_session_protocol::message::ExecId([7; 16]);
    let refused = link.attach(id).await.err();
    assert!(matches!(refused, Some(LinkError::Refused(refusal)) if refusal.fault == Fault::NotFound));
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_never_ends_a_program_is_not_waited_for() {
    let link = FakeRuntime::new(Arc::new(Fake::default()), []).link().await.expect("a link");
    let exec = link.exec(Command::new("sleep").timeout(Duration::from_secs(60))).await.expect("a program");
    assert!(matches!(exec.wait().await, Err(LinkError::Protocol(_))));
}
