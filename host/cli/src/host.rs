//! Wires the rooms together: manifest, packs, walls, engine.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use packhost_artifacts::Store;
use packhost_audit::{Log, Recorder};
use packhost_egress::EncryptedResolver;
use packhost_engine::{Engine, PackSource, Settings};
use packhost_manifest::Manifest;
use packhost_traces::Collector;
use packhost_walls::InForce;
use tokio::runtime::{Builder, Runtime};

use crate::args::{Bounds, Global};
use crate::credentials::Credentials;
use crate::denials::DeniedRequests;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::Output;
use crate::policies::Loaded;
use crate::reload::Reload;
use crate::sessions::{Makers, Wanted};
use crate::traces::Sending;
use crate::walls::Kept;
use crate::{artifacts, packs, policies, record, sessions, traces, walls};

/// What a host is started for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// To serve one client on stdio, within these bounds.
    Stdio(&'a Bounds),
    /// To serve at this address, which no pack may reach, with these files.
    Http { bounds: &'a Bounds, address: SocketAddr, files: Files<'a> },
    /// To make one call of this pack and end.
    Call(&'a str),
    /// To look at what is served and end.
    Look,
}

/// Files that are a listener's own, where there are any: no pack may see a secret, and the certificate and its key are read again
/// while the host runs.
#[derive(Clone, Copy)]
pub(crate) struct Files<'a> {
    pub(crate) tokens: Option<&'a Path>,
    pub(crate) certificate: Option<&'a Path>,
    pub(crate) key: Option<&'a Path>,
}

/// How many clients a process has at once.
pub(crate) enum Clients {
    One,
    Many,
}

/// Threads that answer many clients; guests have threads of their own.
const FRONT_THREADS: usize = 2;

/// Everything that was read before the walls went up.
pub(crate) struct Prepared {
    pub(crate) dirs: Dirs,
    pub(crate) in_force: InForce,
    global: Global,
    loaded: Loaded,
    kept: Kept,
    settings: Settings,
    sources: Vec<PackSource>,
    makers: Option<Makers>,
    /// Where what calls make is kept, if one may make something, and how much of it.
    store: Option<(Store, packhost_artifacts::Settings)>,
    record: Option<Arc<Log>>,
    collector: Option<Collector>,
}

/// Reads the manifest and the packs, then raises the walls. No thread may have been started before this.
pub(crate) fn prepare(global: &Global, purpose: Purpose<'_>) -> Result<Prepared, Error> {
    let mut dirs = Dirs::of(global)?;
    if let Purpose::Http { files: Files { tokens, certificate, key }, .. } = purpose {
        dirs.secrets.extend([tokens, key].into_iter().flatten().map(Path::to_owned));
        dirs.reread = [certificate, key].into_iter().flatten().map(Path::to_owned).collect();
    }
    walls::make_dirs(global, &dirs)?;
    let mut settings = settings(&dirs, purpose);
    let serves = matches!(purpose, Purpose::Stdio(_) | Purpose::Http { .. });
    settings.credentials = Some(Credentials::of(global, &dirs, serves));
    settings.denials = Some(DeniedRequests::of(&dirs));
    settings.egress.resolver = egress(global)?.resolver;
    let collector = match purpose {
        Purpose::Look => None,
        Purpose::Stdio(_) | Purpose::Http { .. } | Purpose::Call(_) => traces::collector(global)?,
    };
    let loaded = policies::load(global, &dirs)?;
    walls::make_granted(&dirs, &loaded.manifest);
    let sources = packs::sources(global, &dirs, settings.component)?;
    let wanted = wanted(&loaded.manifest, purpose);
    let keeps = keeps(&loaded.manifest, purpose);
    let store = keeps.then(|| artifacts::store(global, &dirs)).transpose()?;
    let store = store.map(|store| (store, room(purpose)));
    let makers = sessions::prepare(global, &dirs, &wanted)?;
    // What it puts on record has the name of its user, which is out of reach behind the walls.
    record::actor();
    let sockets = makers.iter().flat_map(Makers::unix_sockets).cloned().collect();
    let (in_force, kept) = walls::up(global, &dirs, &loaded.manifest, wanted, sockets)?;
    walls::warn_of_lacks(&in_force);
    // It has a thread, so that it waits for the walls.
    let record = match purpose {
        Purpose::Look => None,
        Purpose::Stdio(bounds) | Purpose::Http { bounds, .. } => {
            Some(record::open_as(&dirs, bounds.keeping.record())?)
        }
        Purpose::Call(_) => Some(record::open(&dirs)?),
    };
    settings.recorder = record.clone().map(|log| log as Arc<dyn Recorder>);
    Ok(Prepared {
        dirs,
        in_force,
        global: global.clone(),
        loaded,
        kept,
        settings,
        sources,
        makers,
        store,
        record,
        collector,
    })
}

/// What of sandboxes and workspaces this host is going to need.
fn wanted(manifest: &Manifest, purpose: Purpose<'_>) -> Wanted {
    match purpose {
        Purpose::Look => Wanted::default(),
        Purpose::Call(pack) => {
            Wanted::of(manifest.entries().filter(|entry| packs::is_meant(entry.pack.as_str(), pack)))
        }
        Purpose::Stdio(_) | Purpose::Http { .. } => sessions::wanted(manifest),
    }
}

/// How much calls may make.
fn room(purpose: Purpose<'_>) -> packhost_artifacts::Settings {
    match purpose {
        Purpose::Stdio(bounds) | Purpose::Http { bounds, .. } => bounds.keeping.artifacts(),
        Purpose::Call(_) | Purpose::Look => packhost_artifacts::Settings::default(),
    }
}

/// Whether a call may make something that is kept, as far as can be said before there is one.
fn keeps(manifest: &Manifest, purpose: Purpose<'_>) -> bool {
    match purpose {
        Purpose::Look => false,
        Purpose::Call(pack) => {
            let mut meant = manifest.entries().filter(|entry| packs::is_meant(entry.pack.as_str(), pack));
            meant.any(|entry| entry.artifacts || entry.session.is_some())
        }
        // An edit of the manifest may let one.
        Purpose::Stdio(_) | Purpose::Http { .. } => true,
    }
}

fn settings(dirs: &Dirs, purpose: Purpose<'_>) -> Settings {
    let mut settings = Settings::new(dirs.state.clone(), dirs.cache.clone());
    settings.home.clone_from(&dirs.home);
    let bounds = match purpose {
        Purpose::Stdio(bounds) => bounds,
        Purpose::Http { bounds, address, .. } => {
            settings.egress.own_listeners.push(address);
            bounds
        }
        Purpose::Call(_) | Purpose::Look => {
            settings.warm_up = false;
            return settings;
        }
    };
    settings.calls = bounds.calls;
    settings.queue = bounds.queue;
    settings.calls_per_caller = bounds.calls_per_caller;
    settings.guest_threads = bounds.guest_threads;
    settings
}

/// How requests leave. Reads the platform's trusted roots, and uses no network.
pub(crate) fn egress(global: &Global) -> Result<packhost_egress::Settings, Error> {
    let mut settings = packhost_egress::Settings::default();
    if !global.dns.is_empty() {
        let roots = &settings.extra_roots;
        let resolver = EncryptedResolver::new(global.dns.clone(), roots, EncryptedResolver::PATIENCE);
        let resolver = resolver.map_err(|error| Error::failed(format!("--dns: {error}")))?;
        settings.resolver = Arc::new(resolver);
    }
    Ok(settings)
}

impl Prepared {
    /// The record of this host, open until this is dropped.
    pub(crate) fn record(&self) -> record::Open {
        record::Open(self.record.clone())
    }

    /// The runtime for everything but guests. One client has a single thread: between two, every message would be
    /// handed over.
    pub(crate) fn runtime(clients: Clients) -> Result<Runtime, Error> {
        let mut builder = match clients {
            Clients::One => Builder::new_current_thread(),
            Clients::Many => Builder::new_multi_thread(),
        };
        builder
            .worker_threads(FRONT_THREADS)
            .thread_name("packhost-front")
            .enable_all()
            .build()
            .map_err(|error| Error::failed(format!("no threads: {error}")))
    }

    /// Starts the engine, and hands out what keeps its manifest up to date and what sends its traces.
    pub(crate) async fn start(self, output: Output) -> Result<(Engine, Reload, Sending), Error> {
        let Self { dirs, global, loaded, kept, mut settings, sources, makers, store, collector, .. } = self;
        let sending = traces::start(collector, &mut settings.recorder)?;
        if let Some((store, room)) = store {
            let made = artifacts::open_as(store, &dirs, room).await?;
            tokio::spawn(artifacts::sweep(made.clone()));
            settings.artifacts = Some(made);
        }
        if let Some(makers) = makers {
            let workspaces = makers.workspaces();
            tokio::spawn(sessions::sweep(Arc::clone(&workspaces)));
            settings.workspaces = Some(workspaces);
            let sessions = makers.sessions(settings.recorder.clone())?;
            let kept_up = sessions.clone();
            tokio::spawn(async move { kept_up.keep().await });
            settings.sessions = Some(sessions);
        }
        let recorder = settings.recorder.clone();
        // On a thread of its own: starting may compile, and whoever waits is to be shown that it goes on.
        let starting = tokio::spawn(Engine::start(settings, sources, loaded.manifest));
        let started = output.progress("starting; the first start compiles packs").watch(starting).await;
        let engine = started
            .map_err(|panic| Error::failed(format!("the engine did not start: {panic}")))?
            .map_err(|error| Error::failed(error.to_string()))?;
        let reload = Reload { global, dirs, kept, files: loaded.files, engine: engine.clone(), recorder };
        Ok((engine, reload, sending))
    }
}

/// What a verb that only looks needs: no walls, no threads of its own.
pub(crate) fn look(global: &Global) -> Result<(Dirs, Manifest), Error> {
    let dirs = Dirs::of(global)?;
    let manifest = policies::load(global, &dirs)?.manifest;
    Ok((dirs, manifest))
}
