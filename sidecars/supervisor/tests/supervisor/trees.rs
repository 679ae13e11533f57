//! A program is its process tree: it ends as one.

use packhost_session_protocol::message::{ExecInput, User};

use crate::host::{Sandbox, marker, processes_with, program, shell, stat, until};

/// Starts daemons as daemons start: forked twice, in a session of their own, with nothing of their parent's open.
fn daemons(marker: &str) -> String {
    format!(
        "(setsid sh -c 'sleep {marker} & setsid sleep {marker} & wait' </dev/null >/dev/null 2>&1 &); \
         (nohup sleep {marker} </dev/null >/dev/null 2>&1 &);"
    )
}

/// A shell loop that ends once so many processes sleep so long.
fn wait_for(count: usize, marker: &str) -> String {
    format!(
        "while [ $(grep -lxz {marker} /proc/[0-9]*/cmdline 2>/dev/null | wc -l) -lt {count} ]; do :; done;"
    )
}

#[tokio::test]
async fn daemons_end_with_the_program_that_started_them() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let marker = marker();
    let outcome = host.shell(&format!("{} {} exit 5", daemons(&marker), wait_for(3, &marker))).await;
    assert_eq!(outcome.exit.code, Some(5));
    assert_eq!(processes_with(&marker), []);
}

#[tokio::test]
async fn a_kill_takes_the_whole_tree() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let marker = marker();
    let script = format!(
        "trap '' TERM INT HUP; {} {} echo ready; sleep {marker}; echo no",
        daemons(&marker),
        wait_for(3, &marker)
    );
    let mut exec = host.start(shell(&script)).await;
    exec.read_until("ready").await;
    exec.say(ExecInput::Kill).await;
    let outcome = exec.outcome().await;
    assert_eq!((outcome.exit.code, outcome.exit.signal), (None, Some(9)));
    assert!(!outcome.exit.timed_out);
    assert_eq!(processes_with(&marker), []);
}

#[tokio::test]
async fn a_program_whose_time_is_over_is_killed_with_its_tree() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let marker = marker();
    let mut start = shell(&format!("trap '' TERM; {} sleep {marker}", daemons(&marker)));
    start.timeout_ms = Some(200);
    let outcome = host.start(start).await.outcome().await;
    assert!(outcome.exit.timed_out);
    assert_eq!(outcome.exit.signal, Some(9));
    assert!(outcome.exit.ran_us >= 200_000);
    assert_eq!(processes_with(&marker), []);

    let mut quick = program(&["true"]);
    quick.timeout_ms = Some(600_000);
    assert!(!host.start(quick).await.outcome().await.exit.timed_out);
}

#[tokio::test]
async fn a_fork_bomb_does_not_outlive_its_program() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    // Nobody else has this user, whose limit of processes bounds the bomb where no cgroup does.
    let user = 61_000 + std::process::id() % 1000;
    for script in ["b() { b | b & }; b; exit 0", "b() { b | b & }; b; while :; do :; done"] {
        let mut start = shell(script);
        start.confinement.user = Some(User { uid: user, gid: user });
        start.confinement.rlimits.processes = Some(100);
        start.timeout_ms = Some(300);
        let outcome = host.start(start).await.outcome().await;
        assert_eq!(outcome.exit.timed_out, script.ends_with("done"));
        let left = std::fs::read_dir("/proc").expect("/proc").filter(|entry| {
            let owner = entry.as_ref().ok().and_then(|entry| entry.metadata().ok());
            owner.is_some_and(|owner| std::os::unix::fs::MetadataExt::uid(&owner) == user)
        });
        assert_eq!(left.count(), 0);
    }
    assert_eq!(host.shell("exit 4").await.exit.code, Some(4));
}

#[tokio::test]
async fn orphans_are_reaped_while_the_program_runs() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let mut start = shell("for i in 1 2 3 4 5 6 7 8; do (true & echo $!); done; echo ready; read line");
    start.stdin = true;
    let mut exec = host.start(start).await;
    let text = exec.read_until("ready").await;
    let orphans: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    assert_eq!(orphans.len(), 8);
    until(|| orphans.iter().all(|orphan| stat(*orphan).is_none())).await;
    exec.say(ExecInput::End).await;
    exec.outcome().await;
    // And the keeper is, after it.
    let supervisor = sandbox.pid();
    until(|| {
        let children = std::fs::read_to_string(format!("/proc/{supervisor}/task/{supervisor}/children"));
        children.expect("it runs").is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_program_whose_keeper_is_killed_ends_with_its_tree() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let marker = marker();
    let script = format!("{} {} echo ready; sleep {marker}", daemons(&marker), wait_for(3, &marker));
    let mut exec = host.start(shell(&script)).await;
    exec.read_until("ready").await;
    let (_, keeper) = stat(exec.attached.pid).expect("it runs");
    assert_ne!(keeper, sandbox.pid());
    let keeper = rustix::process::Pid::from_raw(keeper.try_into().expect("a pid")).expect("a pid");
    rustix::process::kill_process(keeper, rustix::process::Signal::KILL).expect("killed");
    assert_eq!(exec.outcome().await.exit.signal, Some(9));
    until(|| processes_with(&marker).is_empty()).await;
    assert_eq!(host.shell("exit 6").await.exit.code, Some(6));
}

#[tokio::test]
async fn a_supervisor_that_is_killed_takes_its_programs_along() {
    let mut sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let marker = marker();
    let script = format!("{} {} echo ready; sleep {marker}", daemons(&marker), wait_for(3, &marker));
    let mut exec = host.start(shell(&script)).await;
    exec.read_until("ready").await;
    sandbox.child.kill().expect("killed");
    until(|| processes_with(&marker).is_empty()).await;
}
