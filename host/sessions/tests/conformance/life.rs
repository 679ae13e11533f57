//! A sandbox from its making to its end.

use std::time::Duration;

use packhost_core::Caller;
use packhost_sessions::link::LinkError;
use packhost_sessions::{Ended, Health, Image, RuntimeError, SandboxId, SandboxSpec, SandboxState};
use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Bench, soon, until};
use crate::machine;
use crate::room::{python, shell};

crate::behaviours![
    a_backend_says_what_it_can_and_that_it_can,
    what_a_backend_cannot_do_it_says_and_refuses,
    a_sandbox_is_made_listed_and_destroyed,
    a_sandbox_that_nobody_knows_is_not_found,
    an_id_is_not_given_twice,
    two_connections_serve_one_sandbox,
    what_was_written_about_a_sandbox_is_bounded,
    a_supervisor_that_was_killed_is_said,
    a_sandbox_that_was_told_to_end_says_so,
    a_sandbox_without_a_host_ends_itself,
    a_sandbox_that_runs_programs_is_destroyed,
    a_sandbox_is_destroyed_while_it_is_made,
    a_making_that_nobody_waits_for_leaves_nothing_unknown,
    twenty_sandboxes_leave_nothing_behind,
];

async fn ended(bench: &Bench, id: &SandboxId) -> Ended {
    soon("it ends", async || match bench.state(id).await {
        SandboxState::Ended(how) => Ok(how),
        other => Err(format!("{other:?}")),
    })
    .await
}

async fn a_backend_says_what_it_can_and_that_it_can(bench: &Bench) {
    let runtime = bench.runtime();
    let Health::Healthy(words) = runtime.health().await else { panic!("it was healthy a moment ago") };
    assert!(!words.is_empty());
    let can = runtime.capabilities();
    assert!(can.host_files || can.images);
    assert!(can.lacking.iter().all(|sentence| sentence.contains(' ')), "{can:?}");
}

async fn what_a_backend_cannot_do_it_says_and_refuses(bench: &Bench) {
    let runtime = bench.runtime();
    runtime.health().await;
    let can = runtime.capabilities();
    let refused = async |image: Image| {
        let refused = runtime.create(&SandboxSpec { image, ..bench.spec() }).await.expect_err("no sandbox");
        assert!(matches!(refused, RuntimeError::Unsupported(_) | RuntimeError::Image(_)), "{refused:?}");
        assert!(refused.to_string().len() > 20, "{refused}");
    };
    let none = |digest: Option<String>| Image::Named { name: "packhost/no-such-image".into(), digest };
    refused(none(None)).await;
    refused(none(Some(format!("sha256:{}", "0".repeat(64))))).await;
    if !can.host_files {
        refused(Image::Host(vec!["/usr".into()])).await;
    }
    assert!(runtime.list().await.expect("a list").is_empty());
}

async fn a_sandbox_is_made_listed_and_destroyed(bench: &Bench) {
    let runtime = bench.runtime();
    let spec = SandboxSpec { owner: Caller::token("ci"), ..bench.spec() };
    let before = std::time::SystemTime::now() - Duration::from_secs(2);
    let room = bench.room_of(spec).await;
    let status = runtime.get(&room.id).await.expect("it is known");
    assert_eq!(
        (&status.id, status.owner.as_str(), &status.state),
        (&room.id, "token:ci", &SandboxState::Running)
    );
    assert!(status.created >= before && status.created <= std::time::SystemTime::now());
    assert_eq!(runtime.list().await.expect("a list"), [status]);
    runtime.extend(&room.id, std::time::SystemTime::now()).await.expect("it is known");
    runtime.destroy(&room.id).await.expect("its end");
    runtime.destroy(&room.id).await.expect("once more is no error");
    assert!(runtime.list().await.expect("a list").is_empty());
    assert!(matches!(room.link.lost().await, LinkError::Ended(_)));
}

async fn a_sandbox_that_nobody_knows_is_not_found(bench: &Bench) {
    let (runtime, id) = (bench.runtime(), SandboxId::fresh());
    assert_eq!(runtime.get(&id).await, Err(RuntimeError::NotFound));
    assert_eq!(runtime.open(&id).await.err(), Some(RuntimeError::NotFound));
    assert_eq!(runtime.logs(&id, 10).await, Err(RuntimeError::NotFound));
    assert_eq!(runtime.extend(&id, std::time::SystemTime::now()).await, Err(RuntimeError::NotFound));
    runtime.destroy(&id).await.expect("there is none");
}

async fn an_id_is_not_given_twice(bench: &Bench) {
    let spec = bench.spec();
    let room = bench.room_of(spec.clone()).await;
    bench.runtime().create(&spec).await.expect_err("there is one");
    assert_eq!(room.says(shell("echo the first goes on")).await, "the first goes on\n");
    assert_eq!(bench.runtime().list().await.expect("a list").len(), 1);
}

async fn two_connections_serve_one_sandbox(bench: &Bench) {
    let one = bench.room().await;
    let two = bench.link(&one.id).await;
    let (_exec, _output) = one.ready(shell("echo x > x; echo ready; sleep 600")).await;
    assert_eq!(two.execs().await.expect("a list").len(), 1);
    drop(one.link);
    two.ping().await.expect("it stays");
}

async fn what_was_written_about_a_sandbox_is_bounded(bench: &Bench) {
    let room = bench.room().await;
    for most in [0, 1, 1000, usize::MAX] {
        let log = bench.runtime().logs(&room.id, most).await.expect("a log");
        assert!(log.len() <= most.min(2 << 20));
    }
}

async fn a_supervisor_that_was_killed_is_said(bench: &Bench) {
    let room = bench.room().await;
    let (exec, _output) = room.ready(shell("echo ready; sleep 600")).await;
    let pid = bench.supervisor(&room.id).await;
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process");
    kill_process(pid, Signal::KILL).expect("it runs");
    assert_eq!(ended(bench, &room.id).await, Ended::Signalled(9));
    let lost = exec.wait().await.expect_err("nobody knows how it ended");
    assert_eq!(lost.to_string(), "the sandbox has ended: signal 9 ended it from outside");
    let refused = bench.runtime().open(&room.id).await.err();
    assert_eq!(refused, Some(RuntimeError::Ended(Ended::Signalled(9))));
    let listed = bench.runtime().list().await.expect("a list");
    assert_eq!(listed[0].state, SandboxState::Ended(Ended::Signalled(9)));
}

async fn a_sandbox_that_was_told_to_end_says_so(bench: &Bench) {
    let room = bench.room().await;
    let (_exec, _output) =
        room.ready(python("import time; print('ready', flush=True); time.sleep(600)")).await;
    room.link.shutdown().await.expect("it hears it");
    assert_eq!(ended(bench, &room.id).await, Ended::Exited(0));
    assert_eq!(room.link.lost().await, LinkError::Ended(Ended::Exited(0)));
    bench.runtime().logs(&room.id, 100).await.expect("it is known until it is destroyed");
    bench.runtime().destroy(&room.id).await.expect("its end");
    assert_eq!(bench.runtime().get(&room.id).await, Err(RuntimeError::NotFound));
}

async fn a_sandbox_without_a_host_ends_itself(bench: &Bench) {
    let spec = SandboxSpec { orphaned_after: Duration::from_millis(500), ..bench.spec() };
    let room = bench.room_of(spec).await;
    room.exec(shell("sleep 600")).await.detach().await.expect("detached");
    drop(room.link);
    assert_eq!(ended(bench, &room.id).await, Ended::Orphaned);
}

async fn a_sandbox_that_runs_programs_is_destroyed(bench: &Bench) {
    let room = bench.room().await;
    let script = "
import os, time
for _ in range(10):
    if os.fork() == 0: os.setsid(); time.sleep(600)
print('ready', flush=True)
while True: open('/sandbox/x', 'w').write('x' * 1000000)
";
    let (exec, _output) = room.ready(python(script)).await;
    let names = bench.place.names(&room.id).await;
    bench.runtime().destroy(&room.id).await.expect("its end");
    assert!(matches!(exec.wait().await, Err(LinkError::Ended(_))));
    until("nothing is left", async || machine::traces(&names).is_empty()).await;
}

async fn a_sandbox_is_destroyed_while_it_is_made(bench: &Bench) {
    let runtime = bench.runtime();
    for pause in [0, 1, 5, 20, 80] {
        let spec = bench.spec();
        let destroying = async {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            runtime.destroy(&spec.id).await
        };
        let (made, destroyed) = tokio::join!(runtime.create(&spec), destroying);
        destroyed.expect("whatever there is");
        // Whichever of the two came last: what is there is known, and can be destroyed.
        let known = runtime.list().await.expect("a list");
        assert!(made.is_err() || known.len() <= 1);
        runtime.destroy(&spec.id).await.expect("its end");
        assert!(runtime.list().await.expect("a list").is_empty());
    }
}

async fn a_making_that_nobody_waits_for_leaves_nothing_unknown(bench: &Bench) {
    let runtime = bench.runtime();
    for patience in [0, 1, 5, 20, 80, 300] {
        let spec = bench.spec();
        let _ = tokio::time::timeout(Duration::from_millis(patience), runtime.create(&spec)).await;
    }
    // That nothing is left is seen at the end, as of every behaviour.
    assert!(runtime.list().await.is_ok());
}

async fn twenty_sandboxes_leave_nothing_behind(bench: &Bench) {
    let mut names = Vec::new();
    for _ in 0..20 {
        let room = bench.room().await;
        let known = bench.place.names(&room.id).await;
        assert!(!machine::traces(&known).is_empty() && !bench.place.left().await.is_empty(), "{known:?}");
        names.extend(known);
        room.exec(shell("sleep 600")).await.detach().await.expect("detached");
        bench.runtime().destroy(&room.id).await.expect("its end");
    }
    assert!(bench.place.left().await.is_empty());
    soon("nothing is left", async || match machine::traces(&names) {
        left if left.is_empty() => Ok(()),
        left => Err(format!("{left:?}")),
    })
    .await;
}
