//! Writing an artifact: bytes come in, are hashed and stored side by side, and become an artifact in one step.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::{PutPayload, PutPayloadMut};
use packhost_core::Digest;

use crate::artifact::{Artifact, Draft, Kind};
use crate::artifacts::{Inner, blocking};
use crate::claim::Claim;
use crate::error::{ArtifactError, Limit};
use crate::hashing::Hashing;
use crate::id::{ArtifactId, Place};
use crate::settings::{Limits, milliseconds};
use crate::store::Upload;
use crate::table::known;
use crate::table::objects::{self, Coming};
use crate::table::references::{self, Kept};
use crate::table::room::{self, Asking};

/// What is reserved at first where nobody says how large it will be, in bytes.
const FIRST: u64 = 1 << 20;
/// What is reserved in addition at once, in bytes: as much as there is already, but no more than this.
const MOST_MORE: u64 = 64 << 20;
/// What comes in pieces smaller than this is copied together.
const SMALL: usize = 64 << 10;

/// An artifact that is being written. Nobody sees anything of it until [`finish`](Self::finish) has succeeded; dropped before
/// that, it is as if it had never been.
pub struct Writer {
    claim: Claim,
    what: What,
    pending: PutPayloadMut,
    hashing: Hashing,
    upload: Option<Upload>,
    /// Bytes that were taken, and of these those that went to the store.
    taken: u64,
    written: u64,
    reserved: u64,
    heard: u64,
    is_broken: bool,
}

/// What is being written.
pub(crate) struct What {
    pub(crate) draft: Draft,
    pub(crate) kind: Kind,
    /// Of a manifest, the artifacts that it speaks of. They have to be all that the run has when it is finished.
    pub(crate) of: Vec<ArtifactId>,
    /// When a manifest expires: with the last artifact that it speaks of.
    pub(crate) expires: Option<u64>,
}

impl Writer {
    /// Reserves room.
    pub(crate) async fn begin(inner: &Arc<Inner>, what: What) -> Result<Self, ArtifactError> {
        let limits = inner.settings.limits;
        if let Some(size) = what.draft.size.filter(|size| *size > limits.artifact && what.kind == Kind::Made)
        {
            tracing::debug!(size, "an artifact is larger than one may be");
            return Err(ArtifactError::Quota { limit: Limit::Artifact, most: limits.artifact });
        }
        let need = room::charge(what.draft.size.unwrap_or(0));
        let want = what.draft.size.unwrap_or(FIRST.min(limits.artifact));
        let now = inner.settings.clock.now();
        let (owner, run, kind) = (what.draft.owner.clone(), what.draft.run, what.kind);
        let of = Arc::clone(inner);
        let begun = blocking(move || {
            let free = of.store.free();
            let claim = Claim::new(&of, Place::fresh());
            let until = of.until(now);
            let granted = of.database.write(|sql| {
                if references::is_sealed(sql, run)? {
                    return Err(ArtifactError::Sealed);
                }
                let coming = Coming { place: &claim.place, owner: &owner, run, kind, until };
                let asking = Asking { owner: &owner, run, need, want, free };
                objects::begin(sql, &coming, &asking, &limits)
            });
            granted.map(|granted| (claim, granted))
        });
        let (claim, reserved) = begun.await?;
        let pending = PutPayloadMut::new().with_block_size(SMALL);
        let hashing = Hashing::default();
        let (taken, written, is_broken) = (0, 0, false);
        Ok(Self {
            claim,
            what,
            pending,
            hashing,
            upload: None,
            taken,
            written,
            reserved,
            heard: now,
            is_broken,
        })
    }

    /// Takes the next bytes. They are kept in memory until a piece is full (2 MiB, or 8 MiB for S3), and so are up to four pieces
    /// that are hashed and written.
    ///
    /// # Errors
    /// When there would be more than there may be, or the store fails. After an error nothing more can be written.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), ArtifactError> {
        if self.is_broken {
            return Err(ArtifactError::Broken);
        }
        // Also where this future is dropped half way.
        self.is_broken = true;
        match self.take(bytes).await {
            Ok(()) => self.is_broken = false,
            Err(error) => {
                self.give_up().await;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Gives back what was reserved, before anybody is told that it failed.
    async fn give_up(&mut self) {
        self.upload = None;
        self.claim.give_up().await;
    }

    async fn take(&mut self, mut bytes: Bytes) -> Result<(), ArtifactError> {
        let most = self.limits().artifact;
        self.taken = self.taken.saturating_add(bytes.len() as u64);
        if self.taken > most && self.what.kind == Kind::Made {
            return Err(ArtifactError::Quota { limit: Limit::Artifact, most });
        }
        let piece = self.claim.inner.store.piece();
        while !bytes.is_empty() {
            let room = piece.saturating_sub(self.pending.content_length()).max(1);
            let next = bytes.split_to(room.min(bytes.len()));
            if next.len() < SMALL {
                self.pending.extend_from_slice(&next);
            } else {
                self.pending.push(next);
            }
            if self.pending.content_length() >= piece {
                self.reserve(self.written + self.pending.content_length() as u64).await?;
                let full = self.next_piece();
                self.send(full).await?;
            }
        }
        Ok(())
    }

    fn limits(&self) -> &Limits {
        &self.claim.inner.settings.limits
    }

    fn next_piece(&mut self) -> PutPayload {
        let empty = PutPayloadMut::new().with_block_size(SMALL);
        std::mem::replace(&mut self.pending, empty).freeze()
    }

    /// Has room for so many bytes in all, and says now and then that it is alive.
    async fn reserve(&mut self, bytes: u64) -> Result<(), ArtifactError> {
        let inner = Arc::clone(&self.claim.inner);
        let (now, lease) = (inner.settings.clock.now(), milliseconds(inner.settings.lease));
        let need = bytes.saturating_sub(self.reserved);
        // Also by a clock that was set back.
        if need == 0 && now.abs_diff(self.heard) < lease / 3 {
            return Ok(());
        }
        let want =
            need.max(self.reserved.min(MOST_MORE)).min(self.limits().artifact.saturating_sub(self.reserved));
        let (owner, run, kind) = (self.what.draft.owner.clone(), self.what.draft.run, self.what.kind);
        let (place, written) = (self.claim.place.clone(), self.written);
        let grown = blocking(move || {
            let free = inner.store.free();
            inner.database.write(|sql| {
                objects::touch(sql, &place, written, inner.until(now))?;
                if need == 0 {
                    return Ok(0);
                }
                let asking = Asking { owner: &owner, run, need, want, free };
                objects::grow(sql, &place, kind, &asking, &inner.settings.limits)
            })
        });
        self.reserved += grown.await?;
        self.heard = now;
        Ok(())
    }

    /// Hashes a piece and writes it, both at once.
    async fn send(&mut self, piece: PutPayload) -> Result<(), ArtifactError> {
        self.hashing.add(piece.clone()).await;
        self.written += piece.content_length() as u64;
        let inner = Arc::clone(&self.claim.inner);
        if self.upload.is_none() {
            let upload = inner.store.begin(&self.claim.place).await?;
            if let Some(name) = upload.name().map(str::to_owned) {
                let (of, place) = (inner.clone(), self.claim.place.clone());
                let note = move || of.database.write(|sql| objects::note_upload(sql, &place, &name));
                blocking(note).await?;
            }
            self.upload = Some(upload);
        }
        match &mut self.upload {
            Some(upload) => upload.write(piece).await,
            None => Ok(()),
        }
    }

    /// Makes an artifact of what was written. All of it is there, and survives a power cut, when this has returned.
    ///
    /// # Errors
    /// As [`write`](Self::write). [`ArtifactError::Sealed`] where the run has ended meanwhile. Then nothing was kept.
    pub async fn finish(mut self) -> Result<Artifact, ArtifactError> {
        if self.is_broken {
            return Err(ArtifactError::Broken);
        }
        match self.complete().await {
            Ok(digest) => self.settle(digest).await,
            Err(error) => {
                self.give_up().await;
                Err(error)
            }
        }
    }

    /// All of it is in the store, under a name that nobody knows yet.
    async fn complete(&mut self) -> Result<Digest, ArtifactError> {
        self.reserve(self.taken).await?;
        let rest = self.next_piece();
        let store = self.claim.inner.store.clone();
        if self.upload.is_none() && store.put(&self.claim.place, rest.clone()).await? {
            self.hashing.add(rest).await;
        } else {
            // An empty object has one empty piece.
            if rest.content_length() > 0 || self.upload.is_none() {
                self.send(rest).await?;
            }
            if let Some(upload) = self.upload.take() {
                upload.complete().await?;
            }
        }
        std::mem::take(&mut self.hashing).end().await
    }

    /// In one transaction: the object is here, and the artifact refers to it.
    async fn settle(self, digest: Digest) -> Result<Artifact, ArtifactError> {
        let Self { mut claim, what, taken: size, .. } = self;
        let inner = Arc::clone(&claim.inner);
        let of = Arc::clone(&inner);
        let settled = blocking(move || {
            let now = of.settings.clock.now();
            let artifact = what.artifact(digest, size, now, &of);
            let known = of.database.write(|sql| {
                known::stays(sql, of.store.place())?;
                what.may_end(sql, now)?;
                let settled = objects::settle(sql, &claim.place, &artifact.owner, &digest, size)?;
                references::put(sql, &Kept { artifact: artifact.clone(), place: settled.place })?;
                Ok::<_, ArtifactError>(settled.known)
            })?;
            claim.is_settled = true;
            Ok((artifact, known.then(|| claim.place.clone())))
        });
        let (artifact, twice) = settled.await?;
        if let Some(place) = twice {
            inner.remove_object(place, None).await;
        }
        Ok(artifact)
    }
}

impl What {
    fn artifact(&self, digest: Digest, size: u64, now: u64, inner: &Inner) -> Artifact {
        let Draft { owner, run, pack, name, media_type, keep, .. } = self.draft.clone();
        let keep: Duration = keep.unwrap_or(inner.settings.keep).min(inner.settings.keep_at_most);
        let expires = self.expires.unwrap_or_else(|| now.saturating_add(milliseconds(keep)));
        let expires = expires.min(i64::MAX.unsigned_abs());
        let (id, kind) = (ArtifactId::fresh(), self.kind);
        Artifact { id, kind, digest, size, media_type, name, owner, run, pack, created: now, expires }
    }

    /// Whether this may still be added to the run.
    fn may_end(&self, sql: &rusqlite::Transaction<'_>, now: u64) -> Result<(), ArtifactError> {
        let run = self.draft.run;
        if references::is_sealed(sql, run)? {
            return Err(ArtifactError::Sealed);
        }
        if self.kind == Kind::Made {
            return Ok(());
        }
        let whose = references::Whose::Of(&self.draft.owner);
        let there = references::of_run(sql, whose, run, now)?;
        let same = there.iter().map(|kept| &kept.artifact.id).eq(&self.of);
        if same { Ok(()) } else { Err(ArtifactError::Changed) }
    }
}
