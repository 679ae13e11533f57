//! A runtime whose streams break when they are told to.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use packhost_sessions::{
    Backend, ByteStream, Capabilities, Health, RuntimeError, SandboxId, SandboxSpec, SandboxStatus,
    SessionRuntime,
};
use tokio_util::sync::CancellationToken;

pub(crate) struct Cutting {
    of: Arc<dyn SessionRuntime>,
    cut: Mutex<CancellationToken>,
}

impl Cutting {
    pub(crate) fn new(of: Arc<dyn SessionRuntime>) -> Arc<Self> {
        Arc::new(Self { of, cut: Mutex::default() })
    }

    /// Breaks all streams that are open now, wherever they are.
    pub(crate) fn cut(&self) {
        std::mem::take(&mut *self.cut.lock().expect("no panic holds it")).cancel();
    }
}

#[async_trait]
impl SessionRuntime for Cutting {
    fn backend(&self) -> Backend {
        self.of.backend()
    }

    fn capabilities(&self) -> Capabilities {
        self.of.capabilities()
    }

    async fn health(&self) -> Health {
        self.of.health().await
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<(), RuntimeError> {
        self.of.create(spec).await
    }

    async fn open(&self, id: &SandboxId) -> Result<Box<dyn ByteStream>, RuntimeError> {
        let mut inner = self.of.open(id).await?;
        let (ours, mut theirs) = tokio::io::duplex(100_000);
        let cut = self.cut.lock().expect("no panic holds it").clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut inner, &mut theirs) => {}
                () = cut.cancelled() => {}
            }
        });
        Ok(Box::new(ours))
    }

    async fn get(&self, id: &SandboxId) -> Result<SandboxStatus, RuntimeError> {
        self.of.get(id).await
    }

    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError> {
        self.of.list().await
    }

    async fn logs(&self, id: &SandboxId, most: usize) -> Result<Vec<u8>, RuntimeError> {
        self.of.logs(id, most).await
    }

    async fn destroy(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        self.of.destroy(id).await
    }
}
