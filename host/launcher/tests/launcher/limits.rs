//! How much a sandbox may use.

use packhost_launcher::{End, Fault, LauncherError, Limits, Recipe, State, bounds};

use crate::scene::{Scene, recipe};

crate::trials![
    a_program_that_needs_too_much_memory_is_killed_and_counted,
    a_supervisor_killed_for_memory_is_told_as_that,
    no_more_processes_than_the_limit_can_be_started,
    the_writable_directories_share_one_size,
    files_without_content_are_bounded_too,
    usage_is_counted,
    a_sandbox_sees_its_own_cgroup_and_cannot_change_it,
    limits_out_of_range_are_refused,
];

fn with(limits: Limits) -> Recipe {
    Recipe { limits, ..recipe() }
}

async fn a_program_that_needs_too_much_memory_is_killed_and_counted() {
    let scene = Scene::new();
    let (id, _) = scene.start(with(Limits { memory: 32 << 20, ..recipe().limits })).await;
    let (code, _) = scene.run(&id, "exec perl -e '$x = \"x\" x 200_000_000'").await;
    assert_eq!(code, -9);
    let usage = scene.launcher.usage(&id).await.expect("usage");
    assert!(usage.oom_kills >= Some(1), "{usage:?}");
    assert_eq!(scene.output(&id, "echo on").await, "on", "the sandbox goes on");
}

async fn a_supervisor_killed_for_memory_is_told_as_that() {
    let scene = Scene::new();
    let (id, _) = scene.start(with(Limits { memory: 32 << 20, ..recipe().limits })).await;
    // The stand-in keeps all output of a program in memory, so it is what grows.
    scene.request(&id, "uhead -c 200M /dev/zero").await;
    assert_eq!(scene.ended(&id).await, State::Ended(End::OutOfMemory));
}

async fn no_more_processes_than_the_limit_can_be_started() {
    let scene = Scene::new();
    let (id, _) = scene.start(with(Limits { processes: 8, ..recipe().limits })).await;
    let bomb = "for i in $(seq 200); do sleep 100 >/dev/null 2>&1 & done; echo all";
    let (code, output) = scene.run(&id, bomb).await;
    assert!(code != 0 && output.contains("ork"), "{code} {output}");
    let usage = scene.launcher.usage(&id).await.expect("usage");
    assert!(usage.processes <= Some(u64::from(8 + bounds::SUPERVISION)), "{usage:?}");
}

async fn the_writable_directories_share_one_size() {
    let scene = Scene::new();
    let (id, _) = scene.start(with(Limits { disk: 1 << 20, ..recipe().limits })).await;
    scene.output(&id, "head -c 600K /dev/zero > /tmp/x").await;
    let (code, output) = scene.run(&id, "head -c 600K /dev/zero > /sandbox/x").await;
    assert!(code != 0 && output.contains("No space left"), "{output}");
    scene.output(&id, "rm /tmp/x && head -c 600K /dev/zero > /sandbox/x").await;
}

async fn files_without_content_are_bounded_too() {
    let scene = Scene::new();
    let (id, _) = scene.start(with(Limits { disk: 1 << 20, ..recipe().limits })).await;
    let (code, output) = scene.run(&id, "cd /tmp && touch $(seq 3000)").await;
    assert!(code != 0 && output.contains("No space left"), "{output}");
}

async fn usage_is_counted() {
    let scene = Scene::new();
    let (id, _) = scene.start(recipe()).await;
    let usage = scene.launcher.usage(&id).await.expect("usage");
    assert!(usage.memory > Some(0) && usage.processes >= Some(1), "{usage:?}");
    assert_eq!(usage.oom_kills, Some(0));
}

async fn limits_out_of_range_are_refused() {
    let scene = Scene::new();
    let good = recipe().limits;
    for limits in [
        Limits { cpu_millis: 9, ..good },
        Limits { cpu_millis: 1_024_001, ..good },
        Limits { memory: 0, ..good },
        Limits { memory: u64::MAX, ..good },
        Limits { processes: 0, ..good },
        Limits { disk: 0, ..good },
        Limits { disk: u64::MAX, ..good },
    ] {
        match scene.launcher.start(with(limits)).await {
            Err(LauncherError::Refused(refusal)) => assert_eq!(refusal.fault, Fault::Unsupported),
            other => panic!("{limits:?}: {other:?}"),
        }
    }
    assert_eq!(scene.launcher.list().await.expect("a list"), []);
}

async fn a_sandbox_sees_its_own_cgroup_and_cannot_change_it() {
    let scene = Scene::new();
    let (id, _) = scene.start(recipe()).await;
    let (limit, other) = (
        "find /sys/fs/cgroup -name memory.max -o -name memory.limit_in_bytes",
        "find /sys/fs/cgroup -type d",
    );
    let file = scene.output(&id, limit).await;
    assert_eq!(scene.output(&id, &format!("cat {file}")).await, (128 << 20).to_string());
    for who in ["u", "s"] {
        let (code, _) =
            scene.request(&id, &format!("{who}echo 999999999 > {file}")).await.expect("an answer");
        assert_ne!(code, 0);
    }
    assert!(!scene.output(&id, other).await.contains("packhost"));
}
