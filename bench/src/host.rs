//! The host inside this process: an engine with the shipped packs under the shipped manifest, wired as `packhost` wires it.

use std::borrow::Cow;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use packhost_audit::Recorder;
use packhost_core::{Identity, RunId};
use packhost_engine::{
    Answer, Call, Door, Ended, Engine, Nobody, Outcome as Called, PackSource, Peer, Settings,
};
use packhost_manifest::{Manifest, shipped};
use packhost_packs::SHIPPED;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::Outcome;
use crate::rounds::Sample;

/// How long all packs may take to compile.
const COMPILING: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(50);

/// An engine, and the threads of the doors that call it.
pub(crate) struct Host {
    pub(crate) runtime: Runtime,
    pub(crate) engine: Engine,
}

/// A new state directory, private to this user as a host wants it; gone when dropped.
pub(crate) fn fresh_state() -> Outcome<TempDir> {
    Ok(tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir()?)
}

/// Where the cache is below a directory that `packhost --state` is given.
pub(crate) fn cache(state: &Path) -> PathBuf {
    state.join("cache")
}

impl Host {
    /// The host as it is shipped, without a record.
    pub(crate) fn shipped(state: &Path) -> Outcome<Self> {
        Self::with(Settings::new(state.to_owned(), cache(state)))
    }

    /// The same with every call on record here.
    pub(crate) fn recorded(state: &Path, recorder: Arc<dyn Recorder>) -> Outcome<Self> {
        let mut settings = Settings::new(state.to_owned(), cache(state));
        settings.recorder = Some(recorder);
        Self::with(settings)
    }

    fn with(settings: Settings) -> Outcome<Self> {
        let sources = SHIPPED.iter().map(|pack| PackSource {
            name: pack.name.to_owned(),
            origin: "built in".into(),
            bytes: Cow::Borrowed(pack.bytes),
            digest: pack.digest.parse().ok(),
        });
        Self::start(settings, sources.collect(), Manifest::parse(&shipped())?)
    }

    /// A host with other packs, bounds and grants.
    pub(crate) fn start(settings: Settings, packs: Vec<PackSource>, manifest: Manifest) -> Outcome<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(2).thread_name("front").enable_all().build()?;
        let engine = runtime.block_on(Engine::start(settings, packs, manifest))?;
        match engine.catalog().refused() {
            [] => Ok(Self { runtime, engine }),
            [refused, ..] => Err(format!("{} is not served: {}", refused.name, refused.reason).into()),
        }
    }

    /// Waits until the cache holds every shipped pack, compiled.
    pub(crate) fn compiled(&self, state: &Path) -> Outcome<()> {
        let until = Instant::now() + COMPILING;
        loop {
            let files = std::fs::read_dir(cache(state))?.flatten();
            let compiled =
                files.filter(|file| file.path().extension().is_some_and(|end| end == "cwasm")).count();
            if compiled >= SHIPPED.len() {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("only {compiled} of {} packs are compiled", SHIPPED.len()).into());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// So many calls, shared by so many callers, each on a task of the doors' threads.
    pub(crate) fn sample(
        &self,
        pack: &'static str,
        input: &Value,
        calls: usize,
        callers: usize,
    ) -> Outcome<Sample> {
        self.runtime.block_on(async {
            let since = Instant::now();
            let running: Vec<_> = (0..callers)
                .map(|_| tokio::spawn(caller(self.engine.clone(), pack, input.clone(), calls / callers)))
                .collect();
            let mut took = Vec::with_capacity(calls);
            for one in running {
                took.extend(one.await??);
            }
            Ok(Sample::of(&took, since))
        })
    }

    /// One call, and its answer.
    pub(crate) fn answer(&self, pack: &str, input: Value) -> Outcome<Answer> {
        let engine = self.engine.clone();
        let call = call(pack, input);
        self.runtime.block_on(async move { done(engine.dispatch(call).await) })
    }
}

async fn caller(engine: Engine, pack: &'static str, input: Value, calls: usize) -> Outcome<Vec<Duration>> {
    let mut took = Vec::with_capacity(calls);
    for _ in 0..calls {
        let call = call(pack, input.clone());
        let since = Instant::now();
        let outcome = engine.dispatch(call).await;
        took.push(since.elapsed());
        done(outcome)?;
    }
    Ok(took)
}

pub(crate) fn call(pack: &str, input: Value) -> Call {
    Call {
        run: RunId::fresh(),
        identity: Identity::local(),
        door: Door::Cli,
        peer: Peer::default(),
        pack: pack.to_owned(),
        input,
        client: Arc::new(Nobody),
    }
}

fn done(outcome: Called) -> Outcome<Answer> {
    outcome.result.map_err(|ended| match ended {
        Ended::Failed(failure) => failure.to_string().into(),
        Ended::Asks(question) => format!("the pack asks \"{}\"", question.id).into(),
    })
}
