//! Connections that leave the sandbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use packhost_session_protocol::message::{Hello, Leaving, Opening};
use packhost_session_protocol::{Frames, Mux, Role, Stream, limits};
use packhost_sessions::link::{Leaves, Link, LinkSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Notify, mpsc};

use crate::fake::welcome;
use crate::wire::FakeRuntime;

/// Answers with what came, in capitals, after `gate` has opened.
#[derive(Default)]
struct Shout {
    gate: Notify,
    is_gated: bool,
    serving: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Leaves for Shout {
    async fn leave(&self, mut stream: Stream) {
        let now = self.serving.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        if self.is_gated {
            self.gate.notified().await;
        }
        let mut words = [0; 5];
        if stream.read_exact(&mut words).await.is_ok() {
            let _ = stream.write_all(&words.to_ascii_uppercase()).await;
            let _ = stream.shutdown().await;
        }
        self.serving.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A link, the supervisor's side of its connection, and what the host said first.
async fn pair(leaves: Option<Arc<dyn Leaves>>) -> (Link, Mux, Hello) {
    let (sender, mut made) = mpsc::unbounded_channel();
    let peer = move |stream: DuplexStream| {
        let sender = sender.clone();
        tokio::spawn(async move {
            let (mux, mut incoming) = Mux::start(stream, Role::Supervisor);
            let mut frames = Frames::new(incoming.next().await.expect("an exchange"));
            let Ok(Opening::Hello(hello)) = frames.message().await else { panic!("no greeting") };
            frames.say(&welcome()).await.expect("said");
            sender.send((mux, hello)).expect("a test");
            while incoming.next().await.is_some() {}
        });
    };
    let settings =
        LinkSettings { orphaned_after: Some(Duration::from_micros(1_500)), ..LinkSettings::default() };
    let link = FakeRuntime::new(Arc::new(peer), []).link_with(leaves, settings).await.expect("a link");
    let (mux, hello) = made.recv().await.expect("a connection");
    (link, mux, hello)
}

async fn say(mux: &Mux, words: &[u8]) -> Vec<u8> {
    let mut frames = Frames::new(mux.open().await.expect("an exchange"));
    frames.say(&Leaving::Proxy).await.expect("said");
    let mut stream = frames.into_inner();
    let _ = stream.write_all(words).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test]
async fn what_leaves_is_served() {
    let (_link, mux, hello) = pair(Some(Arc::new(Shout::default()))).await;
    assert_eq!((hello.version, hello.egress, hello.orphaned_after_ms), (limits::VERSION, true, Some(2)));
    for _ in 0..200 {
        assert_eq!(say(&mux, b"hello").await, b"HELLO");
    }
}

#[tokio::test]
async fn without_anybody_to_serve_it_what_leaves_is_reset() {
    let (link, mux, hello) = pair(None).await;
    assert!(!hello.egress);
    assert_eq!(say(&mux, b"hello").await, b"");
    drop(link);
    mux.ended().await;
}

#[tokio::test]
async fn nonsense_that_leaves_is_reset_and_the_rest_goes_on() {
    let (_link, mux, _) = pair(Some(Arc::new(Shout::default()))).await;
    for nonsense in
        [&b"\x00\x00\x00\x01\xff"[..], b"\xff\xff\xff\xff", b"\x00\xff\xff\xff", b"\x01\x00\x00\x00"]
    {
        let mut stream = mux.open().await.expect("an exchange");
        stream.write_all(nonsense).await.expect("written");
        assert_eq!(stream.read_to_end(&mut Vec::new()).await.expect("a reset"), 0);
    }
    assert_eq!(say(&mux, b"hello").await, b"HELLO");
}

#[tokio::test]
async fn only_so_many_leave_at_once() {
    let shout = Arc::new(Shout { is_gated: true, ..Shout::default() });
    let (_link, mux, _) = pair(Some(shout.clone())).await;
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..limits::SUPERVISOR_STREAMS + 20 {
        let mux = mux.clone();
        all.spawn(async move { say(&mux, b"hello").await });
    }
    while !all.is_empty() {
        shout.gate.notify_waiters();
        tokio::select! {
            answer = all.join_next() => assert_eq!(answer.expect("one").expect("no panic"), b"HELLO"),
            () = tokio::task::yield_now() => {}
        }
    }
    let most = shout.most.load(Ordering::SeqCst);
    assert!(most > 1 && most <= limits::SUPERVISOR_STREAMS, "{most}");
}

struct Panic;

#[async_trait]
impl Leaves for Panic {
    async fn leave(&self, _: Stream) {
        panic!("not on my watch");
    }
}

#[tokio::test]
async fn one_that_panics_ends_alone() {
    let (link, mux, _) = pair(Some(Arc::new(Panic))).await;
    assert_eq!(say(&mux, b"hello").await, b"");
    assert_eq!(say(&mux, b"hello").await, b"");
    assert!(!mux.is_over());
    drop(link);
}
