//! Sandboxes that stand ready for entries that say so, each in a workspace that is reserved where the entry gives one.
//!
//! Owns: which sandboxes stand ready for which entry, and their workspaces, until a call takes them ([`Warm`]); that they are
//! made again, and go when their entry changes ([`fill`]). Refuses: to whom a sandbox or a workspace may be given, which the
//! rooms of sessions and of workspaces decide.

mod fill;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packhost_core::Caller;
use packhost_manifest::Grants;
use packhost_sessions::{Need, SandboxId, Sessions};
use packhost_workspaces::{Workspace, Workspaces};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use fill::start;

use crate::catalog::Tool;
use crate::session::need;
use crate::settings::Settings;

/// What stands ready.
#[derive(Default)]
pub(crate) struct Warm {
    standing: Mutex<Vec<Standing>>,
    closing: CancellationToken,
    filler: Mutex<Option<JoinHandle<()>>>,
}

/// What sandboxes of an entry are like; two of the same kind can stand in for each other.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kind {
    /// On nobody's behalf, and in no workspace yet.
    need: Need,
    /// Whether each is in a workspace of its own.
    workspace: bool,
}

/// A sandbox that stood ready when it was last looked at.
struct Standing {
    kind: Kind,
    id: SandboxId,
    sessions: Sessions,
    workspace: Option<Workspace>,
}

/// A reserved workspace with the sandbox that stands ready in it, for one call. Its workspace has to be given before it is
/// used.
pub(crate) struct Reserved {
    kind: Kind,
    id: SandboxId,
    sessions: Sessions,
    workspace: Workspace,
}

/// A sandbox that is one call's to use. It is ended with the call that has not used it: its workspace is somebody's.
pub(crate) struct Taken {
    sessions: Sessions,
    id: SandboxId,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.sessions.discard(&self.id);
    }
}

impl Reserved {
    pub(crate) fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The workspace is the caller's now, or gone.
    pub(crate) fn given(self) -> (Workspace, Taken) {
        (self.workspace, Taken { sessions: self.sessions, id: self.id })
    }
}

impl Kind {
    /// Of a call with these grants, which is in a fresh workspace or in none.
    fn of(tool: &Tool, grants: &Grants, workspace: bool) -> Option<Self> {
        let grant = grants.session.as_ref()?;
        let need = need::of(grant, &tool.entry.limits, &Caller::nobody(), &tool.pack.name);
        Some(Self { need, workspace })
    }
}

impl Warm {
    fn standing(&self) -> MutexGuard<'_, Vec<Standing>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fresh workspace with a sandbox that stands ready in it, for a call with these grants. One in no workspace is not
    /// taken here: whoever needs it finds it.
    pub(crate) fn take(&self, tool: &Tool, grants: &Grants) -> Option<Reserved> {
        if warm(tool) == 0 {
            return None;
        }
        let kind = Kind::of(tool, grants, true)?;
        let mut standing = self.standing();
        let fits = |one: &Standing| one.kind == kind && one.sessions.is_ready(&one.id);
        let at = standing.iter().position(fits)?;
        let Standing { kind, id, sessions, workspace } = standing.remove(at);
        workspace.map(|workspace| Reserved { kind, id, sessions, workspace })
    }

    /// Takes back what could not be given.
    pub(crate) fn put_back(&self, reserved: Reserved) {
        let Reserved { kind, id, sessions, workspace } = reserved;
        self.standing().push(Standing { kind, id, sessions, workspace: Some(workspace) });
    }

    /// Ends what stands ready, and makes no more.
    pub(crate) async fn close(&self, settings: &Settings) {
        self.closing.cancel();
        let filler = self.filler.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(filler) = filler {
            // It ends by itself, and has nothing to say.
            let _ = filler.await;
        }
        let all = std::mem::take(&mut *self.standing());
        for one in all {
            one.end(settings.workspaces.as_ref()).await;
        }
    }
}

impl Standing {
    /// Ends it, if nobody has got it, and removes its workspace, which is nobody's.
    async fn end(self, workspaces: Option<&Arc<Workspaces>>) {
        self.sessions.discard(&self.id);
        if let (Some(workspace), Some(workspaces)) = (self.workspace, workspaces) {
            remove(workspace, Arc::clone(workspaces)).await;
        }
    }
}

/// Removes a reserved workspace. One that cannot be removed goes with the unused.
async fn remove(workspace: Workspace, workspaces: Arc<Workspaces>) {
    let removing = tokio::task::spawn_blocking(move || workspaces.remove(&workspace.name));
    if let Ok(Err(error)) = removing.await {
        tracing::warn!(target: "packhost", %error, "a reserved workspace cannot be removed");
    }
}

/// How many are to stand ready for a pack.
fn warm(tool: &Tool) -> u32 {
    tool.entry.session.as_ref().map_or(0, |session| session.warm)
}
