//! Where the bytes are: a directory of this host, or a store that speaks S3.
//!
//! An object is written under a name of its own, is seen as a whole or not at all, is never changed, and is removed at most
//! once. That is all that is asked of a store.

#[cfg(feature = "s3")]
mod bucket;
#[cfg(feature = "s3")]
mod egress;
mod local;
#[cfg(feature = "s3")]
mod s3;
mod upload;

use std::fmt;
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{GetResultPayload, ObjectStore, ObjectStoreExt as _, PutPayload};

use crate::error::ArtifactError;
use crate::id::Place;
use local::Local;
pub(crate) use upload::Upload;

#[cfg(feature = "s3")]
pub use bucket::{Bucket, BucketError};
#[cfg(feature = "s3")]
pub use egress::ThroughEgress;
#[cfg(feature = "s3")]
pub use s3::{AccessKey, InvalidKey, S3, S3Error};

/// The folder of the objects.
const OBJECTS: &str = "blobs";
/// Says whose store it is.
const MARK: &str = "packhost-store";
/// The longest mark, in bytes.
const MARK_LENGTH: u64 = 64;
/// Names that are looked at together.
const TOGETHER: usize = 256;
/// What a database calls a store that is a directory, wherever that is: it may be moved with its database.
const LOCAL: &str = "local";

/// Where the bytes of artifacts are kept.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    kind: Kind,
    place: Arc<str>,
}

#[derive(Clone)]
enum Kind {
    Local(Local),
    /// How an upload can be ended that another process began.
    #[cfg_attr(not(feature = "s3"), expect(dead_code, reason = "there is no other store"))]
    Remote {
        uploads: Arc<dyn MultipartStore>,
        prefix: Path,
    },
}

impl Store {
    /// The store in this directory, which is made where it is missing, for this user alone (mode 0700; its files have 0600).
    ///
    /// # Errors
    /// When the directory cannot be made, is somebody else's, or is open to others.
    pub fn local(dir: &FilePath) -> Result<Self, ArtifactError> {
        let (local, objects) = Local::open(dir)?;
        Ok(Self { objects, kind: Kind::Local(local), place: LOCAL.into() })
    }

    #[cfg(feature = "s3")]
    fn remote(objects: Arc<dyn ObjectStore>, uploads: Arc<dyn MultipartStore>, bucket: &Bucket) -> Self {
        let kind = Kind::Remote { uploads, prefix: bucket.prefix().clone() };
        Self { objects, kind, place: bucket.to_string().into() }
    }

    /// Where it is, as a database writes it down.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The same store, seen through a layer that looks at what is done, or has it fail. Uploads in parts to a remote store go
    /// past it.
    #[must_use]
    pub fn layered(mut self, layer: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Self {
        self.objects = layer(self.objects);
        self
    }

    fn path(&self, name: &str) -> Path {
        match &self.kind {
            Kind::Local(_) => Path::from(name),
            Kind::Remote { prefix, .. } => prefix.parts().chain(Path::from(name).parts()).collect(),
        }
    }

    fn object(&self, place: &Place) -> Path {
        self.path(&format!("{OBJECTS}/{}", place.as_str()))
    }

    /// Bytes that are written, and read, together: enough to make up for what each step costs.
    pub(crate) fn piece(&self) -> usize {
        match &self.kind {
            Kind::Local(_) => 2 << 20,
            // S3 takes parts of 5 MiB and more, and 10,000 of them.
            Kind::Remote { .. } => 8 << 20,
        }
    }

    /// Bytes that are free on the disk; none where that cannot be known. Blocks.
    pub(crate) fn free(&self) -> Option<u64> {
        match &self.kind {
            Kind::Local(local) => local.free(),
            Kind::Remote { .. } => None,
        }
    }

    /// Begins to write. The name that the upload has, if any, is what [`remove`](Self::remove) needs to end it from elsewhere.
    pub(crate) async fn begin(&self, place: &Place) -> Result<Upload, ArtifactError> {
        let path = self.object(place);
        match &self.kind {
            Kind::Local(local) => {
                let upload = self.objects.put_multipart(&path).await?;
                let (local, place) = (local.clone(), place.clone());
                let file = tokio::task::spawn_blocking(move || local.close(&place)).await??;
                Ok(Upload::to_file(upload, file))
            }
            Kind::Remote { uploads, .. } => Upload::named(uploads.clone(), path).await,
        }
    }

    /// Writes a small object at once, where that is cheaper. Whether it was done.
    pub(crate) async fn put(&self, place: &Place, payload: PutPayload) -> Result<bool, ArtifactError> {
        if matches!(self.kind, Kind::Local(_)) {
            return Ok(false);
        }
        self.objects.put(&self.object(place), payload).await?;
        Ok(true)
    }

    /// Removes an object, and what there is of its upload. That it is not there is no error.
    pub(crate) async fn remove(&self, place: &Place, upload: Option<&str>) -> Result<(), ArtifactError> {
        match (&self.kind, upload) {
            // What is half there first: until then it may become the object.
            (Kind::Local(local), _) => {
                let (local, place) = (local.clone(), place.clone());
                tokio::task::spawn_blocking(move || local.remove_half(&place)).await??;
            }
            (Kind::Remote { uploads, .. }, Some(upload)) => {
                gone(uploads.abort_multipart(&self.object(place), &upload.to_owned()).await)?;
            }
            (Kind::Remote { .. }, None) => {}
        }
        gone(self.objects.delete(&self.object(place)).await)
    }

    /// Whether there is an object, or a half of one that can be seen.
    pub(crate) async fn has(&self, place: &Place) -> Result<bool, ArtifactError> {
        match &self.kind {
            Kind::Local(local) => {
                let (local, place) = (local.clone(), place.clone());
                tokio::task::spawn_blocking(move || local.has(&place)).await?
            }
            Kind::Remote { .. } => match self.objects.head(&self.object(place)).await {
                Ok(_) => Ok(true),
                Err(object_store::Error::NotFound { .. }) => Ok(false),
                Err(error) => Err(error.into()),
            },
        }
    }

    /// The object, for reading.
    pub(crate) async fn open(&self, place: &Place) -> Result<Source, ArtifactError> {
        let path = self.object(place);
        if matches!(self.kind, Kind::Remote { .. }) {
            let size = self.objects.head(&path).await?.size;
            return Ok(Source { size, from: From::Object(self.objects.clone(), path) });
        }
        let got = self.objects.get(&path).await?;
        let size = got.meta.size;
        match got.payload {
            GetResultPayload::File(file, _) => Ok(Source { size, from: From::File(Arc::new(file)) }),
            GetResultPayload::Stream(_) => {
                Ok(Source { size, from: From::Object(self.objects.clone(), path) })
            }
        }
    }

    /// All objects, also those that are half there, some at a time.
    pub(crate) fn list(&self) -> BoxStream<'static, Result<Vec<Place>, ArtifactError>> {
        match &self.kind {
            Kind::Local(local) => local.clone().list(TOGETHER),
            Kind::Remote { .. } => {
                let of = |meta: &object_store::ObjectMeta| Place::parse(meta.location.filename()?);
                let listed = self.objects.list(Some(&self.path(OBJECTS))).map_ok(move |meta| of(&meta));
                listed
                    .try_filter_map(|place| async { Ok(place) })
                    .try_chunks(TOGETHER)
                    .map_err(|error| error.1.into())
                    .boxed()
            }
        }
    }

    /// Whose it says that it is.
    pub(crate) async fn mark(&self) -> Result<Option<String>, ArtifactError> {
        match self.objects.get(&self.path(MARK)).await {
            Ok(got) if got.meta.size > MARK_LENGTH => Ok(Some(String::new())),
            Ok(got) => Ok(Some(String::from_utf8_lossy(&got.bytes().await?).into_owned())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes into it whose it is.
    pub(crate) async fn set_mark(&self, mark: &str) -> Result<(), ArtifactError> {
        self.objects.put(&self.path(MARK), mark.to_owned().into()).await?;
        if let Kind::Local(local) = &self.kind {
            let local = local.clone();
            tokio::task::spawn_blocking(move || local.close_mark()).await??;
        }
        Ok(())
    }
}

fn gone(removed: object_store::Result<()>) -> Result<(), ArtifactError> {
    match removed {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Where it is, for people.
impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(spelled(&self.place))
    }
}

/// What a database has written down, for people.
pub(crate) fn spelled(place: &str) -> &str {
    if place == LOCAL { "a directory of this host" } else { place }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.objects)
    }
}

/// An object that is open for reading. Of a local one all can be read, even if it is removed meanwhile.
pub(crate) struct Source {
    /// Its size as the store has it.
    pub(crate) size: u64,
    from: From,
}

#[derive(Clone)]
enum From {
    File(Arc<std::fs::File>),
    Object(Arc<dyn ObjectStore>, Path),
}

impl Source {
    /// These bytes, piece by piece, the next one being read while the last one is used.
    pub(crate) fn stream(
        self,
        range: Range<u64>,
        piece: usize,
    ) -> BoxStream<'static, Result<Bytes, ArtifactError>> {
        let from = self.from;
        let step = piece.max(1);
        let starts = (range.start..range.end).step_by(step);
        stream::iter(starts)
            .map(move |start| from.clone().piece(start..range.end.min(start + step as u64)))
            .buffered(2)
            .boxed()
    }
}

impl From {
    async fn piece(self, range: Range<u64>) -> Result<Bytes, ArtifactError> {
        match self {
            Self::File(file) => tokio::task::spawn_blocking(move || local::read(&file, range)).await?,
            Self::Object(objects, path) => {
                let length = range.end - range.start;
                let bytes = objects.get_range(&path, range).await?;
                if bytes.len() as u64 == length {
                    Ok(bytes)
                } else {
                    Err(ArtifactError::Damaged("it is cut off"))
                }
            }
        }
    }
}
