//! A sandbox from its making to its end, and who may see it.

use std::time::Duration;

use packhost_core::Caller;
use packhost_sessions::docker::{DockerSettings, Stream};
use packhost_sessions::{Ended, Health, RuntimeError, SandboxId, SandboxState, SessionRuntime};
use packhost_test_engine::Engine;

use crate::docker::support::{host, settings, soon, spec, with};

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_is_made_reached_listed_and_destroyed_without_a_trace() {
    let engine = Engine::start().await;
    let host = host(&engine, "h");
    assert!(matches!(host.runtime.health().await, Health::Healthy(_)));
    let mut wanted = spec();
    wanted.owner = Caller::token("ci");
    wanted.labels.insert("pack".into(), "python.run".into());
    let id = host.create(&wanted).await;

    assert_eq!(host.run(&id, "echo there; echo $FROM_HOST").await, "there\n\n");
    let _held = host.runtime.open(&id).await.expect("a stream that stays");
    assert_eq!(host.run(&id, "echo beside").await, "beside\n");

    let status = host.runtime.get(&id).await.expect("it is known");
    assert_eq!((&status.id, status.owner.as_str(), &status.state), (&id, "token:ci", &SandboxState::Running));
    assert!(status.created.elapsed().expect("in the past") < Duration::from_secs(60));
    assert_eq!(host.runtime.list().await.expect("a list"), [status]);
    assert_eq!(host.runtime.logs(&id, 5).await.expect("logs"), b"rves\n");
    assert_eq!(engine.containers().await, [format!("/packhost-{id}")]);

    host.runtime.destroy(&id).await.expect("it is destroyed");
    host.runtime.destroy(&id).await.expect("once more is no error");
    assert_eq!(host.runtime.get(&id).await, Err(RuntimeError::NotFound));
    assert_eq!(host.runtime.open(&id).await.err(), Some(RuntimeError::NotFound));
    assert_eq!(host.runtime.logs(&id, 1).await, Err(RuntimeError::NotFound));
    assert!(host.runtime.list().await.expect("a list").is_empty());
    assert!(engine.containers().await.is_empty() && host.places().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_on_one_engine_do_not_see_or_touch_each_others() {
    let engine = Engine::start().await;
    let (one, other) = (host(&engine, "one"), host(&engine, "other"));
    let mine = one.create(&spec()).await;
    let theirs = other.create(&spec()).await;

    let listed = |sandboxes: Vec<packhost_sessions::SandboxStatus>| -> Vec<SandboxId> {
        sandboxes.into_iter().map(|status| status.id).collect()
    };
    assert_eq!(listed(one.runtime.list().await.expect("a list")), std::slice::from_ref(&mine));
    assert_eq!(listed(other.runtime.list().await.expect("a list")), std::slice::from_ref(&theirs));
    assert_eq!(one.runtime.get(&theirs).await, Err(RuntimeError::NotFound));
    assert_eq!(one.runtime.logs(&theirs, 9).await, Err(RuntimeError::NotFound));
    assert!(one.runtime.open(&theirs).await.is_err());
    one.runtime.destroy(&theirs).await.expect("there is none");
    assert_eq!(other.run(&theirs, "echo alive").await, "alive\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_starts_again_finds_its_sandboxes() {
    let engine = Engine::start().await;
    let settings = settings(&engine, "h");
    let id = with(settings.clone()).create(&spec()).await;
    let again = with(settings);
    assert_eq!(again.runtime.list().await.expect("a list").len(), 1);
    assert_eq!(again.run(&id, "echo alive").await, "alive\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_sandbox_ended_is_known() {
    let engine = Engine::start().await;
    let host = host(&engine, "h");
    let mut short = spec();
    short.orphaned_after = Duration::from_millis(1500);
    let (exits, eats, killed, orphan) = (
        host.create(&spec()).await,
        host.create(&spec()).await,
        host.create(&spec()).await,
        host.create(&short).await,
    );
    host.end(&exits, "!exit").await;
    host.end(&eats, "!eat").await;
    let name = format!("packhost-{killed}");
    engine.client().await.kill_container(&name, None).await.expect("it is killed from outside");

    for (id, how) in [
        (exits, Ended::Exited(3)),
        (eats, Ended::OutOfMemory),
        (killed, Ended::Signalled(9)),
        (orphan, Ended::Orphaned),
    ] {
        let ended = soon("it ends", async || match host.runtime.get(&id).await.expect("it is known").state {
            SandboxState::Ended(how) => Some(how),
            _ => None,
        });
        assert_eq!(ended.await, how);
        assert_eq!(host.runtime.open(&id).await.err(), Some(RuntimeError::Ended(how.clone())));
        let listed = host.runtime.list().await.expect("a list");
        assert!(
            listed.iter().any(|status| status.id == id && status.state == SandboxState::Ended(how.clone()))
        );
        host.runtime.destroy(&id).await.expect("it is destroyed");
    }
    assert!(engine.containers().await.is_empty() && host.places().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_through_the_engine_where_sockets_do_not_pass() {
    let engine = Engine::start().await;
    let host = with(DockerSettings { stream: Stream::Exec, ..settings(&engine, "h") });
    let id = host.create(&spec()).await;
    assert!(host.places().is_empty());
    assert_eq!(host.run(&id, "echo there").await, "there\n");
    // More than the engine hands over at once, with every byte.
    let much = host.run(&id, "dd if=/dev/zero bs=65536 count=64 status=none").await;
    assert!(much.len() == 64 * 65536 && much.bytes().all(|byte| byte == 0));
    assert_eq!(
        host.run(&id, "ls /.packhost/run").await.lines().next(),
        Some("ls: cannot open directory '/.packhost/run': Permission denied")
    );
    host.end(&id, "!exit").await;
    let ended = soon("it is said", async || host.runtime.open(&id).await.err()).await;
    assert_eq!(ended, RuntimeError::Ended(Ended::Exited(3)));
    host.runtime.destroy(&id).await.expect("it is destroyed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_not_there_is_said_and_found_when_it_comes() {
    let engine = Engine::start().await;
    let nowhere = engine.directory().join("later.sock");
    let host = with(DockerSettings { endpoint: nowhere.clone(), ..settings(&engine, "h") });
    let Health::Unhealthy(why) = host.runtime.health().await else { panic!("there is none") };
    assert!(why.contains("there is no such socket") && why.contains("later.sock"), "{why}");
    assert!(matches!(host.refused(&spec()).await, RuntimeError::Unavailable(_)));
    assert!(matches!(host.runtime.list().await, Err(RuntimeError::Unavailable(_))));

    std::os::unix::fs::symlink(engine.socket(), &nowhere).expect("a link");
    assert!(matches!(host.runtime.health().await, Health::Healthy(_)));
    let id = host.create(&spec()).await;
    host.runtime.destroy(&id).await.expect("it is destroyed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_answers_nothing_is_unhealthy() {
    let room = tempfile::tempdir().expect("a directory");
    let socket = room.path().join("s");
    let _silent = tokio::net::UnixListener::bind(&socket).expect("a listener");
    let engine = DockerSettings {
        endpoint: socket,
        host: packhost_sessions::HostId::fresh(),
        run_dir: room.path().join("h"),
        supervisor: packhost_sessions::docker::Supervisor::Bytes(b""),
        runtime: None,
        userns: None,
        stream: Stream::Socket,
    };
    assert!(matches!(with(engine).runtime.health().await, Health::Unhealthy(_)));
}
