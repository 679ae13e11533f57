//! The artifacts of one caller, for the ones who ask on its behalf.

use std::sync::Arc;

use packhost_core::{Caller, RunId};
use packhost_keyring::{Keyring, PublicKeys};
use packhost_state::Database;

use crate::artifact::{Artifact, Cursor, Draft, Filter, Kind, Listing, Page};
use crate::belonging::{self, belong_together};
use crate::claim::Alive;
use crate::error::ArtifactError;
use crate::id::{ArtifactId, Place};
use crate::range::ByteRange;
use crate::reading::Reading;
use crate::seal::Run;
use crate::settings::{Settings, milliseconds};
use crate::store::Store;
use crate::table::references::{self, Kept, Whose};
use crate::table::{STEPS, objects};
use crate::verify::Report;
use crate::writer::{What, Writer};

/// The artifacts of a host, as a caller has them: what is another's is not there. Cheap to clone; all clones are the same. Needs
/// a tokio runtime; work on the disk is done on its blocking threads.
///
/// Several processes of a host may have the same artifacts open. [`Operator`](crate::Operator) has everybody's.
#[derive(Clone)]
pub struct Artifacts {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) database: Arc<Database>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) settings: Settings,
    pub(crate) alive: Alive,
}

impl Artifacts {
    /// The artifacts in this store, which this database knows.
    ///
    /// # Errors
    /// When the tables are those of a newer host; [`ArtifactError::Elsewhere`] when the artifacts are in another place, which only
    /// [`moved`](Self::moved) changes; [`ArtifactError::Foreign`] when the store belongs to another database: a sweeper would take
    /// all that is in it for nobody's; [`ArtifactError::Emptied`] when it is not the one that this database knows.
    pub async fn open(
        store: Store,
        database: Arc<Database>,
        keyring: Arc<Keyring>,
        settings: Settings,
    ) -> Result<Self, ArtifactError> {
        migrate(&database).await?;
        belong_together(&store, &database).await?;
        Ok(Self::of(store, database, keyring, settings))
    }

    /// The same also where the store was lost and an empty one is in its place: for the operator, who looks at what is missing
    /// and removes it.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for an emptied store.
    pub async fn open_emptied(
        store: Store,
        database: Arc<Database>,
        keyring: Arc<Keyring>,
        settings: Settings,
    ) -> Result<Self, ArtifactError> {
        migrate(&database).await?;
        match belong_together(&store, &database).await {
            Ok(()) | Err(ArtifactError::Emptied) => Ok(Self::of(store, database, keyring, settings)),
            Err(error) => Err(error),
        }
    }

    fn of(store: Store, database: Arc<Database>, keyring: Arc<Keyring>, settings: Settings) -> Self {
        Self { inner: Arc::new(Inner { store, database, keyring, settings, alive: Alive::default() }) }
    }

    /// Notes that the artifacts of this database are in this store from now on, because somebody has copied all objects there. How
    /// many those are. What a process that has the old store open still writes there is refused.
    ///
    /// # Errors
    /// [`ArtifactError::NotCopied`] where objects are not there, and [`ArtifactError::Foreign`] where the store belongs to another
    /// database. Then they are where they were.
    pub async fn moved(store: &Store, database: &Arc<Database>) -> Result<u64, ArtifactError> {
        migrate(database).await?;
        belonging::moved(store, database).await
    }

    /// Begins an artifact.
    ///
    /// # Errors
    /// When there is no room for it, or the run has ended.
    pub async fn writer(&self, draft: Draft) -> Result<Writer, ArtifactError> {
        let what = What { draft, kind: Kind::Made, of: Vec::new(), expires: None };
        Writer::begin(&self.inner, what).await
    }

    /// What is known of an artifact of this caller.
    ///
    /// # Errors
    /// [`ArtifactError::NotFound`], also where it is another's.
    pub async fn get(&self, caller: &Caller, id: &ArtifactId) -> Result<Artifact, ArtifactError> {
        Ok(self.inner.find(Some(caller), id).await?.artifact)
    }

    /// Bytes of an artifact of this caller.
    ///
    /// # Errors
    /// [`ArtifactError::NotFound`], also where it is another's; [`ArtifactError::Range`] where none of the bytes is there.
    pub async fn read(
        &self,
        caller: &Caller,
        id: &ArtifactId,
        range: ByteRange,
    ) -> Result<Reading, ArtifactError> {
        Reading::open(&self.inner, self.inner.find(Some(caller), id).await?, range).await
    }

    /// Artifacts of this caller, the latest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn list(&self, caller: &Caller, filter: Filter, page: Page) -> Result<Listing, ArtifactError> {
        self.inner.list(Some(caller), filter, page).await
    }

    /// Removes an artifact of this caller. Its bytes go with the last artifact that has them.
    ///
    /// # Errors
    /// [`ArtifactError::NotFound`], also where it is another's; [`ArtifactError::IsManifest`] for the manifest of a run.
    pub async fn remove(&self, caller: &Caller, id: &ArtifactId) -> Result<(), ArtifactError> {
        self.inner.remove(Some(caller), id).await
    }

    /// Signs for what a run has made, once it has ended; nothing is added to it from then on. Gives the manifest, also where it
    /// was there already; none where the run has made nothing.
    ///
    /// # Errors
    /// [`ArtifactError::Changed`] where the run goes on meanwhile; when the manifest cannot be signed or written.
    pub async fn seal(&self, run: &Run) -> Result<Option<Artifact>, ArtifactError> {
        self.inner.seal(run).await
    }

    /// Reads all bytes of an artifact of this caller again, and what was signed for them.
    ///
    /// # Errors
    /// [`ArtifactError::NotFound`], also where it is another's; what keeps it from being looked at. That something is wrong with
    /// it is no error: the report says so.
    pub async fn verify(
        &self,
        caller: &Caller,
        id: &ArtifactId,
        keys: &PublicKeys,
    ) -> Result<Report, ArtifactError> {
        self.inner.verify(Some(caller), id, keys).await
    }

    /// The same for all that a run of this caller has made.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub async fn verify_run(
        &self,
        caller: &Caller,
        run: RunId,
        keys: &PublicKeys,
    ) -> Result<Report, ArtifactError> {
        self.inner.verify_run(Some(caller), run, keys).await
    }
}

impl Inner {
    /// Until when a writer is taken for alive that says so now.
    pub(crate) fn until(&self, now: u64) -> u64 {
        now.saturating_add(milliseconds(self.settings.lease)).min(i64::MAX.unsigned_abs())
    }

    /// The one of this id; of everybody's where nobody is named.
    pub(crate) async fn find(
        self: &Arc<Self>,
        owner: Option<&Caller>,
        id: &ArtifactId,
    ) -> Result<Kept, ArtifactError> {
        let (of, owner, id) = (Arc::clone(self), owner.cloned(), id.clone());
        let find = move || {
            let now = of.settings.clock.now();
            of.database.read(|sql| references::find(sql, whose(owner.as_ref()), &id, now))
        };
        blocking(find).await?.ok_or(ArtifactError::NotFound)
    }

    pub(crate) async fn list(
        self: &Arc<Self>,
        owner: Option<&Caller>,
        filter: Filter,
        page: Page,
    ) -> Result<Listing, ArtifactError> {
        let (of, owner) = (Arc::clone(self), owner.cloned());
        let most = page.most.clamp(1, Page::MOST) as usize;
        let list = move || {
            let now = of.settings.clock.now();
            of.database.read(|sql| references::list(sql, whose(owner.as_ref()), &filter, &page, now))
        };
        let mut artifacts = blocking(list).await?;
        let more = artifacts.len() > most;
        artifacts.truncate(most);
        let last = artifacts.last().filter(|_| more);
        let next = last.map(|last| Cursor { created: last.created, id: last.id.clone() });
        Ok(Listing { artifacts, next })
    }

    pub(crate) async fn remove(
        self: &Arc<Self>,
        owner: Option<&Caller>,
        id: &ArtifactId,
    ) -> Result<(), ArtifactError> {
        let (of, owner, id) = (Arc::clone(self), owner.cloned(), id.clone());
        let remove = move || {
            let now = of.settings.clock.now();
            of.database.write(|sql| {
                let kept = references::find(sql, whose(owner.as_ref()), &id, now)?;
                let kept = kept.ok_or(ArtifactError::NotFound)?;
                // An operator may.
                if kept.artifact.kind == Kind::Manifest && owner.is_some() {
                    return Err(ArtifactError::IsManifest);
                }
                references::remove(sql, &kept)
            })
        };
        if let Some(place) = blocking(remove).await? {
            self.remove_object(place, None).await;
        }
        Ok(())
    }

    /// Gives up an upload, with what there is of it.
    pub(crate) async fn discard(self: &Arc<Self>, place: Place) -> Result<(), ArtifactError> {
        let (of, given_up) = (Arc::clone(self), place.clone());
        let give_up = move || {
            of.database.write(|sql| {
                let upload = objects::upload(sql, &given_up)?;
                Ok(objects::give_up(sql, &given_up)?.then_some(upload))
            })
        };
        if let Some(upload) = blocking(give_up).await? {
            self.clear(place, upload).await?;
        }
        Ok(())
    }

    /// Removes what is to go from the store, and then its row.
    pub(crate) async fn clear(
        self: &Arc<Self>,
        place: Place,
        upload: Option<String>,
    ) -> Result<(), ArtifactError> {
        self.store.remove(&place, upload.as_deref()).await?;
        let of = Arc::clone(self);
        blocking(move || of.database.write(|sql| objects::forget(sql, &place))).await
    }

    /// The same, where it may wait for a sweeper.
    pub(crate) async fn remove_object(self: &Arc<Self>, place: Place, upload: Option<String>) {
        if let Err(error) = self.clear(place, upload).await {
            tracing::warn!(%error, "an object that is no longer needed is left to the sweeper");
        }
    }
}

pub(crate) fn whose(owner: Option<&Caller>) -> Whose<'_> {
    owner.map_or(Whose::All, Whose::Of)
}

async fn migrate(database: &Arc<Database>) -> Result<(), ArtifactError> {
    let of = Arc::clone(database);
    blocking(move || Ok(of.migrate("artifacts", STEPS)?)).await
}

/// Does work that waits for the disk where waiting keeps nobody up.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArtifactError> + Send + 'static,
) -> Result<T, ArtifactError> {
    tokio::task::spawn_blocking(work).await?
}
