//! One file becomes one artifact: read as a stream, without the credentials that the call has used.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use packhost_artifacts::{Artifact, ArtifactError, Artifacts, Draft, MediaType, Name, Writer};
use packhost_core::Failure;
use packhost_egress::Redactor;
use packhost_workspaces::Workspace;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::files::{self, Found};
use super::show;
use crate::call::Call;
use crate::catalog::Tool;

/// Bytes that are read together.
const PIECE: usize = 256 << 10;
/// What a file is of which nothing is known.
const UNKNOWN: &str = "application/octet-stream";

/// Whose artifacts they become.
pub(super) struct Maker<'a> {
    pub(super) artifacts: &'a Artifacts,
    pub(super) call: &'a Call,
    pub(super) tool: &'a Tool,
    pub(super) redactor: Option<Redactor>,
}

/// An artifact, and its bytes where they may be shown.
pub(super) struct Kept {
    pub(super) artifact: Artifact,
    pub(super) bytes: Option<Bytes>,
}

impl Maker<'_> {
    /// Keeps a file of at most so many bytes; why it is not kept, as the agent is told it.
    pub(super) async fn keep(
        &self,
        workspace: &Arc<Workspace>,
        file: &Found,
        room: u64,
    ) -> Result<Kept, String> {
        let path = file.path().ok_or("its name is not UTF-8")?;
        let path = self.redactor.as_ref().map_or(path.into(), |redactor| redactor.text(path));
        let name: Name = path.parse().map_err(|error: packhost_artifacts::InvalidName| error.to_string())?;
        let (workspace, found) = (Arc::clone(workspace), file.clone());
        let opened = tokio::task::spawn_blocking(move || files::open(&workspace.dir, &found)).await;
        let (opened, size) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return Err(format!("it cannot be read: {}", error.kind())),
            Err(_) => return Err("the host is shutting down".to_owned()),
        };
        if size > room {
            return Err(format!("it has {size} bytes; {room} are left for what one call may leave"));
        }
        // What is written to it from now on is not taken.
        let content = tokio::fs::File::from_std(opened).take(size);
        let (owner, pack) = (self.call.caller().clone(), self.tool.name.clone());
        let draft = Draft::new(owner, self.call.run, pack, name, media_type(&path)?);
        let draft = draft.size(size).keep(self.tool.entry.limits.keep);
        self.write(draft, content).await
    }

    async fn write(&self, draft: Draft, content: impl AsyncRead + Unpin) -> Result<Kept, String> {
        let shown = show::may_be_shown(&draft.media_type, draft.size.unwrap_or(0));
        let writer = self.artifacts.writer(draft).await.map_err(told)?;
        let mut copy = Copy { writer, shown: shown.then(BytesMut::new) };
        copy.all(content, self.redactor.as_ref()).await?;
        let Copy { writer, shown } = copy;
        let artifact = writer.finish().await.map_err(told)?;
        Ok(Kept { artifact, bytes: shown.map(BytesMut::freeze) })
    }
}

/// Bytes on their way into an artifact.
struct Copy {
    writer: Writer,
    shown: Option<BytesMut>,
}

impl Copy {
    async fn all(
        &mut self,
        mut from: impl AsyncRead + Unpin,
        redactor: Option<&Redactor>,
    ) -> Result<(), String> {
        let mut clean = redactor.map(Redactor::stream);
        loop {
            let mut piece = BytesMut::with_capacity(PIECE);
            let read = from.read_buf(&mut piece).await;
            if read.map_err(|error| format!("it cannot be read: {}", error.kind()))? == 0 {
                break;
            }
            let piece = piece.freeze();
            self.some(clean.as_mut().map_or(piece.clone(), |clean| clean.push(piece))).await?;
        }
        match clean.as_mut() {
            Some(clean) => self.some(clean.finish()).await,
            None => Ok(()),
        }
    }

    async fn some(&mut self, piece: Bytes) -> Result<(), String> {
        if let Some(shown) = &mut self.shown {
            shown.extend_from_slice(&piece);
        }
        self.writer.write(piece).await.map_err(told)
    }
}

/// By the end of its name, as nobody looks whether it is true.
fn media_type(path: &str) -> Result<MediaType, String> {
    let known = mime_guess::from_path(path).first_raw().unwrap_or(UNKNOWN);
    known.parse().map_err(|error: packhost_artifacts::InvalidMediaType| error.to_string())
}

/// A sentence without its full stop; the cause is the operator's.
fn told(error: ArtifactError) -> String {
    let failure = Failure::from(error);
    if let Some(cause) = &failure.cause {
        tracing::warn!(target: "packhost", %cause, "a file does not become an artifact");
    }
    failure.message.trim_end_matches('.').to_owned()
}
