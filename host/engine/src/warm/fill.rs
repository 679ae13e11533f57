//! Keeps as many sandboxes ready as entries say, in the background.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use packhost_core::PackName;
use packhost_sessions::Sessions;
use packhost_workspaces::{Workspace, Workspaces};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Kind, Standing, remove, warm};
use crate::engine::Inner;
use crate::session::need;

/// How long nothing is made for an entry after the first failure; twice as long after each one more, and no longer than
/// [`LONGEST`].
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// When nothing is due.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// What stands ready for a pack, if all is well.
struct Wanted {
    kind: Kind,
    many: usize,
}

/// A pack for which nothing could be made.
struct Failing {
    pause: Duration,
    again: Instant,
}

/// Starts to keep sandboxes ready, on threads that make way for those that answer. `generations` are those of the catalog.
pub(crate) fn start(inner: &Arc<Inner>, generations: watch::Receiver<u64>, threads: &Handle) {
    let Some(sessions) = inner.settings.sessions.clone() else { return };
    let filler = Filler {
        inner: Arc::clone(inner),
        workspaces: inner.settings.workspaces.clone(),
        sessions,
        failing: BTreeMap::new(),
    };
    let filling = threads.spawn(filler.run(generations));
    *inner.warm.filler.lock().unwrap_or_else(PoisonError::into_inner) = Some(filling);
}

struct Filler {
    inner: Arc<Inner>,
    sessions: Sessions,
    workspaces: Option<Arc<Workspaces>>,
    failing: BTreeMap<PackName, Failing>,
}

impl Filler {
    /// One after the other, so that calls which run now keep most of the machine.
    async fn run(mut self, mut generations: watch::Receiver<u64>) {
        let closing = self.inner.warm.closing.clone();
        while !closing.is_cancelled() {
            let wanted = self.wanted();
            self.tidy(&wanted).await;
            let lacking: Vec<_> =
                wanted.iter().filter(|(_, wanted)| self.standing(wanted) < wanted.many).collect();
            let due =
                |pack: &PackName| self.failing.get(pack).map_or_else(Instant::now, |failing| failing.again);
            let next =
                lacking.into_iter().map(|(pack, wanted)| (due(pack), pack, wanted)).min_by_key(|next| next.0);
            let at = next.as_ref().map_or_else(|| Instant::now() + NEVER, |next| next.0);
            if let Some((at, pack, wanted)) = next
                && at <= Instant::now()
            {
                let made = self.make(&wanted.kind).await;
                self.note(pack, made);
                continue;
            }
            tokio::select! {
                () = closing.cancelled() => {}
                () = self.sessions.ready_left() => {}
                changed = generations.changed() => match changed {
                    // What was wrong may be right now.
                    Ok(()) => self.failing.clear(),
                    Err(_) => return,
                },
                () = sleep_until(at) => {}
            }
        }
    }

    /// What the entries in force say.
    fn wanted(&self) -> BTreeMap<PackName, Wanted> {
        let (serving, vars) = (self.inner.serving.load_full(), self.inner.settings.vars());
        let tools = serving.catalog.tools().filter(|tool| warm(tool) > 0);
        let wanted = tools.filter_map(|tool| {
            // What a call's input narrows is no part of what a sandbox is.
            let grants = tool.entry.narrow(&Value::Null, &vars);
            let workspace = grants.workspace && tool.entry.fs.is_empty();
            let kind = Kind::of(tool, &grants, workspace)?;
            let many = usize::try_from(warm(tool)).unwrap_or(usize::MAX);
            Some((tool.pack.name.clone(), Wanted { kind, many }))
        });
        wanted.collect()
    }

    fn standing(&self, wanted: &Wanted) -> usize {
        self.inner.warm.standing().iter().filter(|one| one.kind == wanted.kind).count()
    }

    /// Ends what is not wanted any more, and forgets what stands ready no more.
    async fn tidy(&self, wanted: &BTreeMap<PackName, Wanted>) {
        let mut left: BTreeMap<_, _> = wanted.iter().map(|(pack, wanted)| (pack, wanted.many)).collect();
        let mut stays = |one: &Standing| {
            let pack = &one.kind.need.pack;
            let is_wanted = wanted.get(pack).is_some_and(|wanted| wanted.kind == one.kind);
            let Some(left) = left.get_mut(pack).filter(|_| is_wanted && self.sessions.is_ready(&one.id))
            else {
                return false;
            };
            let stays = *left > 0;
            *left = left.saturating_sub(1);
            stays
        };
        let gone: Vec<_> = self.inner.warm.standing().extract_if(.., |one| !stays(one)).collect();
        for one in gone {
            one.end(self.workspaces.as_ref()).await;
        }
    }

    async fn make(&self, kind: &Kind) -> Result<(), String> {
        let workspace = if kind.workspace { Some(self.reserve().await?) } else { None };
        let need = need::inside(kind.need.clone(), workspace.as_ref());
        let made = tokio::select! {
            made = self.sessions.prepare(&need) => made.map_err(|error| error.to_string()),
            // Dropped, it leaves nothing.
            () = self.inner.warm.closing.cancelled() => Err("the host ends".to_owned()),
        };
        match made {
            Ok(id) => {
                let (kind, sessions) = (kind.clone(), self.sessions.clone());
                self.inner.warm.standing().push(Standing { kind, id, sessions, workspace });
                Ok(())
            }
            Err(error) => {
                if let (Some(workspace), Some(workspaces)) = (workspace, &self.workspaces) {
                    remove(workspace, Arc::clone(workspaces)).await;
                }
                Err(error)
            }
        }
    }

    async fn reserve(&self) -> Result<Workspace, String> {
        let workspaces = self.workspaces.clone().ok_or("this host has no workspaces")?;
        let reserved = tokio::task::spawn_blocking(move || workspaces.reserve(SystemTime::now()));
        reserved.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    /// The first failure is said; the ones that follow it wait longer and longer and say nothing.
    fn note(&mut self, pack: &PackName, made: Result<(), String>) {
        let Err(error) = made else {
            self.failing.remove(pack);
            return;
        };
        if self.inner.warm.closing.is_cancelled() {
            return;
        }
        let before = self.failing.get(pack).map(|failing| failing.pause);
        if before.is_none() {
            tracing::warn!(target: "packhost", %pack, error, "no sandbox can be made ready; its calls make their own");
        }
        let pause = before.map_or(PAUSE, |pause| (2 * pause).min(LONGEST));
        self.failing.insert(pack.clone(), Failing { pause, again: Instant::now() + pause });
    }
}
