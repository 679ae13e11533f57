//! A store whose N-th step fails, from the first one on, until the work is done before it comes to that.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use packhost_artifacts::{Artifact, ArtifactError, Artifacts, Operator, Store};
use packhost_core::RunId;

use crate::truth::Truth;
use crate::{Scene, ada, draft, noise, over, read, run_of, sweep, write};

/// No deed takes as many steps.
const MOST: u64 = 60;

/// How often it was asked for something, and when it fails.
#[derive(Debug, Default)]
struct Fault {
    steps: AtomicU64,
    /// From 1; 0 for never.
    at: AtomicU64,
    /// Whether the step is done all the same, and only the answer is lost.
    afterwards: bool,
}

impl Fault {
    fn fails(&self) -> bool {
        self.steps.fetch_add(1, Ordering::SeqCst) + 1 == self.at.load(Ordering::SeqCst)
    }

    fn error() -> object_store::Error {
        let source = std::io::Error::from_raw_os_error(5).into();
        object_store::Error::Generic { store: "Faulty", source }
    }

    /// Does it, or does not, or does it and loses the answer.
    async fn step<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match (self.fails(), self.afterwards) {
            (false, _) => work.await,
            (true, false) => Err(Self::error()),
            (true, true) => {
                let _ = work.await;
                Err(Self::error())
            }
        }
    }
}

#[derive(Debug)]
struct Faulty {
    inner: Arc<dyn ObjectStore>,
    fault: Arc<Fault>,
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.fault.step(self.inner.put_opts(at, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.fault.step(self.inner.put_multipart_opts(at, options)).await?;
        Ok(Box::new(FaultyUpload { inner: upload, fault: self.fault.clone() }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.fault.step(self.inner.get_opts(at, options)).await
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, fault) = (self.inner.clone(), self.fault.clone());
        at.then(move |path| {
            let (inner, fault) = (inner.clone(), fault.clone());
            async move {
                let path = path?;
                let deleted = async {
                    let one = futures::stream::iter([Ok(path)]).boxed();
                    inner.delete_stream(one).next().await.unwrap_or_else(|| Err(Fault::error()))
                };
                fault.step(deleted).await
            }
        })
        .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.fault.step(self.inner.copy_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    fault: Arc<Fault>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (part, fault) = (self.inner.put_part(data), self.fault.clone());
        async move { fault.step(part).await }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.fault.step(self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.fault.step(self.inner.abort()).await
    }
}

use futures::FutureExt as _;

async fn faulty(scene: &Scene, fault: &Arc<Fault>) -> std::result::Result<Artifacts, ArtifactError> {
    let store = Store::local(&scene.path().join("artifacts"))?;
    let store = store.layered(|inner| Arc::new(Faulty { inner, fault: fault.clone() }));
    over(scene.path(), store, scene.settings()).await
}

/// What is done with a store that holds one artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Open,
    Write,
    WriteTheSame,
    Seal,
    Read,
    Remove,
    Sweep,
}

const ALL: [Deed; 7] =
    [Deed::Open, Deed::Write, Deed::WriteTheSame, Deed::Seal, Deed::Read, Deed::Remove, Deed::Sweep];

impl Deed {
    async fn run(self, artifacts: &Artifacts, there: &Artifact) -> std::result::Result<(), ArtifactError> {
        let one = || draft(&ada(), RunId::fresh(), "b");
        match self {
            Self::Open => Ok(()),
            Self::Write => write(artifacts, one(), &noise(2, 3 << 20)).await.map(drop),
            Self::WriteTheSame => write(artifacts, one(), &noise(1, 2 << 20)).await.map(drop),
            Self::Seal => artifacts.seal(&run_of(&ada(), there.run)).await.map(drop),
            Self::Read => read(artifacts, there).await.map(|bytes| assert!(bytes == noise(1, 2 << 20))),
            Self::Remove => artifacts.remove(&ada(), &there.id).await,
            Self::Sweep => {
                let swept = Operator::of(artifacts).sweep().await?;
                assert!(swept.failed <= 1, "{swept:?}");
                Ok(())
            }
        }
    }

    /// How many references there are afterwards.
    fn after(self) -> usize {
        match self {
            Self::Open | Self::Read | Self::Sweep => 1,
            Self::Write | Self::WriteTheSame | Self::Seal => 2,
            Self::Remove => 0,
        }
    }
}

/// Whether the fault came to pass.
async fn once(deed: Deed, at: u64, afterwards: bool) -> bool {
    let scene = Scene::new();
    let there = crate::made(&scene.open().await, &noise(1, 2 << 20)).await;
    if deed == Deed::Sweep {
        let stray = scene.blobs().join("0123456789abcdefghjkmnpqrs");
        std::fs::write(&stray, "stray").unwrap();
        std::fs::set_permissions(&stray, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let fault = Arc::new(Fault { afterwards, ..Fault::default() });
    if deed == Deed::Open {
        fault.at.store(at, Ordering::SeqCst);
    }
    let done = match faulty(&scene, &fault).await {
        Ok(artifacts) => {
            if deed != Deed::Open {
                fault.steps.store(0, Ordering::SeqCst);
                fault.at.store(at, Ordering::SeqCst);
            }
            deed.run(&artifacts, &there).await
        }
        Err(error) => Err(error),
    };
    let fired = fault.steps.load(Ordering::SeqCst) >= at;
    assert!(fired || done.is_ok(), "{deed:?}: {done:?} without a fault");
    fault.at.store(0, Ordering::SeqCst);
    // An hour later, whoever died is known to be dead.
    scene.pass(3_600);
    let fresh = scene.open().await;
    let before = Truth::of(scene.path());
    let expected = if done.is_ok() { deed.after() } else { before.references.len() };
    assert_eq!(before.references.len(), expected, "{deed:?} {at}: {done:?}");
    assert!([1, deed.after()].contains(&expected), "{deed:?} {at}: {done:?}");
    assert_eq!(sweep(&fresh).await.failed, 0);
    Truth::swept(scene.path());
    // And it works again.
    deed.run(&fresh, &there).await.map_or_else(
        |error| {
            assert!(deed == Deed::Remove && matches!(error, ArtifactError::NotFound), "{deed:?}: {error}")
        },
        drop,
    );
    fired
}

#[tokio::test]
async fn a_step_that_fails_anywhere_leaves_all_or_nothing() {
    for afterwards in [false, true] {
        let mut fired = 0;
        for deed in ALL {
            let mut at = 1;
            while once(deed, at, afterwards).await {
                at += 1;
                assert!(at < MOST, "{deed:?}: there is no end of it");
            }
            fired += at - 1;
        }
        assert!(fired >= 15, "{fired} faults came to pass");
    }
}
