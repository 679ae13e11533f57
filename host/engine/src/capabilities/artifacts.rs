//! `packhost:pack/artifacts`: what a call makes and its caller keeps, for packs that the manifest lets keep something.

use packhost_artifacts::{Artifact, ArtifactError, Draft, Writer};
use packhost_core::{Caller, ErrorCode, Failure, PackName, RunId};
use packhost_egress::{RedactedStream, Used};
use packhost_manifest::Entry;
use packhost_package::Outline;
use wasmtime::component::{HasSelf, Linker, Resource};

use super::Granted;
use super::bindings::artifacts::{self, ArtifactError as Told, Host, HostWriter, Made as Kept};
use crate::dispatch::outbox::{MOST, Made, uri};
use crate::runtime::Guest;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    artifacts::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

pub(super) fn unmet(outline: &Outline, entry: &Entry) -> Option<String> {
    (super::imports(outline, "packhost:pack/artifacts") && !entry.artifacts)
        .then(|| "it keeps what it makes (packhost:pack/artifacts) and its entry has no \"artifacts\"".into())
}

/// Whose artifacts a call makes.
#[derive(Clone)]
pub(crate) struct Maker {
    pub(crate) run: RunId,
    pub(crate) caller: Caller,
    pub(crate) pack: PackName,
    pub(crate) used: Used,
}

/// What a call keeps.
pub(crate) struct Keeping {
    granted: bool,
    keep: std::time::Duration,
    maker: Maker,
    /// What it has kept until now.
    pub(crate) made: Made,
}

pub(super) fn build(granted: &Granted<'_>) -> Keeping {
    Keeping {
        granted: granted.grants.artifacts,
        keep: granted.limits.keep,
        maker: granted.maker.clone(),
        made: granted.made.clone(),
    }
}

/// An artifact that is being written.
#[expect(unreachable_pub, reason = "the generated bindings name it where they are public")]
pub struct Writing {
    writer: Writer,
    /// Takes out what the call has used of credentials; what comes back to a pack has nothing of them, so this finds something only
    /// where that has failed.
    clean: Option<RedactedStream>,
}

type Answer<T> = wasmtime::Result<Result<T, Told>>;

impl Host for Guest {
    async fn create(&mut self, name: String, media_type: String) -> Answer<Resource<Writing>> {
        let keeping = &self.keeping;
        let Some(store) = keeping.made.store().filter(|_| keeping.granted) else {
            return Ok(Err(refusal(
                artifacts::ErrorCode::Denied,
                "The manifest does not let this pack keep anything.",
            )));
        };
        if keeping.made.count() >= MOST {
            let message = format!("One call keeps {MOST} artifacts and no more.");
            return Ok(Err(refusal(artifacts::ErrorCode::Exhausted, message)));
        }
        let redactor = keeping.maker.used.redactor();
        let name =
            redactor.as_ref().map_or_else(|| name.clone(), |redactor| redactor.text(&name).into_owned());
        let (name, media_type) = match (name.parse(), media_type.parse()) {
            (Ok(name), Ok(media_type)) => (name, media_type),
            (Err(why), _) => return Ok(Err(invalid(&why))),
            (_, Err(why)) => return Ok(Err(invalid(&why))),
        };
        let Maker { run, caller, pack, .. } = keeping.maker.clone();
        let draft = Draft::new(caller, run, pack, name, media_type).keep(keeping.keep);
        match store.writer(draft).await {
            Ok(writer) => {
                let clean = redactor.map(|redactor| redactor.stream());
                Ok(Ok(wasmtime_wasi::WasiView::ctx(self).table.push(Writing { writer, clean })?))
            }
            Err(error) => Ok(Err(told(error))),
        }
    }
}

impl HostWriter for Guest {
    async fn write(&mut self, this: Resource<Writing>, bytes: Vec<u8>) -> Answer<()> {
        let writing = wasmtime_wasi::WasiView::ctx(self).table.get_mut(&this)?;
        let bytes = match &mut writing.clean {
            Some(clean) => clean.push(bytes.into()),
            None => bytes.into(),
        };
        Ok(writing.writer.write(bytes).await.map_err(told))
    }

    async fn finish(&mut self, this: Resource<Writing>) -> Answer<Kept> {
        let Writing { mut writer, clean } = wasmtime_wasi::WasiView::ctx(self).table.delete(this)?;
        let rest = match clean {
            Some(mut clean) => writer.write(clean.finish()).await,
            None => Ok(()),
        };
        if let Err(error) = rest {
            return Ok(Err(told(error)));
        }
        Ok(match writer.finish().await {
            Ok(artifact) => {
                let kept = kept(&artifact);
                self.keeping.made.add(artifact);
                Ok(kept)
            }
            Err(error) => Err(told(error)),
        })
    }

    async fn drop(&mut self, this: Resource<Writing>) -> wasmtime::Result<()> {
        wasmtime_wasi::WasiView::ctx(self).table.delete(this)?;
        Ok(())
    }
}

fn kept(artifact: &Artifact) -> Kept {
    Kept { uri: uri(artifact), size: artifact.size, digest: artifact.digest.to_string() }
}

/// What the pack is told; the cause is the operator's.
fn told(error: ArtifactError) -> Told {
    let code = match error.code() {
        ErrorCode::ResourceExhausted => artifacts::ErrorCode::Exhausted,
        ErrorCode::InvalidInput => artifacts::ErrorCode::Invalid,
        _ => artifacts::ErrorCode::Failed,
    };
    let failure = Failure::from(error);
    if let Some(cause) = failure.cause.as_ref().filter(|_| code == artifacts::ErrorCode::Failed) {
        tracing::warn!(target: "packhost", %cause, "a pack cannot keep an artifact");
    }
    refusal(code, failure.message)
}

fn invalid(why: &impl std::fmt::Display) -> Told {
    refusal(artifacts::ErrorCode::Invalid, format!("That is {why}."))
}

fn refusal(code: artifacts::ErrorCode, message: impl Into<String>) -> Told {
    Told { code, message: message.into() }
}
