//! A component that can be called: its bytes, what is known of it without running it, and its loaded form.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use packhost_core::{Digest, Failure, PackName};
use packhost_package::{Description, Outline};
use tokio::sync::OnceCell;

use crate::runtime::{Cache, Flavour, Loaded, Runtimes, load};

/// Where a component comes from.
#[derive(Debug, Clone)]
pub struct PackSource {
    /// The pack's name where the component does not say: the file's stem, or the shipped pack's name.
    pub name: String,
    /// For people: a path, or `built in`.
    pub origin: String,
    /// The component.
    pub bytes: Cow<'static, [u8]>,
    /// Its digest, where the build worked it out.
    pub digest: Option<Digest>,
}

/// A component that can be called.
pub struct Pack {
    /// The name under which the manifest knows it.
    pub name: PackName,
    /// The pack's own version; a component that does not know packhost has none.
    pub version: Option<String>,
    /// For people: a path, or `built in`.
    pub origin: String,
    /// The digest of the component.
    pub digest: Digest,
    /// What it imports and exports.
    pub outline: Outline,
    /// What it says of itself.
    pub description: Option<Description>,
    pub(crate) flavour: Flavour,
    bytes: Cow<'static, [u8]>,
    loaded: OnceCell<Result<Arc<Loaded>, String>>,
}

impl fmt::Debug for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pack").field("name", &self.name).field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Pack {
    /// Reads what can be known of a component without compiling or running it. The error is a sentence.
    pub(crate) fn read(source: &PackSource, limit: u64) -> Result<Self, String> {
        if source.bytes.len() as u64 > limit {
            let size = source.bytes.len();
            return Err(format!("it has {size} bytes; a component may have {limit}"));
        }
        let outline = Outline::read(&source.bytes).map_err(|error| error.to_string())?;
        let description = Description::read(&source.bytes).map_err(|error| error.to_string())?;
        if let Some(description) = &description {
            check_contract(description, &outline)?;
        }
        let name = match &description {
            Some(description) => description.name.clone(),
            None => source
                .name
                .parse()
                .map_err(|error| format!("its file name does not make a pack name: {error}"))?,
        };
        Ok(Self {
            name,
            version: description.as_ref().map(|d| d.version.clone()),
            origin: source.origin.clone(),
            digest: source.digest.unwrap_or_else(|| Digest::of(&source.bytes)),
            flavour: Flavour::of(&outline),
            outline,
            description,
            bytes: source.bytes.clone(),
            loaded: OnceCell::new(),
        })
    }

    /// A pack that has no component, or whose component says nothing of itself.
    pub(super) fn assemble(
        name: PackName,
        origin: String,
        digest: Digest,
        outline: Outline,
        bytes: Cow<'static, [u8]>,
    ) -> Self {
        let flavour = Flavour::of(&outline);
        let (version, description, loaded) = (None, None, OnceCell::new());
        Self { name, version, origin, digest, outline, description, flavour, bytes, loaded }
    }

    /// The bytes of the component.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The compiled and linked component. The first call of it waits for a compilation where the cache has none.
    pub(crate) async fn loaded(
        self: &Arc<Self>,
        runtimes: &Arc<Runtimes>,
        cache: Option<&Arc<Cache>>,
    ) -> Result<Arc<Loaded>, Failure> {
        let loaded = match self.loaded.get() {
            Some(loaded) => loaded,
            None => self.loaded.get_or_init(|| self.load(runtimes, cache)).await,
        };
        loaded.as_ref().map(Arc::clone).map_err(|reason| {
            let message = format!("The pack {} cannot be loaded.", self.name);
            Failure::new(packhost_core::ErrorCode::SchemaMismatch, message)
                .fix("Tell the operator; the log says why.")
                .cause(reason)
        })
    }

    async fn load(
        self: &Arc<Self>,
        runtimes: &Arc<Runtimes>,
        cache: Option<&Arc<Cache>>,
    ) -> Result<Arc<Loaded>, String> {
        let (pack, runtimes, cache) = (Arc::clone(self), Arc::clone(runtimes), cache.cloned());
        let work = tokio::task::spawn_blocking(move || {
            load(&runtimes, cache.as_deref(), pack.flavour, pack.digest, &pack.bytes)
        });
        match work.await {
            Ok(Ok(loaded)) => Ok(Arc::new(loaded)),
            Ok(Err(error)) => {
                tracing::error!(pack = %self.name, %error, "cannot be loaded");
                Err(error.to_string())
            }
            Err(panic) => Err(format!("the compiler failed: {panic}")),
        }
    }

    /// Why it could not be loaded, once that was tried.
    pub(crate) fn load_error(&self) -> Option<&str> {
        self.loaded.get().and_then(|loaded| loaded.as_ref().err()).map(String::as_str)
    }
}

/// The versions of `packhost:pack` that this host serves.
const SERVED: &str = "0.1.";

fn check_contract(description: &Description, outline: &Outline) -> Result<(), String> {
    let contract = &description.contract;
    if !contract.starts_with(SERVED) {
        return Err(format!("it was built for packhost:pack {contract}; this host serves {SERVED}x"));
    }
    let handler = format!("packhost:pack/handler@{SERVED}");
    if outline.exports.iter().any(|name| name.starts_with(&handler)) {
        Ok(())
    } else {
        Err("it says that it is a pack and does not export packhost:pack/handler".into())
    }
}
