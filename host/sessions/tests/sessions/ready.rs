//! Sandboxes that stand ready, and who gets them.

use std::sync::Arc;
use std::time::Duration;

use packhost_core::Caller;
use packhost_sessions::{Ended, Need, SandboxId, SessionError, Sessions, SessionsSettings};
use tempfile::TempDir;

use crate::fake::Fake;
use crate::leases::{need, sessions};
use crate::wire::FakeRuntime;

struct Host {
    state: TempDir,
    runtime: Arc<FakeRuntime>,
    sessions: Sessions,
}

fn host() -> Host {
    let state = tempfile::tempdir().expect("a directory");
    let runtime = FakeRuntime::new(Arc::new(Fake::default()), []);
    let sessions = sessions(state.path(), &runtime, SessionsSettings::default());
    Host { state, runtime, sessions }
}

impl Host {
    async fn prepared(&self) -> SandboxId {
        self.sessions.prepare(&need()).await.expect("a sandbox")
    }

    /// The sandboxes that are written down, with their owners.
    async fn owners(&self) -> Vec<(SandboxId, Option<String>)> {
        let listed = self.sessions.list().await.expect("listed");
        listed.into_iter().map(|one| (one.id, one.owner)).collect()
    }
}

fn of(owner: &Caller) -> Need {
    Need { owner: owner.clone(), ..need() }
}

fn callers() -> (Caller, Caller) {
    (Caller::local(), Caller::token("bob"))
}

#[tokio::test]
async fn what_stands_ready_is_given_once_and_never_to_a_second_caller() {
    let host = host();
    let (ada, bob) = callers();
    let id = host.prepared().await;
    assert_eq!(host.owners().await, [(id.clone(), None)]);
    let first = host.sessions.acquire(of(&ada)).await.expect("a session");
    assert_eq!((first.id(), first.is_warm(), first.is_reused()), (&id, true, false));
    assert_eq!(host.owners().await, [(id.clone(), Some("local".to_owned()))]);
    assert!(!host.sessions.is_ready(&id));
    first.put_back();
    let other = host.sessions.acquire(of(&bob)).await.expect("a session");
    assert!(*other.id() != id && !other.is_warm(), "it is ada's");
    let again = host.sessions.acquire(of(&ada)).await.expect("a session");
    assert_eq!((again.id(), again.is_warm(), again.is_reused()), (&id, false, true));
}

#[tokio::test]
async fn of_two_callers_at_once_one_gets_it() {
    let host = host();
    let (ada, bob) = callers();
    for _ in 0..20 {
        let id = host.prepared().await;
        let (one, two) = tokio::join!(host.sessions.acquire(of(&ada)), host.sessions.acquire(of(&bob)));
        let (one, two) = (one.expect("a session"), two.expect("a session"));
        assert_ne!(one.id(), two.id());
        assert_eq!([&one, &two].map(|held| *held.id() == id), [one.is_warm(), two.is_warm()]);
        assert!(one.is_warm() != two.is_warm());
        drop((one, two));
        host.sessions.drain().await;
    }
}

#[tokio::test]
async fn what_stands_ready_counts_for_nobody_and_what_is_given_for_its_owner() {
    let host = host();
    let (ada, bob) = callers();
    let ready = [host.prepared().await, host.prepared().await, host.prepared().await];
    // One for each caller is all that there may be of the pack.
    let held = host.sessions.acquire(of(&ada)).await.expect("a session");
    let more = host.sessions.acquire(of(&ada)).await;
    assert!(matches!(more, Err(SessionError::TooMany { most: 1, .. })));
    let left = ready.iter().filter(|id| host.sessions.is_ready(id)).count();
    assert_eq!(left, 2, "who may have no more uses none up");
    assert!(host.sessions.acquire(of(&bob)).await.expect("a session").is_warm());
    held.put_back();
    // One that waits makes room for one that is here.
    let elsewhere = Need { workspace: Some("ws".into()), ..of(&ada) };
    host.sessions.prepare(&elsewhere).await.expect("a sandbox");
    assert!(host.sessions.acquire(elsewhere).await.expect("a session").is_warm());
}

#[tokio::test]
async fn what_was_prepared_for_one_need_serves_no_other() {
    let host = host();
    let need = Need { most: 10, ..need() };
    let id = host.sessions.prepare(&need).await.expect("a sandbox");
    for other in [
        Need { pack: "node.run".parse().expect("a name"), ..need.clone() },
        Need { workspace: Some("ws".into()), ..need.clone() },
        Need { rules: "others".into(), ..need.clone() },
        Need { host_files: vec!["/usr".into(), "/opt".into()], ..need.clone() },
        Need { lifetime: Duration::from_secs(60), ..need.clone() },
    ] {
        assert!(!host.sessions.acquire(other).await.expect("a session").is_warm());
    }
    assert!(host.sessions.is_ready(&id));
    assert!(host.sessions.acquire(need).await.expect("a session").is_warm());
}

#[tokio::test]
async fn one_that_died_is_noticed_and_not_handed_out() {
    let host = host();
    let dead = host.prepared().await;
    host.runtime.end(Ended::OutOfMemory);
    let keeping = tokio::spawn({
        let sessions = host.sessions.clone();
        async move { sessions.keep().await }
    });
    host.sessions.ready_left().await;
    assert!(!host.sessions.is_ready(&dead));
    host.runtime.destroyed.notified().await;
    host.runtime.start_again();
    let held = host.sessions.acquire(need()).await.expect("a session");
    assert!(*held.id() != dead && !held.is_warm());
    keeping.abort();
}

#[tokio::test]
async fn one_that_does_not_answer_when_it_is_wanted_is_ended() {
    let host = host();
    let dead = host.prepared().await;
    host.runtime.end(Ended::Exited(1));
    assert!(host.sessions.acquire(need()).await.is_err(), "there are none at all now");
    assert!(!host.sessions.is_ready(&dead));
    host.sessions.drain().await;
    assert_eq!(host.owners().await, []);
}

#[tokio::test]
async fn one_that_an_operator_has_ended_is_not_handed_out() {
    let host = host();
    let id = host.prepared().await;
    host.sessions.remove(&id).await.expect("removed");
    host.sessions.ready_left().await;
    assert!(!host.sessions.acquire(need()).await.expect("a session").is_warm());
}

#[tokio::test]
async fn one_that_stood_for_half_of_its_lifetime_is_ended() {
    let host = host();
    let short = Need { lifetime: Duration::ZERO, ..need() };
    let id = host.sessions.prepare(&short).await.expect("a sandbox");
    tokio::select! {
        () = host.sessions.keep() => {}
        () = host.sessions.ready_left() => {}
    }
    assert!(!host.sessions.is_ready(&id));
}

#[tokio::test]
async fn what_is_discarded_is_ended_unless_somebody_has_got_it() {
    let host = host();
    let id = host.prepared().await;
    let held = host.sessions.acquire(need()).await.expect("a session");
    host.sessions.discard(&id);
    held.link().ping().await.expect("it is its owner's");
    let unused = host.prepared().await;
    host.sessions.discard(&unused);
    host.sessions.drain().await;
    assert_eq!(host.owners().await, [(id, Some("local".to_owned()))]);
}

#[tokio::test]
async fn nothing_stands_ready_after_the_end() {
    let host = host();
    for _ in 0..3 {
        host.prepared().await;
    }
    host.sessions.drain().await;
    assert_eq!(host.owners().await, []);
}

#[tokio::test]
async fn what_a_host_that_is_gone_had_ready_is_ended_by_another() {
    let host = host();
    let state = host.state.path();
    let gone = sessions(
        state,
        &host.runtime,
        SessionsSettings { lease: Duration::ZERO, ..SessionsSettings::default() },
    );
    gone.prepare(&need()).await.expect("a sandbox");
    while host.sessions.sweep().await.expect("swept").ended == 0 {
        tokio::task::yield_now().await;
    }
    host.sessions.drain().await;
    assert_eq!(host.owners().await, []);
}
