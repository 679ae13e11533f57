//! A backend whose streams lead to a scripted supervisor and break where a test wants it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use packhost_sessions::link::{Leaves, Link, LinkError, LinkSettings};
use packhost_sessions::{
    Backend, ByteStream, Capabilities, Ended, Health, RuntimeError, SandboxId, SandboxSpec, SandboxState,
    SandboxStatus, SessionRuntime,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What is at the other end of a stream.
pub(crate) trait Peer: Send + Sync {
    fn serve(self: Arc<Self>, stream: DuplexStream);
}

impl<F: Fn(DuplexStream) + Send + Sync> Peer for F {
    fn serve(self: Arc<Self>, stream: DuplexStream) {
        self(stream);
    }
}

/// How one stream behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wire {
    /// After how many bytes to the supervisor it breaks.
    pub(crate) up: usize,
    /// After how many bytes from the supervisor it breaks.
    pub(crate) down: usize,
    /// How many bytes it moves at once, at most.
    pub(crate) chunk: usize,
}

impl Wire {
    pub(crate) const WHOLE: Self = Self { up: usize::MAX, down: usize::MAX, chunk: 1 << 16 };
}

pub(crate) struct FakeRuntime {
    backend: Backend,
    peer: Arc<dyn Peer>,
    wires: Mutex<VecDeque<Wire>>,
    ended: Mutex<Option<Ended>>,
    cut: Mutex<CancellationToken>,
    pub(crate) opened: AtomicUsize,
    /// Told when a sandbox is ended by the host.
    pub(crate) destroyed: Notify,
    /// How many were.
    pub(crate) ends: AtomicUsize,
    /// Ending one fails the next time.
    pub(crate) stuck: AtomicBool,
    made: Mutex<Vec<SandboxStatus>>,
}

impl FakeRuntime {
    /// Streams like these, one after the other, and whole ones after that.
    pub(crate) fn new(peer: Arc<dyn Peer>, wires: impl IntoIterator<Item = Wire>) -> Arc<Self> {
        Self::of(Backend::Process, peer, wires)
    }

    /// The same in the place of another backend.
    pub(crate) fn of(
        backend: Backend,
        peer: Arc<dyn Peer>,
        wires: impl IntoIterator<Item = Wire>,
    ) -> Arc<Self> {
        Arc::new(Self {
            backend,
            peer,
            wires: Mutex::new(wires.into_iter().collect()),
            ended: Mutex::default(),
            cut: Mutex::default(),
            opened: AtomicUsize::new(0),
            destroyed: Notify::new(),
            ends: AtomicUsize::new(0),
            stuck: AtomicBool::new(false),
            made: Mutex::default(),
        })
    }

    /// Breaks every stream.
    pub(crate) fn cut(&self) {
        std::mem::take(&mut *self.cut.lock().expect("a lock")).cancel();
    }

    /// Ends the sandbox.
    pub(crate) fn end(&self, why: Ended) {
        *self.ended.lock().expect("a lock") = Some(why);
        self.cut();
    }

    /// From now on there are sandboxes again; those that have ended stay so.
    pub(crate) fn start_again(&self) {
        *self.ended.lock().expect("a lock") = None;
    }

    pub(crate) fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    pub(crate) async fn link(self: &Arc<Self>) -> Result<Link, LinkError> {
        self.link_with(None, LinkSettings::default()).await
    }

    pub(crate) async fn link_with(
        self: &Arc<Self>,
        leaves: Option<Arc<dyn Leaves>>,
        settings: LinkSettings,
    ) -> Result<Link, LinkError> {
        Link::connect(self.clone(), SandboxId::fresh(), leaves, settings).await
    }
}

async fn pump(
    mut from: ReadHalf<DuplexStream>,
    mut to: WriteHalf<DuplexStream>,
    mut left: usize,
    chunk: usize,
) {
    let mut buffer = vec![0; chunk.max(1)];
    while left > 0 {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        let count = count.min(left);
        left -= count;
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

#[async_trait]
impl SessionRuntime for FakeRuntime {
    fn backend(&self) -> Backend {
        self.backend
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn health(&self) -> Health {
        Health::Healthy("a script".into())
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<(), RuntimeError> {
        let (id, owner) = (spec.id.clone(), spec.owner.to_string());
        let (state, created) = (SandboxState::Running, SystemTime::now());
        self.made.lock().expect("a lock").push(SandboxStatus { id, owner, state, created });
        Ok(())
    }

    async fn open(&self, _: &SandboxId) -> Result<Box<dyn ByteStream>, RuntimeError> {
        if let Some(why) = self.ended.lock().expect("a lock").clone() {
            return Err(RuntimeError::Ended(why));
        }
        self.opened.fetch_add(1, Ordering::SeqCst);
        let wire = self.wires.lock().expect("a lock").pop_front().unwrap_or(Wire::WHOLE);
        let (host, near) = tokio::io::duplex(1 << 16);
        let (far, supervisor) = tokio::io::duplex(1 << 16);
        let cut = self.cut.lock().expect("a lock").clone();
        tokio::spawn(async move {
            let ((near_read, near_write), (far_read, far_write)) =
                (tokio::io::split(near), tokio::io::split(far));
            tokio::select! {
                () = pump(near_read, far_write, wire.up, wire.chunk) => {}
                () = pump(far_read, near_write, wire.down, wire.chunk) => {}
                () = cut.cancelled() => {}
            }
        });
        self.peer.clone().serve(supervisor);
        Ok(Box::new(host))
    }

    async fn get(&self, _: &SandboxId) -> Result<SandboxStatus, RuntimeError> {
        Err(RuntimeError::NotFound)
    }

    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError> {
        Ok(self.made.lock().expect("a lock").clone())
    }

    async fn logs(&self, _: &SandboxId, _: usize) -> Result<Vec<u8>, RuntimeError> {
        Ok(Vec::new())
    }

    async fn destroy(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        if self.stuck.swap(false, Ordering::SeqCst) {
            return Err(RuntimeError::Failed("it hangs in the kernel".into()));
        }
        self.made.lock().expect("a lock").retain(|status| status.id != *id);
        self.ends.fetch_add(1, Ordering::SeqCst);
        self.destroyed.notify_one();
        Ok(())
    }
}
