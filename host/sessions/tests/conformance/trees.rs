//! A program and all that it starts, as one.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::bench::{Bench, until};
use crate::room::{python, rest, shell, until_read};

crate::behaviours![
    a_signal_goes_to_the_programs_group,
    a_program_may_ignore_a_signal_but_not_its_end,
    a_kill_takes_children_daemons_and_sessions_along,
    a_fork_bomb_within_the_limit_is_killed_whole,
    what_a_program_leaves_behind_ends_with_it,
    orphans_in_the_sandbox_are_reaped,
    a_program_whose_time_is_over_is_killed_with_its_tree,
    a_program_that_is_dropped_is_killed_with_its_tree,
    a_program_goes_on_without_anybody_and_is_taken_up_again,
    a_program_that_ended_without_anybody_is_remembered,
    a_program_without_anybody_is_killed_when_its_time_is_over,
    programs_that_run_are_listed,
    usage_counts_what_runs,
];

/// Leaves a daemon in a session of its own for each of three children, says so and stays.
const DAEMONS: &str = "
import os, signal, time
for signal_to_ignore in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(signal_to_ignore, signal.SIG_IGN)
for child in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
        time.sleep(600 if child == 0 else 0)
        os._exit(0)
print('ready', flush=True)
time.sleep(600)
";

async fn a_signal_goes_to_the_programs_group(bench: &Bench) {
    let room = bench.room().await;
    let child = "trap 'echo child; exit' USR1; echo ready; while :; do sleep 0.01; done";
    let script = format!("trap : USR1; sh -c \"{child}\" & wait $!; wait $!; echo parent");
    let (exec, output) = room.ready(shell(&script)).await;
    exec.signal(10).expect("a signal");
    let text = rest(output).await;
    assert!(text.contains("child\n") && text.contains("parent\n"), "{text}");
    assert_eq!(exec.wait().await.expect("an end").code, Some(0));
}

async fn a_program_may_ignore_a_signal_but_not_its_end(bench: &Bench) {
    let room = bench.room().await;
    let script = "trap 'echo ignored' TERM; echo ready; while :; do sleep 0.01; done";
    let (exec, mut output) = room.ready(shell(script)).await;
    exec.signal(15).expect("a signal");
    until_read(&mut output, "ignored").await;
    exec.kill();
    let exit = exec.wait().await.expect("an end");
    assert_eq!((exit.code, exit.signal), (None, Some(9)));
}

async fn a_kill_takes_children_daemons_and_sessions_along(bench: &Bench) {
    let room = bench.room().await;
    let (exec, _output) = room.ready(python(DAEMONS)).await;
    until("all are there", async || room.processes().await >= 5).await;
    exec.kill();
    assert_eq!(exec.wait().await.expect("an end").signal, Some(9));
    assert_eq!(room.processes().await, 0, "the end is said when all are gone");
}

async fn a_fork_bomb_within_the_limit_is_killed_whole(bench: &Bench) {
    let room = bench.room().await;
    let script = "
import os, time
print('ready', flush=True)
while True:
    try: os.fork()
    except OSError: time.sleep(0.01)
";
    let (exec, _output) = room.ready(python(script)).await;
    until("it has spread", async || room.processes().await >= 32).await;
    exec.kill();
    assert_eq!(exec.wait().await.expect("an end").signal, Some(9));
    assert_eq!(room.processes().await, 0);
    assert_eq!(room.says(shell("echo room again")).await, "room again\n");
}

async fn what_a_program_leaves_behind_ends_with_it(bench: &Bench) {
    let room = bench.room().await;
    let script = DAEMONS.replace("print('ready', flush=True)\ntime.sleep(600)", "os._exit(3)");
    let exit = room.run(python(&script)).await.exit;
    assert_eq!(exit.code, Some(3));
    assert_eq!(room.processes().await, 0);
}

async fn orphans_in_the_sandbox_are_reaped(bench: &Bench) {
    let room = bench.room().await;
    let script = "
import os, time
for _ in range(20):
    if os.fork() == 0:
        if os.fork() == 0: os._exit(0)
        os._exit(0)
    os.wait()
def zombies():
    found = 0
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try: found += open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[0] == 'Z'
        except OSError: pass
    return found
while zombies(): time.sleep(0.01)
print('none')
";
    assert_eq!(room.says(python(script)).await, "none\n");
}

async fn a_program_whose_time_is_over_is_killed_with_its_tree(bench: &Bench) {
    let room = bench.room().await;
    let exit = room.run(python(DAEMONS).timeout(Duration::from_millis(300))).await.exit;
    assert!(exit.timed_out, "{exit:?}");
    assert_eq!(room.processes().await, 0);
    let exit = room.run(shell("exit 4").timeout(Duration::from_secs(600))).await.exit;
    assert_eq!((exit.code, exit.timed_out), (Some(4), false));
}

async fn a_program_that_is_dropped_is_killed_with_its_tree(bench: &Bench) {
    let room = bench.room().await;
    let running = room.ready(python(DAEMONS)).await;
    drop(running);
    room.quiet().await;
    until("it is forgotten", async || room.link.execs().await.expect("a list").is_empty()).await;
}

async fn a_program_goes_on_without_anybody_and_is_taken_up_again(bench: &Bench) {
    let mut room = bench.room().await;
    let script = "echo ready; echo kept; echo kept too >&2; read line; echo got $line";
    let (exec, output) = room.ready(shell(script).stdin()).await;
    drop(output);
    let (second, output) = room.ready(shell(script).stdin()).await;
    exec.kill();
    let id = second.detach().await.expect("detached");
    drop(output);
    room.link = bench.link(&room.id).await;
    let mut exec = room.link.attach(id).await.expect("it runs");
    let mut stdin = exec.stdin().expect("it has one");
    stdin.write_all(b"word\n").await.expect("it reads");
    drop(stdin);
    let finished = exec.output(1000).await.expect("an end");
    assert!(finished.stdout.ends_with(b"got word\n"), "{finished:?}");
    assert_eq!((finished.exit.code, &finished.stderr[..]), (Some(0), &b"kept too\n"[..]));
}

async fn a_program_that_ended_without_anybody_is_remembered(bench: &Bench) {
    let mut room = bench.room().await;
    let script = "while ! test -e go; do sleep 0.01; done; echo last words; exit 7";
    let id = room.exec(shell(script)).await.detach().await.expect("detached");
    room.link = bench.link(&room.id).await;
    room.says(shell("touch go")).await;
    until("it has ended", async || {
        room.link.execs().await.expect("a list").iter().any(|exec| exec.id == id && exec.ended)
    })
    .await;
    let finished = room.link.attach(id).await.expect("it is known").output(100).await.expect("an end");
    assert_eq!((finished.exit.code, &finished.stdout[..]), (Some(7), &b"last words\n"[..]));
    until("it is forgotten", async || room.link.execs().await.expect("a list").is_empty()).await;
}

async fn a_program_without_anybody_is_killed_when_its_time_is_over(bench: &Bench) {
    let mut room = bench.room().await;
    let exec = room.exec(python(DAEMONS).timeout(Duration::from_millis(700))).await;
    let id = exec.detach().await.expect("detached");
    room.link = bench.link(&room.id).await;
    let exit = room.link.attach(id).await.expect("it is known").wait().await.expect("an end");
    assert!(exit.timed_out, "{exit:?}");
    assert_eq!(room.processes().await, 0);
}

async fn programs_that_run_are_listed(bench: &Bench) {
    let room = bench.room().await;
    let (one, _one) = room.ready(shell("echo ready; sleep 600")).await;
    let (two, _two) = room.ready(shell("echo ready; exec sleep 601")).await;
    let listed = room.link.execs().await.expect("a list");
    assert_eq!(listed.iter().map(|exec| exec.id).collect::<Vec<_>>(), [one.id(), two.id()]);
    assert_eq!(listed.iter().map(|exec| exec.pid).collect::<Vec<_>>(), [one.pid(), two.pid()]);
    assert_eq!(listed[0].argv[2].to_vec(), b"echo ready; sleep 600");
    assert!(listed.iter().all(|exec| !exec.ended));
}

async fn usage_counts_what_runs(bench: &Bench) {
    let room = bench.room().await;
    let before = room.link.usage().await.expect("an answer");
    assert_eq!((before.processes, before.execs), (0, 0));
    room.says(shell("dd if=/dev/zero of=file bs=1M count=8 status=none")).await;
    let (_exec, _output) = room.ready(shell("sleep 600 & sleep 600 & echo ready; wait")).await;
    let during = room.link.usage().await.expect("an answer");
    assert_eq!((during.processes, during.execs), (3, 1));
    assert!(during.disk >= before.disk + (8 << 20), "{before:?} {during:?}");
    assert!(during.memory > 0 && during.cpu_us >= before.cpu_us, "{during:?}");
}
