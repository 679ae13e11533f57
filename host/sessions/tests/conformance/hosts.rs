//! Hosts that start again, and hosts beside each other.

use packhost_core::Caller;
use packhost_sessions::{RuntimeError, SandboxSpec, SandboxState};

use crate::bench::Bench;
use crate::room::{Room, shell};

crate::behaviours![
    a_host_that_starts_again_finds_its_sandboxes,
    a_program_goes_on_over_a_restart_of_its_host,
    a_sandbox_that_ended_meanwhile_is_found_as_ended,
    a_host_neither_sees_nor_touches_the_sandboxes_of_another,
];

async fn a_host_that_starts_again_finds_its_sandboxes(bench: &Bench) {
    let spec = SandboxSpec { owner: Caller::token("ci"), ..bench.spec() };
    let room = bench.room_of(spec).await;
    room.says(shell("echo kept > file")).await;
    let before = bench.runtime().list().await.expect("a list");
    drop(room.link);
    bench.restart();
    assert_eq!(bench.runtime().list().await.expect("a list"), before);
    assert_eq!((before.len(), before[0].owner.as_str()), (1, "token:ci"));
    let room = Room { link: bench.link(&room.id).await, id: room.id };
    assert_eq!(room.says(shell("cat file")).await, "kept\n");
}

async fn a_program_goes_on_over_a_restart_of_its_host(bench: &Bench) {
    let room = bench.room().await;
    let script = "echo before; while ! test -e go; do sleep 0.01; done; echo after; exit 5";
    let id = room.exec(shell(script)).await.detach().await.expect("detached");
    drop(room.link);
    bench.restart();
    let room = Room { link: bench.link(&room.id).await, id: room.id };
    let exec = room.link.attach(id).await.expect("it runs");
    room.says(shell("touch go")).await;
    let finished = exec.output(100).await.expect("an end");
    assert_eq!((&finished.stdout[..], finished.exit.code), (&b"before\nafter\n"[..], Some(5)));
}

async fn a_sandbox_that_ended_meanwhile_is_found_as_ended(bench: &Bench) {
    let room = bench.room().await;
    bench.restart();
    let link = bench.link(&room.id).await;
    link.shutdown().await.expect("it hears it");
    link.lost().await;
    bench.restart();
    assert!(matches!(bench.state(&room.id).await, SandboxState::Ended(_)));
    assert!(matches!(bench.runtime().open(&room.id).await.err(), Some(RuntimeError::Ended(_))));
    bench.runtime().destroy(&room.id).await.expect("its end");
    assert!(bench.runtime().list().await.expect("a list").is_empty());
}

async fn a_host_neither_sees_nor_touches_the_sandboxes_of_another(bench: &Bench) {
    let room = bench.room().await;
    let beside = bench.place.beside();
    let other = beside.host();
    assert!(other.list().await.expect("a list").is_empty());
    assert_eq!(other.get(&room.id).await, Err(RuntimeError::NotFound));
    assert_eq!(other.logs(&room.id, 10).await, Err(RuntimeError::NotFound));
    assert_eq!(other.open(&room.id).await.err(), Some(RuntimeError::NotFound));
    other.destroy(&room.id).await.expect("there is none");
    assert_eq!(room.says(shell("echo alive")).await, "alive\n");
}
