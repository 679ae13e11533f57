//! Hot reload: an edit of the manifest takes effect as a whole, or not at all.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use packhost_engine::Engine;
use tokio::sync::mpsc;

use crate::args::Global;
use crate::dirs::Dirs;
use crate::policies;

/// Edits within this time are one edit: editors write in several steps.
const QUIET: Duration = Duration::from_millis(200);

/// Watches the manifest for as long as the engine lives. A broken edit keeps the old rules and says so.
pub(crate) fn watch(global: Global, dirs: Dirs, engine: Engine) {
    tokio::spawn(async move {
        let (edits, mut seen) = mpsc::channel::<()>(1);
        let Some(_watcher) = watcher(&policies::roots(&global, &dirs), edits) else { return };
        while seen.recv().await.is_some() {
            while let Ok(Some(())) = tokio::time::timeout(QUIET, seen.recv()).await {}
            reload(&global, &dirs, &engine).await;
        }
    });
}

async fn reload(global: &Global, dirs: &Dirs, engine: &Engine) {
    let in_force = engine.manifest().revision().to_owned();
    match policies::load(global, dirs) {
        Ok(manifest) if manifest.revision() == in_force => {}
        Ok(manifest) => {
            let revision = manifest.revision().to_owned();
            engine.reload(manifest).await;
            tracing::warn!(target: "packhost", "manifest revision {revision} is in force (was {in_force})");
        }
        Err(error) => {
            tracing::error!(target: "packhost", "{error}\nkept revision {in_force}; nothing changed")
        }
    }
}

fn watcher(roots: &[PathBuf], edits: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let told = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // A full channel means that a reload is due already.
            let _ = edits.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(told)
        .inspect_err(|error| tracing::warn!(%error, "edits of the manifest will not be seen until a restart"))
        .ok()?;
    for root in roots {
        // A file is replaced, not written, by most editors: its directory is what stays.
        let place = if root.is_dir() { root.as_path() } else { root.parent().unwrap_or(Path::new(".")) };
        let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        if let Err(error) = watcher.watch(place, RecursiveMode::NonRecursive) {
            tracing::debug!(%error, path = %place.display(), "not watched");
        }
    }
    Some(watcher)
}
