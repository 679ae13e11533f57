//! Hot reload: an edit of the manifest takes effect as a whole, or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use packhost_audit::Recorder;
use packhost_engine::Engine;
use packhost_manifest::Entry;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::packs::BUILT_IN;
use crate::policies::{self, Loaded};
use crate::record::{Act, Begun};
use crate::walls::Kept;

/// Edits within this time are one edit: editors write in several steps.
const QUIET: Duration = Duration::from_millis(200);
/// An edit waits no longer than this, whatever else goes on in the directory.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long after an edit could not be put on record it is tried again for the first time.
const AGAIN: Duration = Duration::from_secs(1);
/// How often that time is doubled: it is a minute then.
const DOUBLED: u32 = 6;
/// What Kubernetes replaces when a mounted ConfigMap changes; the manifests are links through it.
const SWAPPED: &str = "..data";

/// Keeps an engine's manifest up to date.
pub(crate) struct Reload {
    pub(crate) global: Global,
    pub(crate) dirs: Dirs,
    pub(crate) kept: Kept,
    /// The operator's files that the manifest in force was read from.
    pub(crate) files: usize,
    pub(crate) engine: Engine,
    /// Where it goes on record that another manifest is in force; without one it is in the log alone.
    pub(crate) recorder: Option<Arc<dyn Recorder>>,
}

impl Reload {
    /// Watches the manifest for as long as the runtime lives. A broken edit keeps the old rules and says so; what an
    /// operator named and does not get is said as well, now and after every edit.
    pub(crate) fn watch(mut self) {
        self.warn();
        // Before anybody is served: an edit that is made right after the first answer is seen.
        let (edits, mut seen) = mpsc::channel::<()>(1);
        let Some(watcher) = self.watcher(edits) else { return };
        tokio::spawn(async move {
            let _watcher = watcher;
            // How often the last edit could not be put on record.
            let mut refused = 0;
            while is_due(&mut seen, refused).await {
                settle(&mut seen).await;
                refused = if self.reload().await { 0 } else { refused + 1 };
            }
        });
    }

    /// Whether it is over: what cannot be put on record now may be later, and nobody edits anything for that.
    async fn reload(&mut self) -> bool {
        let in_force = self.engine.manifest().revision().to_owned();
        let kept = format!("kept revision {in_force}; nothing changed");
        let Some(loaded) = self.edited(&kept) else { return true };
        if loaded.manifest.revision() == in_force {
            self.files = loaded.files;
            return true;
        }
        let revision = loaded.manifest.revision().to_owned();
        let act = Act::new("policy.reload", &revision).with("was", &in_force).with("files", loaded.files);
        let begun = match self.begin(act).await {
            Ok(begun) => begun,
            Err(error) => {
                tracing::error!(target: "packhost", "{error}\n{kept}; it is tried again");
                return false;
            }
        };
        self.files = loaded.files;
        self.engine.reload(loaded.manifest).await;
        if let Some(begun) = begun {
            let ended = tokio::task::spawn_blocking(move || begun.end(Ok(())));
            // What cannot be put on record any more is said in the log.
            let _said = ended.await;
        }
        tracing::warn!(target: "packhost", "manifest revision {revision} is in force (was {in_force})");
        self.warn();
        true
    }

    /// What is there now, where that may take effect.
    fn edited(&self, kept: &str) -> Option<Loaded> {
        let loaded = policies::load(&self.global, &self.dirs);
        let refused = |error: &Error| tracing::error!(target: "packhost", "{error}\n{kept}");
        let loaded = loaded.inspect_err(refused).ok()?;
        if self.files > 0 && loaded.files == 0 {
            // Files that are away for a moment, as during a checkout, look the same.
            tracing::error!(
                target: "packhost",
                "every manifest file is gone\n{kept}; a restart goes on without them"
            );
            return None;
        }
        Some(loaded)
    }

    /// The record may have to wait for another process.
    async fn begin(&self, act: Act) -> Result<Option<Begun>, Error> {
        let Some(recorder) = self.recorder.clone() else { return Ok(None) };
        let begun = tokio::task::spawn_blocking(move || act.begin(recorder)).await;
        begun.map_err(|panic| Error::failed(format!("the record: {panic}")))?.map(Some)
    }

    fn warn(&self) {
        let manifest = self.engine.manifest();
        self.kept.warn_of_unreachable(&manifest);
        let packs = self.engine.packs();
        let without =
            |entry: &&Entry| entry.command.is_none() && packs.iter().all(|pack| pack.name != entry.pack);
        for entry in manifest.entries().filter(without) {
            tracing::warn!(target: "packhost", "{} names {}, and there is no such pack", entry.place, entry.pack);
        }
        for refused in self.engine.catalog().refused() {
            if self.is_left_out_on_purpose(&refused.name) {
                tracing::debug!(target: "packhost", "{} is not served: {}", refused.name, refused.reason);
            } else {
                tracing::warn!(target: "packhost", "{} is not served: {}", refused.name, refused.reason);
            }
        }
    }

    /// A shipped pack that no manifest names.
    fn is_left_out_on_purpose(&self, name: &str) -> bool {
        let mut packs = self.engine.packs().iter().filter(|pack| pack.name.as_str() == name).peekable();
        let named = packs.peek().is_some_and(|pack| self.engine.manifest().entry(&pack.name).is_some());
        packs.peek().is_some() && !named && packs.all(|pack| pack.origin == BUILT_IN)
    }

    fn watcher(&self, edits: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
        let roots = policies::roots(&self.global, &self.dirs);
        let watched: Vec<Watched> = roots.iter().filter_map(|root| Watched::of(root)).collect();
        let places: Vec<PathBuf> = watched.iter().map(|watched| watched.place.clone()).collect();
        let told = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| watched.iter().any(|watched| watched.is_edit(&event))) {
                // A full channel means that a reload is due already.
                let _ = edits.try_send(());
            }
        };
        let unseen = |error: &notify::Error| {
            tracing::warn!(
                target: "packhost",
                "edits of the manifest will not be seen until a restart: {error}"
            );
        };
        let mut watcher = notify::recommended_watcher(told).inspect_err(unseen).ok()?;
        for place in places {
            if let Err(error) = watcher.watch(&place, RecursiveMode::NonRecursive) {
                tracing::warn!(
                    target: "packhost",
                    "{}: edits will not be seen until a restart: {error}", place.display()
                );
            }
        }
        Some(watcher)
    }
}

/// Waits for the next edit, and where the last one was refused by the record, no longer than until it is tried again. False
/// once nothing is watched any more.
async fn is_due(seen: &mut mpsc::Receiver<()>, refused: u32) -> bool {
    let edit = seen.recv();
    match refused.checked_sub(1) {
        None => edit.await.is_some(),
        Some(before) => timeout(AGAIN * 2u32.pow(before.min(DOUBLED)), edit).await != Ok(None),
    }
}

/// Waits until edits have stopped.
async fn settle(seen: &mut mpsc::Receiver<()>) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let quiet = (Instant::now() + QUIET).min(until);
        if !matches!(timeout_at(quiet, seen.recv()).await, Ok(Some(()))) {
            return;
        }
    }
}

/// A root of the manifest, and where it is seen to change.
struct Watched {
    place: PathBuf,
    /// The one file that counts there; `None` is every manifest.
    file: Option<PathBuf>,
}

impl Watched {
    fn of(root: &Path) -> Option<Self> {
        let absolute = |path: &Path| std::path::absolute(path).ok();
        let place = absolute(&policies::directory(root)?)?;
        let file = if root.is_dir() { None } else { absolute(root) };
        Some(Self { place, file })
    }

    fn is_edit(&self, event: &Event) -> bool {
        // Events that were lost may have been edits.
        event.need_rescan()
            || (!event.kind.is_access() && event.paths.iter().any(|path| self.is_affected_by(path)))
    }

    fn is_affected_by(&self, path: &Path) -> bool {
        if path == self.place {
            return true;
        }
        if path.parent() != Some(self.place.as_path()) {
            return false;
        }
        let swapped = path.file_name().is_some_and(|name| name == SWAPPED);
        swapped || self.file.as_deref().map_or_else(|| policies::is_manifest(path), |file| path == file)
    }
}

#[cfg(test)]
mod tests {
    use notify::EventKind;
    use notify::event::{AccessKind, CreateKind, Flag};

    use super::*;

    fn event(kind: EventKind, path: &Path) -> Event {
        Event::new(kind).add_path(path.to_owned())
    }

    #[test]
    fn only_edits_of_manifests_count() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("a.yaml");
        std::fs::write(&file, "version: 1\n").expect("writable");
        let all = Watched::of(dir.path()).expect("it is there");
        let one = Watched::of(&file).expect("it is there");
        let made = EventKind::Create(CreateKind::File);
        for (name, in_all, in_one) in [
            ("a.yaml", true, true),
            ("b.yml", true, false),
            ("..data", true, true),
            ("a.yaml.swp", false, false),
            ("build.log", false, false),
            ("deeper/a.yaml", false, false),
        ] {
            let event = event(made, &dir.path().join(name));
            assert_eq!((all.is_edit(&event), one.is_edit(&event)), (in_all, in_one), "{name}");
        }
        assert!(all.is_edit(&event(made, dir.path())), "the directory itself went away or came");
        let read = EventKind::Access(AccessKind::Read);
        assert!(!one.is_edit(&event(read, &file)), "reading it is no edit");
        assert!(one.is_edit(&Event::new(EventKind::Other).set_flag(Flag::Rescan)), "some events were lost");
    }
}
