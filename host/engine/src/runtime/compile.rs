//! From the bytes of a component to something that can be instantiated.

use std::sync::atomic::Ordering;

use packhost_core::Digest;
use wasmtime::component::{Component, InstancePre};

use crate::capabilities::PackPre;

use super::{Cache, Flavour, Guest, Runtimes};

/// A component, compiled and linked: all that a call needs besides a store.
pub(crate) struct Loaded {
    pub(crate) pre: InstancePre<Guest>,
    /// The same, for a component that exports `packhost:pack/handler`.
    pub(crate) handler: Option<PackPre<Guest>>,
    pub(crate) engine: wasmtime::Engine,
}

/// Why a component cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("it is not a valid component: {0}")]
    Invalid(String),
    #[error("this host cannot satisfy what it imports: {0}")]
    Imports(String),
    #[error("the engine for it cannot be made: {0}")]
    Engine(String),
}

/// Takes the compiled form from the cache or compiles, and links. Blocks for as long as a compilation takes.
pub(crate) fn load(
    runtimes: &Runtimes,
    cache: Option<&Cache>,
    flavour: Flavour,
    digest: Digest,
    bytes: &[u8],
) -> Result<Loaded, LoadError> {
    let runtime = runtimes.of(flavour).map_err(|error| LoadError::Engine(format!("{error:#}")))?;
    let engine = &runtime.engine;
    let component = match cache.and_then(|cache| cache.get(engine, flavour, digest)) {
        Some(component) => {
            runtimes.cached.fetch_add(1, Ordering::Relaxed);
            component
        }
        None => {
            let component = Component::from_binary(engine, bytes)
                .map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
            runtimes.compiled.fetch_add(1, Ordering::Relaxed);
            if let Some(Err(error)) = cache.map(|cache| cache.put(&component, flavour, digest)) {
                tracing::warn!(%error, "compiled component not kept; the next start compiles it again");
            }
            component
        }
    };
    let pre = runtime.linker.instantiate_pre(&component).map_err(|e| LoadError::Imports(format!("{e:#}")))?;
    let handler = PackPre::new(pre.clone()).ok();
    Ok(Loaded { pre, handler, engine: engine.clone() })
}
