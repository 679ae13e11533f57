//! Who has which sandbox, also where a call goes away in the middle.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packhost_audit::{AuditError, Event, Position, Recorder, Session, Written};
use packhost_core::Caller;
use packhost_sessions::{
    Backend, Journal, Need, SandboxLimits, SessionError, SessionRuntime, Sessions, SessionsSettings,
};
use packhost_state::Database;
use tokio::io::DuplexStream;

use crate::fake::Fake;
use crate::wire::{FakeRuntime, Peer};

pub(crate) fn need() -> Need {
    Need {
        owner: Caller::local(),
        pack: "python.run".parse().expect("a name"),
        on: vec![Backend::Process],
        image: None,
        host_files: vec!["/usr".into()],
        limits: SandboxLimits {
            cpu_millis: 1000,
            memory: 1 << 30,
            processes: 10,
            disk: 1 << 20,
            open_files: 64,
        },
        mounts: Vec::new(),
        scratch: Vec::new(),
        workspace: None,
        rules: String::new(),
        idle: Duration::from_secs(600),
        lifetime: Duration::from_secs(600),
        most: 1,
        run: None,
    }
}

/// A supervisor that answers on the first stream, and on no other.
fn once() -> Arc<dyn Peer> {
    let (fake, silent) = (Arc::new(Fake::default()), Mutex::new(Vec::new()));
    let served = Mutex::new(false);
    Arc::new(move |stream: DuplexStream| {
        if std::mem::replace(&mut *served.lock().expect("a lock"), true) {
            silent.lock().expect("a lock").push(stream);
        } else {
            fake.clone().serve(stream);
        }
    })
}

#[tokio::test]
async fn a_session_whose_next_call_went_away_is_ended_and_not_lost() {
    let state = tempfile::tempdir().expect("a directory");
    let database = Arc::new(Database::open(state.path()).expect("a database"));
    let runtime = FakeRuntime::new(once(), []);
    let sessions =
        Sessions::open(vec![runtime.clone()], database, SessionsSettings::default()).expect("sessions");
    sessions.acquire(need()).await.expect("a session").put_back();
    runtime.cut();
    let opened = async {
        while runtime.opened() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = sessions.acquire(need()) => panic!("nobody answers"),
        () = opened => {}
    }
    runtime.destroyed.notified().await;
    sessions.drain().await;
    assert_eq!(sessions.list().await.expect("listed"), []);
}

pub(crate) fn sessions(
    state: &std::path::Path,
    runtime: &Arc<FakeRuntime>,
    settings: SessionsSettings,
) -> Sessions {
    let database = Arc::new(Database::open(state).expect("a database"));
    Sessions::open(vec![runtime.clone()], database, settings).expect("sessions")
}

#[tokio::test]
async fn a_session_of_a_process_that_is_there_is_left_alone_by_others() {
    let state = tempfile::tempdir().expect("a directory");
    let runtime = FakeRuntime::new(once(), []);
    let (one, other) = (
        sessions(state.path(), &runtime, SessionsSettings::default()),
        sessions(state.path(), &runtime, SessionsSettings::default()),
    );
    let _held = one.acquire(need()).await.expect("a session");
    assert_eq!(other.sweep().await.expect("swept").ended, 0);
    assert_eq!(other.list().await.expect("listed").len(), 1);
}

#[tokio::test]
async fn what_a_process_that_says_nothing_any_more_had_is_ended_by_another() {
    let state = tempfile::tempdir().expect("a directory");
    let runtime = FakeRuntime::new(once(), []);
    let short = SessionsSettings { lease: Duration::ZERO, ..SessionsSettings::default() };
    let (gone, there) = (
        sessions(state.path(), &runtime, short),
        sessions(state.path(), &runtime, SessionsSettings::default()),
    );
    std::mem::forget(gone.acquire(need()).await.expect("a session"));
    while there.sweep().await.expect("swept").ended == 0 {
        tokio::task::yield_now().await;
    }
    runtime.destroyed.notified().await;
    there.drain().await;
    assert_eq!(there.list().await.expect("listed"), []);
}

#[tokio::test]
async fn a_lease_of_another_run_of_the_machine_is_over() {
    let state = tempfile::tempdir().expect("a directory");
    let runtime = FakeRuntime::new(once(), []);
    let earlier = SessionsSettings { boot: "another".into(), ..SessionsSettings::default() };
    let (gone, there) = (
        sessions(state.path(), &runtime, earlier),
        sessions(state.path(), &runtime, SessionsSettings::default()),
    );
    std::mem::forget(gone.acquire(need()).await.expect("a session"));
    assert_eq!(there.sweep().await.expect("swept").ended, 1);
    runtime.destroyed.notified().await;
}

#[tokio::test]
async fn a_session_that_lived_too_long_is_ended_by_its_own_backend_alone() {
    let state = tempfile::tempdir().expect("a directory");
    let database = Arc::new(Database::open(state.path()).expect("a database"));
    let runtime = FakeRuntime::new(once(), []);
    let other = FakeRuntime::of(Backend::Docker, once(), []);
    // Whichever is asked first.
    let runtimes: Vec<Arc<dyn SessionRuntime>> = vec![other.clone(), runtime.clone()];
    let sessions = Sessions::open(runtimes, database, SessionsSettings::default()).expect("sessions");
    let _held = sessions.acquire(Need { lifetime: Duration::ZERO, ..need() }).await.expect("a session");
    tokio::select! {
        () = sessions.keep() => {}
        () = runtime.destroyed.notified() => {}
    }
    sessions.drain().await;
    assert_eq!((runtime.ends.load(Ordering::SeqCst), other.ends.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test]
async fn a_sandbox_that_could_not_be_ended_is_ended_by_the_next_sweep() {
    let state = tempfile::tempdir().expect("a directory");
    let runtime = FakeRuntime::new(Arc::new(Fake::default()), []);
    let sessions = sessions(state.path(), &runtime, SessionsSettings::default());
    let held = sessions.acquire(need()).await.expect("a session");
    runtime.stuck.store(true, Ordering::SeqCst);
    drop(held);
    sessions.drain().await;
    let refused = sessions.acquire(need()).await.err();
    assert!(matches!(refused, Some(SessionError::TooMany { most: 1, .. })), "{refused:?}: it still counts");
    assert_eq!(sessions.sweep().await.expect("swept").ended, 1);
    sessions.drain().await;
    assert_eq!(runtime.ends.load(Ordering::SeqCst), 1);
    let held = sessions.acquire(need()).await.expect("there is room again");
    // What a call has is left alone.
    assert_eq!(sessions.sweep().await.expect("swept").ended, 0);
    held.put_back();
    assert_eq!(sessions.sweep().await.expect("swept").ended, 0);
    assert!(sessions.acquire(need()).await.expect("a session").is_reused());
}

/// What happened to sandboxes, with their owners.
#[derive(Default)]
struct Told(Mutex<Vec<(String, String)>>);

impl Recorder for Told {
    fn record(&self, event: &Event) -> Result<(), AuditError> {
        if let Event::Session(Session { owner, event, .. }) = event {
            self.0.lock().expect("a lock").push((event.as_str().to_owned(), owner.clone()));
        }
        Ok(())
    }

    fn try_record(&self, event: &Event) -> Result<Written, AuditError> {
        self.record(event)?;
        Ok(Written::At(Position { n: 1, hash: "0".repeat(64).parse().expect("a hash") }))
    }
}

#[tokio::test]
async fn that_a_sandbox_ended_is_said_once_however_often_it_is_ended() {
    let state = tempfile::tempdir().expect("a directory");
    let runtime = FakeRuntime::new(Arc::new(Fake::default()), []);
    let told = Arc::new(Told::default());
    let journal = Journal::on(told.clone());
    let sessions =
        sessions(state.path(), &runtime, SessionsSettings { journal, ..SessionsSettings::default() });
    let old = sessions.acquire(Need { lifetime: Duration::ZERO, ..need() }).await.expect("a session");
    tokio::select! {
        () = sessions.keep() => {}
        () = runtime.destroyed.notified() => {}
    }
    sessions.drain().await;
    // Its call goes on for a while.
    drop(old);
    sessions.drain().await;
    let removed = sessions.acquire(need()).await.expect("a session");
    sessions.remove(removed.id()).await.expect("removed");
    drop(removed);
    sessions.drain().await;
    let [started, ended] = ["started", "ended"].map(|event| (event.to_owned(), "local".to_owned()));
    let said = told.0.lock().expect("a lock").clone();
    assert_eq!(said, [started.clone(), ended.clone(), started, ended]);
}
