//! Wires the rooms together: manifest, packs, walls, engine.

use std::net::SocketAddr;
use std::sync::Arc;

use packhost_engine::{Engine, Settings};
use packhost_manifest::Manifest;
use packhost_walls::InForce;
use tokio::runtime::Runtime;

use crate::args::{Bounds, Global};
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::{packs, policies, walls};

/// Everything that was read before the walls went up.
pub(crate) struct Prepared {
    pub(crate) dirs: Dirs,
    pub(crate) manifest: Manifest,
    pub(crate) in_force: InForce,
    settings: Settings,
    sources: Vec<packhost_engine::PackSource>,
}

/// Reads the manifest and the packs, then raises the walls. No thread may have been started before this.
/// `listener` is where this host itself can be reached: no pack may.
pub(crate) fn prepare(
    global: &Global,
    bounds: Option<&Bounds>,
    listener: Option<SocketAddr>,
) -> Result<Prepared, Error> {
    let dirs = Dirs::of(global)?;
    walls::make_dirs(&dirs)?;
    let mut settings = Settings::new(dirs.state.clone(), dirs.cache.clone());
    settings.home.clone_from(&dirs.home);
    settings.egress.own_listeners.extend(listener);
    if let Some(bounds) = bounds {
        settings.calls = bounds.calls;
        settings.queue = bounds.queue;
        settings.calls_per_caller = bounds.calls_per_caller;
        settings.guest_threads = bounds.guest_threads;
    }
    let manifest = policies::load(global, &dirs)?;
    let sources = packs::sources(global, &dirs, settings.component)?;
    let in_force = walls::up(global, &dirs, &manifest)?;
    Ok(Prepared { dirs, manifest, in_force, settings, sources })
}

impl Prepared {
    /// The runtime for everything but guests.
    pub(crate) fn runtime() -> Result<Runtime, Error> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("packhost-front")
            .enable_all()
            .build()
            .map_err(|error| Error::failed(format!("no threads: {error}")))
    }

    /// Starts the engine.
    pub(crate) async fn start(self) -> Result<Engine, Error> {
        let engine = Engine::start(self.settings, self.sources, self.manifest)
            .await
            .map_err(|error| Error::failed(error.to_string()))?;
        for refused in engine.catalog().refused() {
            tracing::warn!(pack = refused.name, "not served: {}", refused.reason);
        }
        Ok(engine)
    }
}

/// What a verb that only looks needs: no walls, no threads of its own.
pub(crate) fn look(global: &Global) -> Result<(Dirs, Arc<Manifest>), Error> {
    let dirs = Dirs::of(global)?;
    let manifest = Arc::new(policies::load(global, &dirs)?);
    Ok((dirs, manifest))
}
