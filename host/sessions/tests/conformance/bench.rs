//! What a behaviour is tried on: a host of one backend, alone on its state. It ends with nothing left.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use packhost_core::Caller;
use packhost_sessions::link::{Leaves, Link, LinkSettings};
use packhost_sessions::{
    Image, SANDBOX_USER, SandboxId, SandboxLimits, SandboxSpec, SandboxState, SessionRuntime,
};

use crate::room::Room;

/// Longer than any behaviour takes on a slow machine: one that hangs fails.
const HANGS: Duration = Duration::from_secs(150);

/// What a backend needs on this machine, for one host.
#[async_trait]
pub(crate) trait Place: Send + Sync {
    /// A host on this state. One that was started before is gone without having said goodbye.
    fn host(&self) -> Arc<dyn SessionRuntime>;
    /// Another place beside this one, for a host that knows nothing of this one.
    fn beside(&self) -> Box<dyn Place>;
    /// What sandboxes are made of. Has `sh`, `python3` and the programs of POSIX.
    fn image(&self) -> Image;
    /// A directory of this machine whose directories may be mounted.
    fn work(&self) -> &Path;
    /// The directory where a host has what belongs to its sandboxes.
    fn home(&self) -> &Path;
    /// The process on this machine that is a sandbox's supervisor, while it runs.
    async fn supervisor(&self, id: &SandboxId) -> Option<u32>;
    /// A process that works for the latest host, beside the host's own, where there is one.
    fn helper(&self) -> Option<u32> {
        None
    }
    /// By what names the machine knows a sandbox in its cgroups and mounts.
    async fn names(&self, id: &SandboxId) -> Vec<String>;
    /// What there is of sandboxes beside what runs: files, containers, cgroups.
    async fn left(&self) -> Vec<String>;
}

pub(crate) struct Bench {
    pub(crate) place: Box<dyn Place>,
    runtime: Mutex<Arc<dyn SessionRuntime>>,
}

/// Tries a behaviour, then removes what it made, and sees that nothing is left.
pub(crate) async fn tried(
    place: Box<dyn Place>,
    run: for<'b> fn(&'b Bench) -> Pin<Box<dyn Future<Output = ()> + 'b>>,
) {
    let bench = Bench::new(place);
    let outcome = tokio::time::timeout(HANGS, AssertUnwindSafe(run(&bench)).catch_unwind()).await;
    bench.cleared().await;
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(_) => panic!("it hangs"),
    }
}

impl Bench {
    pub(crate) fn new(place: Box<dyn Place>) -> Self {
        let runtime = Mutex::new(place.host());
        Self { place, runtime }
    }

    pub(crate) fn runtime(&self) -> Arc<dyn SessionRuntime> {
        Arc::clone(&self.runtime.lock().expect("no panic holds it"))
    }

    /// As after the host was killed and started again.
    pub(crate) fn restart(&self) {
        *self.runtime.lock().expect("no panic holds it") = self.place.host();
    }

    pub(crate) fn spec(&self) -> SandboxSpec {
        SandboxSpec {
            id: SandboxId::fresh(),
            owner: Caller::local(),
            image: self.place.image(),
            limits: SandboxLimits {
                cpu_millis: 2000,
                memory: 256 << 20,
                processes: 64,
                disk: 64 << 20,
                open_files: 256,
            },
            mounts: Vec::new(),
            scratch: vec![PathBuf::from("/sandbox")],
            env: BTreeMap::new(),
            labels: BTreeMap::new(),
            orphaned_after: Duration::from_secs(600),
        }
    }

    pub(crate) async fn room(&self) -> Room {
        self.room_of(self.spec()).await
    }

    pub(crate) async fn room_of(&self, spec: SandboxSpec) -> Room {
        self.runtime().create(&spec).await.expect("a sandbox");
        Room { link: self.link(&spec.id).await, id: spec.id }
    }

    pub(crate) async fn link(&self, id: &SandboxId) -> Link {
        self.link_with(self.runtime(), id, None).await
    }

    pub(crate) async fn link_with(
        &self,
        runtime: Arc<dyn SessionRuntime>,
        id: &SandboxId,
        leaves: Option<Arc<dyn Leaves>>,
    ) -> Link {
        Link::connect(runtime, id.clone(), leaves, LinkSettings::default()).await.expect("a link")
    }

    /// The process of a supervisor that runs.
    pub(crate) async fn supervisor(&self, id: &SandboxId) -> u32 {
        self.place.supervisor(id).await.expect("it runs")
    }

    pub(crate) async fn state(&self, id: &SandboxId) -> SandboxState {
        self.runtime().get(id).await.expect("it is known").state
    }

    /// A new directory that may be mounted, and that the sandbox's user may write.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.place.work().join(name);
        std::fs::create_dir(&path).expect("a directory");
        std::os::unix::fs::chown(&path, Some(SANDBOX_USER), Some(SANDBOX_USER)).expect("root");
        path
    }

    /// Whether the backend says that it lacks something with this word in it.
    pub(crate) async fn lacks(&self, word: &str) -> bool {
        let runtime = self.runtime();
        // Some know more of themselves then.
        runtime.health().await;
        runtime.capabilities().lacking.iter().any(|sentence| sentence.contains(word))
    }

    /// Destroys all sandboxes, and waits until there is no trace of any.
    async fn cleared(&self) {
        let runtime = self.runtime();
        soon("nothing is left", async || {
            for status in runtime.list().await.expect("a list") {
                runtime.destroy(&status.id).await.expect("its end");
            }
            let left = self.place.left().await;
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
    }
}

/// Waits until there is something; for as long as anything may take on a slow machine.
pub(crate) async fn soon<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let started = std::time::Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(why) => assert!(started.elapsed() < Duration::from_secs(60), "never: {what}: {why}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The same, for what is or is not.
pub(crate) async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    soon(what, async || if look().await { Ok(()) } else { Err(String::new()) }).await;
}
