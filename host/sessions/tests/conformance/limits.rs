//! How much a sandbox may use.

use packhost_session_protocol::message::{Confinement, Rlimits};
use packhost_sessions::link::{Command, LinkError};
use packhost_sessions::{Ended, SandboxLimits, SandboxSpec};

use crate::bench::Bench;
use crate::machine;
use crate::room::{Room, profile, python, shell};

crate::behaviours![
    memory_has_a_limit,
    memory_of_all_programs_has_one_limit,
    processes_have_a_limit,
    processor_time_has_a_limit,
    files_have_a_limit,
    the_number_of_files_has_a_limit,
    open_files_have_a_limit,
    the_size_of_one_file_has_a_limit,
    the_processor_time_of_a_program_has_a_limit,
    a_sandbox_at_its_limits_still_answers,
];

/// The most processes that a backend keeps for itself beside the limit: its supervisor and what that keeps.
const KEPT: usize = 160;

async fn limited(bench: &Bench, with: impl FnOnce(&mut SandboxLimits)) -> Room {
    let mut spec = bench.spec();
    with(&mut spec.limits);
    bench.room_of(spec).await
}

fn within(command: Command, rlimits: Rlimits) -> Command {
    command.confinement(Confinement { rlimits, ..profile() })
}

async fn memory_has_a_limit(bench: &Bench) {
    if bench.lacks("memory").await {
        return;
    }
    let room = limited(bench, |limits| limits.memory = 64 << 20).await;
    let started =
        room.link.exec(python("x = bytearray(1 << 30)\nx[::4096] = b'x' * (1 << 18)\nprint('had it')")).await;
    let ended = match started {
        Ok(exec) => exec.output(100).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(finished) => {
            assert_eq!((finished.exit.signal, finished.exit.out_of_memory), (Some(9), true));
            assert_eq!(room.says(shell("echo on")).await, "on\n");
        }
        Err(LinkError::Ended(how)) => assert_eq!(how, Ended::OutOfMemory),
        Err(other) => panic!("{other}"),
    }
}

async fn memory_of_all_programs_has_one_limit(bench: &Bench) {
    if bench.lacks("memory").await {
        return;
    }
    let room = limited(bench, |limits| limits.memory = 96 << 20).await;
    let script = "
import os, time
x = bytearray(24 << 20)
x[::4096] = b'x' * (6 << 10)
time.sleep(600)
";
    let starts = (0..8).map(|_| room.exec(python(script)));
    let execs = futures::future::join_all(starts).await;
    // All of them sleep unless they are killed.
    let ends = execs.into_iter().map(|exec| Box::pin(exec.wait()));
    let (first, _, _others) = futures::future::select_all(ends).await;
    let exit = first.expect("the sandbox goes on");
    assert_eq!((exit.signal, exit.out_of_memory), (Some(9), true));
}

async fn processes_have_a_limit(bench: &Bench) {
    if bench.lacks("processes").await {
        return;
    }
    let room = limited(bench, |limits| limits.processes = 16).await;
    let script = "
import os, time
made = 0
try:
    while made < 1000:
        if os.fork() == 0: time.sleep(600)
        made += 1
except OSError as error: print(error.errno, made)
";
    let said = room.says(python(script)).await;
    let numbers: Vec<usize> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(matches!(numbers[..], [11, made] if (1..=16 + KEPT).contains(&made)), "{said}");
    room.quiet().await;
}

async fn processor_time_has_a_limit(bench: &Bench) {
    if bench.lacks("processor").await {
        return;
    }
    let room = limited(bench, |limits| limits.cpu_millis = 250).await;
    let pid = bench.supervisor(&room.id).await;
    let number = |v1: &str, v2: usize| -> f64 {
        let text = machine::cgroup_file(pid, "cpu", v1, "cpu.max").expect("a cgroup");
        let mut words = text.split_whitespace();
        let word = if text.trim().contains(' ') { words.nth(v2) } else { words.next() };
        word.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no limit: {text}"))
    };
    assert_eq!(number("cpu.cfs_quota_us", 0) / number("cpu.cfs_period_us", 1), 0.25);
}

async fn files_have_a_limit(bench: &Bench) {
    let disk = 8 << 20;
    let room = limited(bench, |limits| limits.disk = disk).await;
    let mut written = 0;
    for path in ["/tmp/x", "/sandbox/x", "/dev/shm/x"] {
        let script = format!("dd if=/dev/zero of={path} bs=65536 count=1000 2>&1; stat -c 'size %s' {path}");
        let said = room.tries(shell(&script)).await;
        assert!(said.contains("No space left on device"), "{path}: {said}");
        let size = said
            .lines()
            .find_map(|line| line.strip_prefix("size "))
            .and_then(|size| size.parse::<u64>().ok());
        written += size.unwrap_or(0);
    }
    assert!((1 << 20..=disk).contains(&written), "{written} bytes were written");
}

/// Empty ones take memory of the kernel.
async fn the_number_of_files_has_a_limit(bench: &Bench) {
    let room = limited(bench, |limits| limits.disk = 4 << 20).await;
    let script = "
import os
made = 0
try:
    while made < 20000: os.close(os.open(f'/sandbox/{made}', os.O_CREAT | os.O_WRONLY)); made += 1
except OSError as error: print(error.errno)
else: print('no limit')
";
    assert_eq!(room.says(python(script)).await, "28\n");
}

async fn open_files_have_a_limit(bench: &Bench) {
    let room = bench.room().await;
    let script = "
import os
opened = 0
try:
    while opened < 10000: os.open('/sandbox', os.O_RDONLY); opened += 1
except OSError as error: print(error.errno, opened < 32)
";
    let few = Rlimits { open_files: Some(32), ..Rlimits::default() };
    assert_eq!(room.says(within(python(script), few)).await, "24 True\n");
}

async fn the_size_of_one_file_has_a_limit(bench: &Bench) {
    let room = bench.room().await;
    let small = Rlimits { file_size: Some(1 << 20), ..Rlimits::default() };
    let script = "dd if=/dev/zero of=x bs=65536 count=100 2>/dev/null; stat -c %s x";
    assert_eq!(room.says(within(shell(script), small)).await, "1048576\n");
}

async fn the_processor_time_of_a_program_has_a_limit(bench: &Bench) {
    let room = bench.room().await;
    let short = Rlimits { cpu_seconds: Some(1), ..Rlimits::default() };
    let exit = room.run(within(shell("while :; do :; done"), short)).await.exit;
    assert!(matches!(exit.signal, Some(9 | 24)), "{exit:?}");
}

async fn a_sandbox_at_its_limits_still_answers(bench: &Bench) {
    let spec = bench.spec();
    let limits = SandboxLimits { processes: 16, disk: 4 << 20, ..spec.limits };
    let room = bench.room_of(SandboxSpec { limits, ..spec }).await;
    let script = "
import os, time
try:
    with open('/sandbox/x', 'wb') as file:
        while True: file.write(b'x' * 65536)
except OSError: pass
while True:
    try:
        if os.fork() == 0: time.sleep(600)
    except OSError: break
print('ready', flush=True)
time.sleep(600)
";
    let (exec, _output) = room.ready(python(script)).await;
    room.link.ping().await.expect("an answer");
    assert!(room.processes().await >= 16);
    exec.kill();
    assert_eq!(exec.wait().await.expect("an end").signal, Some(9));
    assert_eq!(room.says(shell("rm x; echo room again > y; cat y")).await, "room again\n");
}
