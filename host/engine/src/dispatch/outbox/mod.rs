//! Step 6, its second half: what the pack has kept, and what programs of the call have left in `out/` of its workspace, becomes
//! artifacts of the call, and the host signs for them.

mod files;
mod keep;
mod made;
mod show;

use std::sync::Arc;

use packhost_artifacts::{Artifact, Artifacts, Run};
use packhost_core::Digest;
use packhost_workspaces::Workspace;

use super::Progressed;
use super::run::Given;
use super::trap;
use crate::call::{Answer, Call, Ended};
use crate::catalog::Tool;
use crate::engine::Inner;
use crate::runtime::Stop;
use files::{Found, Look};
use keep::Kept;
pub(crate) use made::Made;

/// The directory in a workspace whose files become artifacts.
const OUT: &str = "out";
/// Artifacts of one call, and files of one that become artifacts.
pub(crate) const MOST: usize = 100;

/// Where what a call makes comes together.
pub(super) struct Outbox {
    artifacts: Artifacts,
    /// The call's workspace and its directory `out`, as that was before the call ran; none where no program of the call can leave
    /// something there.
    workspace: Option<(Arc<Workspace>, Look)>,
}

/// A file that did not become an artifact.
struct Refused {
    name: String,
    why: String,
}

/// What became of the files.
#[derive(Default)]
struct Left {
    kept: Vec<Kept>,
    refused: Vec<Refused>,
    /// Files beyond [`MOST`], and what was not looked at.
    more: bool,
}

impl Outbox {
    /// Looks at what is there before the call runs: that is an earlier call's. None where the call can make nothing.
    pub(super) async fn of(engine: &Inner, tool: &Tool, given: &Given) -> Option<Self> {
        let artifacts = engine.settings.artifacts.clone()?;
        let workspace = match given.workspace.clone().filter(|_| tool.entry.session.is_some()) {
            Some(workspace) => {
                let before = look(&workspace).await;
                Some((workspace, before))
            }
            None if tool.entry.artifacts => None,
            None => return None,
        };
        Some(Self { artifacts, workspace })
    }

    /// Keeps what is new or changed, signs for all that the call has made, and adds it to the answer. A file that cannot be kept is
    /// said to be so, and takes no answer away.
    ///
    /// # Errors
    /// Where the call has to stop meanwhile; then nothing is kept.
    pub(super) async fn empty(
        self,
        call: &Call,
        tool: &Tool,
        stop: &Stop,
        so_far: &mut Progressed,
        answer: &mut Answer,
    ) -> Result<(), Ended> {
        let made = so_far.made.clone().unwrap_or_else(|| Made::none(Some(self.artifacts.clone())));
        let mut left = Left::default();
        left.kept.extend(made.list().into_iter().map(|artifact| Kept { artifact, bytes: None }));
        // What other packs write into a workspace is nothing that a program made.
        let ran = so_far.session.as_ref().is_some_and(|session| session.execs > 0);
        if let Some((workspace, before)) = self.workspace.as_ref().filter(|_| ran) {
            let Look { files, more } = look(workspace).await;
            let fresh: Vec<_> = files.into_iter().filter(|file| !before.has(file)).collect();
            left.more = more || fresh.len() > MOST;
            let kept = tokio::select! {
                biased;
                () = stop.stopped() => false,
                () = self.keep(call, tool, so_far, (workspace, fresh), &made, &mut left) => true,
            };
            if !kept {
                made.discard().await;
                return Err(trap::stopped(stop.reason(), tool).into());
            }
        }
        let manifest = self.seal(call, tool, so_far.sent, &left).await;
        show::add(answer, &left, tool.entry.limits.output);
        so_far.artifacts = made.list();
        manifest.into_iter().for_each(|manifest| made.add(manifest));
        // It stays once the call is on record.
        so_far.made = Some(made);
        Ok(())
    }

    /// One after the other: side by side they would compete for the same disk. All of them together hold no more than the
    /// workspace may, however large they say that they are.
    async fn keep(
        &self,
        call: &Call,
        tool: &Tool,
        so_far: &Progressed,
        (workspace, fresh): (&Arc<Workspace>, Vec<Found>),
        made: &Made,
        left: &mut Left,
    ) {
        let maker = keep::Maker { artifacts: &self.artifacts, call, tool, redactor: so_far.used.redactor() };
        let mut room = tool.entry.limits.workspace;
        for file in fresh.into_iter().take(MOST) {
            match maker.keep(workspace, &file, room).await {
                Ok(kept) => {
                    room = room.saturating_sub(kept.artifact.size);
                    made.add(kept.artifact.clone());
                    left.kept.push(kept);
                }
                Err(why) => left.refused.push(Refused { name: file.name(), why }),
            }
        }
    }

    /// From here on nothing is added to the run. The manifest, where there is one.
    async fn seal(&self, call: &Call, tool: &Tool, sent: Option<Digest>, left: &Left) -> Option<Artifact> {
        let input = sent.filter(|_| !left.kept.is_empty())?;
        let run = Run {
            id: call.run,
            owner: call.caller().clone(),
            pack: tool.name.clone(),
            pack_digest: tool.pack.digest,
            input,
        };
        self.artifacts.seal(&run).await.unwrap_or_else(|error| {
            // They are there, and `verify` says that nobody has signed for them.
            tracing::error!(target: "packhost", run = %call.run, %error, "what a call has made is not signed for");
            None
        })
    }
}

async fn look(workspace: &Arc<Workspace>) -> Look {
    let workspace = Arc::clone(workspace);
    // A look that panics has seen nothing.
    tokio::task::spawn_blocking(move || files::look(&workspace.dir)).await.unwrap_or_default()
}

/// The address of an artifact, for clients that read resources.
pub(crate) fn uri(artifact: &Artifact) -> String {
    format!("{}{}", crate::call::ARTIFACTS, artifact.id)
}
