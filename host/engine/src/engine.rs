//! The engine: what is served now, and everything that calls share.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use packhost_artifacts::Artifacts;
use packhost_audit::Recorder;
use packhost_core::{ErrorCode, Failure, PackName};
use packhost_egress::Egress;
use packhost_manifest::Manifest;
use packhost_sessions::Sessions;
use packhost_workspaces::Workspaces;
use tokio::sync::{Mutex, watch};

use crate::call::{Call, Outcome, Usage};
use crate::capabilities::make_missing;
use crate::catalog::{self, Catalog, Pack, PackSource, Refused};
use crate::dispatch::{self, Admission, LiveCall, LiveCalls};
use crate::observer::{Observed, Observer};
use crate::runtime::{Cache, Demand, Flavour, GuestThreads, Runtimes, Stop, StopReason, Ticker};
use crate::settings::Settings;
use crate::warm::{self, Warm};

/// How long stopped calls get to be gone. A guest takes a tick; what may take longer is a blocked file operation.
const STUCK: Duration = Duration::from_secs(5);

/// Runs packs. Cheap to clone; the last clone that goes stops what still runs.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    inner: Arc<Inner>,
    threads: GuestThreads,
    /// One reload at a time.
    reloading: Mutex<()>,
    generations: watch::Sender<u64>,
    observer: OnceLock<Arc<dyn Observer>>,
}

/// What a call needs of the engine.
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) runtimes: Arc<Runtimes>,
    pub(crate) ticker: Ticker,
    pub(crate) cache: Option<Arc<Cache>>,
    pub(crate) egress: Egress,
    pub(crate) admission: Admission,
    pub(crate) live: LiveCalls,
    pub(crate) warm: Arc<Warm>,
    pub(crate) serving: ArcSwap<Serving>,
    packs: Vec<Arc<Pack>>,
    refused: Vec<Refused>,
}

/// What is served: one manifest and the catalog made of it. Swapped as a whole.
pub(crate) struct Serving {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) catalog: Arc<Catalog>,
}

/// Why an engine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// wasmtime refused its configuration.
    #[error("the WebAssembly engine cannot be started: {0}")]
    Wasmtime(String),
    /// A thread could not be started.
    #[error("no threads for guests: {0}")]
    Threads(#[from] std::io::Error),
    /// The way out could not be set up.
    #[error("outgoing requests cannot be set up: {0}")]
    Egress(#[from] packhost_egress::SetupError),
}

impl Engine {
    /// Starts with these packs under this manifest. What cannot be served is in the catalog's
    /// [`refused`](Catalog::refused), not an error. Components that are not compiled yet are compiled in the
    /// background; a call of one waits for that.
    pub async fn start(
        settings: Settings,
        sources: Vec<PackSource>,
        manifest: Manifest,
    ) -> Result<Self, StartError> {
        let threads = GuestThreads::start(settings.threads())?;
        let (packs, refused) = read(&sources, settings.component);
        let wasmtime = |error: wasmtime::Error| StartError::Wasmtime(format!("{error:#}"));
        let demand = |flavour| {
            let of_it = packs.iter().filter(|pack| pack.flavour == flavour);
            of_it.fold(Demand::default(), |demand, pack| demand.max(Demand::of(&pack.outline)))
        };
        let (lean, concurrent) = (demand(Flavour::Lean), demand(Flavour::Concurrent));
        let runtimes = Arc::new(Runtimes::new(lean, concurrent, settings.calls).map_err(wasmtime)?);
        let cache = Cache::open(&settings.cache, &settings.state)
            .inspect_err(
                |error| tracing::warn!(%error, "no cache of compiled components; every start compiles"),
            )
            .ok()
            .map(Arc::new);
        make_missing(&manifest, &settings.vars());
        let catalog = catalog::build(&packs, &refused, &manifest, &runtimes, cache.as_ref(), 0).await;
        let inner = Arc::new(Inner {
            ticker: Ticker::start(Arc::clone(&runtimes), settings.tick)?,
            egress: Egress::new(settings.egress.clone())?,
            admission: Admission::new(settings.calls, settings.queue, settings.calls_per_caller),
            live: LiveCalls::default(),
            warm: Arc::default(),
            serving: ArcSwap::from_pointee(Serving {
                manifest: Arc::new(manifest),
                catalog: Arc::new(catalog),
            }),
            settings,
            runtimes,
            cache,
            packs,
            refused,
        });
        let shared = Shared {
            inner,
            threads,
            reloading: Mutex::new(()),
            generations: watch::Sender::new(0),
            observer: OnceLock::new(),
        };
        let engine = Self(Arc::new(shared));
        if engine.0.inner.settings.warm_up {
            engine.warm_up();
            warm::start(&engine.0.inner, engine.generations(), engine.0.threads.handle());
        }
        Ok(engine)
    }

    /// Runs a call. The only way to run a pack. Dropping the future cancels the call.
    pub async fn dispatch(&self, mut call: Call) -> Outcome {
        let (run, stop, since) = (call.run, Arc::new(Stop::default()), Instant::now());
        let guard = CancelOnDrop { inner: &self.0.inner, stop: &stop };
        let observed = self.0.observer.get().map(|observer| Observed::begin(Arc::clone(observer)));
        let (inner, stopped) = (Arc::clone(&self.0.inner), Arc::clone(&stop));
        // What is moved into a future that waits is there twice for as long as that runs, so the call is lent.
        let work = Box::pin(async move {
            let outcome = dispatch::dispatch(&inner, &mut call, &stopped).await;
            if let Some(observed) = observed {
                observed.end(&outcome);
            }
            outcome
        });
        let done = self.0.threads.handle().spawn(work).await;
        std::mem::forget(guard);
        done.unwrap_or_else(|panic| {
            tracing::error!(%run, %panic, "a call panicked in the host");
            let failure = Failure::new(
                ErrorCode::Internal,
                "Something broke in the host. The operator's log says what.",
            );
            Outcome {
                run,
                pack: None,
                result: Err(failure.into()),
                mends: Vec::new(),
                revision: String::new(),
                session: None,
                artifacts: Vec::new(),
                // It may have begun, and have had effects.
                usage: Usage { ran: since.elapsed(), ..Usage::default() },
            }
        })
    }

    /// From now on this one is told of every call. There can be one; a second is not taken, and then this is false.
    pub fn observe(&self, observer: Arc<dyn Observer>) -> bool {
        self.0.observer.set(observer).is_ok()
    }

    /// The tools that are served now.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.0.inner.serving.load().catalog)
    }

    /// The manifest in force.
    pub fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.0.inner.serving.load().manifest)
    }

    /// Every pack that could be read, served or not.
    pub fn packs(&self) -> &[Arc<Pack>] {
        &self.0.inner.packs
    }

    /// What calls have made, where that is kept.
    pub fn artifacts(&self) -> Option<&Artifacts> {
        self.0.inner.settings.artifacts.as_ref()
    }

    /// Where everything goes on record, where it does.
    pub fn recorder(&self) -> Option<&Arc<dyn Recorder>> {
        self.0.inner.settings.recorder.as_ref()
    }

    /// Who makes sandboxes, where somebody does.
    pub fn sessions(&self) -> Option<&Sessions> {
        self.0.inner.settings.sessions.as_ref()
    }

    /// The directories that calls share, where there are any.
    pub fn workspaces(&self) -> Option<&Arc<Workspaces>> {
        self.0.inner.settings.workspaces.as_ref()
    }

    pub(crate) fn runtimes(&self) -> &Runtimes {
        &self.0.inner.runtimes
    }

    /// The calls that have not ended, the oldest first.
    pub fn live(&self) -> Vec<LiveCall> {
        self.0.inner.live.list()
    }

    /// Changes with every new catalog.
    pub fn generations(&self) -> watch::Receiver<u64> {
        self.0.generations.subscribe()
    }

    /// Puts another manifest into force. A call sees the old one or the new one, never a mix; a call whose pack lost
    /// something is stopped, whether it runs or waits.
    pub async fn reload(&self, manifest: Manifest) {
        let _one = self.0.reloading.lock().await;
        let inner = &self.0.inner;
        make_missing(&manifest, &inner.settings.vars());
        let lost = packs_that_lost(&inner.serving.load().manifest, &manifest);
        // At once, and again when the old manifest is out of force: making the catalog may take a compilation.
        inner.revoke(&lost);
        self.serve(Arc::new(manifest)).await;
        inner.revoke(&lost);
        if inner.settings.warm_up {
            self.warm_up();
        }
    }

    /// Lets nobody in any more, waits for the calls that run, and stops those that are not done in time.
    pub async fn drain(&self, patience: Duration) {
        let inner = &self.0.inner;
        inner.admission.close();
        inner.warm.close(&inner.settings).await;
        self.stop_calls(patience).await;
        if let Some(sessions) = &inner.settings.sessions {
            sessions.drain().await;
        }
    }

    async fn stop_calls(&self, patience: Duration) {
        let inner = &self.0.inner;
        if tokio::time::timeout(patience, inner.live.none()).await.is_ok() {
            return;
        }
        inner.live.shut_down();
        inner.runtimes.tick();
        if tokio::time::timeout(STUCK, inner.live.none()).await.is_err() {
            tracing::warn!("some calls did not stop; they end with the process");
        }
    }

    /// Loads every served pack, so that the first call of one does not wait. A pack that turns out to be unusable
    /// leaves the catalog.
    pub async fn load_all(&self) {
        let inner = &self.0.inner;
        let mut failed = false;
        for tool in self.catalog().tools().filter(|tool| tool.has_component()) {
            failed |= tool.pack.loaded(&inner.runtimes, inner.cache.as_ref()).await.is_err();
        }
        if failed {
            self.refresh().await;
        }
    }

    /// The same in the background.
    fn warm_up(&self) {
        let engine = self.clone();
        self.0.threads.handle().spawn(async move { engine.load_all().await });
    }

    /// Makes the catalog anew under the same manifest.
    async fn refresh(&self) {
        let _one = self.0.reloading.lock().await;
        let manifest = self.manifest();
        self.serve(manifest).await;
    }

    /// Puts a manifest and the catalog made of it into force. Only one at a time.
    async fn serve(&self, manifest: Arc<Manifest>) {
        let inner = &self.0.inner;
        let generation = inner.serving.load().catalog.generation + 1;
        let (runtimes, cache) = (&inner.runtimes, inner.cache.as_ref());
        let catalog =
            catalog::build(&inner.packs, &inner.refused, &manifest, runtimes, cache, generation).await;
        inner.serving.store(Arc::new(Serving { manifest, catalog: Arc::new(catalog) }));
        self.0.generations.send_replace(generation);
    }
}

impl Inner {
    fn revoke(&self, packs: &[PackName]) {
        self.live.revoke(packs);
        self.runtimes.tick();
    }
}

/// The one who asked went away.
struct CancelOnDrop<'a> {
    inner: &'a Inner,
    stop: &'a Stop,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.stop.stop(StopReason::Cancelled);
        // Not at the next tick but now.
        self.inner.runtimes.tick();
    }
}

/// The packs among these sources, and what is none.
fn read(sources: &[PackSource], limit: u64) -> (Vec<Arc<Pack>>, Vec<Refused>) {
    let mut packs = Vec::new();
    let mut refused = Vec::new();
    for source in sources {
        match Pack::read(source, limit) {
            Ok(pack) => packs.push(Arc::new(pack)),
            Err(reason) => {
                refused.push(Refused { name: format!("{} ({})", source.name, source.origin), reason })
            }
        }
    }
    (packs, refused)
}

/// The packs that may do less under `new` than under `old`.
fn packs_that_lost(old: &Manifest, new: &Manifest) -> Vec<PackName> {
    let lost =
        old.entries().filter(|entry| new.entry(&entry.pack).is_none_or(|after| entry.loses_under(after)));
    lost.map(|entry| entry.pack.clone()).collect()
}
