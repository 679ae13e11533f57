//! What a pack can be given. One file per interface, each in three phases: link once per engine, check against the
//! manifest when a pack is loaded, build its part of a store per call.

mod artifacts;
mod ask;
mod bindings;
mod config;
mod filesystem;
mod http;
mod logging;
mod progress;
mod session;
mod wasi;

use std::sync::Arc;

use packhost_manifest::{Entry, Grants, Limits};
use packhost_package::Outline;
use packhost_workspaces::Workspace;
use wasmtime::component::Linker;

pub(crate) use artifacts::{Keeping, Maker};
pub(crate) use ask::Ask;
pub(crate) use bindings::{PackPre, types};
pub(crate) use filesystem::{make_missing, only_reads};
pub(crate) use http::{Outgoing, Side, Spends};
pub(crate) use progress::Reporter;

use crate::call::Client;
use crate::dispatch::outbox::Made;
use crate::runtime::{Flavour, Guest, GuestParts, Logs, Stop};
use crate::session::CallSession;

/// Links every interface that this host offers.
pub(crate) fn link(linker: &mut Linker<Guest>, flavour: Flavour) -> wasmtime::Result<()> {
    wasi::link(linker, flavour)?;
    http::link(linker, flavour)?;
    config::link(linker)?;
    logging::link(linker)?;
    progress::link(linker)?;
    ask::link(linker)?;
    session::link(linker)?;
    artifacts::link(linker)
}

/// What a component imports and its entry in the manifest does not grant, each as a sentence. Empty when every
/// import can be satisfied.
pub(crate) fn unmet(outline: &Outline, entry: &Entry) -> Vec<String> {
    let known = [
        http::unmet(outline, entry),
        ask::unmet(outline, entry),
        config::unmet(outline, entry),
        session::unmet(outline, entry),
        artifacts::unmet(outline, entry),
    ];
    let unknown = outline.imports.iter().filter(|import| !is_offered(import, outline.uses_async));
    let unknown = unknown.map(|import| format!("it imports {import}, which this host does not offer"));
    known.into_iter().flatten().chain(unknown).collect()
}

/// The interfaces that [`link`] links, without their versions.
const OFFERED: [&str; 10] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:config/store",
    "wasi:filesystem/",
    "wasi:http/",
    "wasi:io/",
    "wasi:logging/logging",
    "wasi:random/",
    "wasi:sockets/",
    "packhost:pack/",
];

/// Whether this host links an interface of that name. One that only a compiled component shows to be missing, by a
/// function or a type, is found when the component is loaded.
fn is_offered(import: &str, concurrent: bool) -> bool {
    let (name, version) = import.split_once('@').unwrap_or((import, ""));
    let served = match name.split_once(':').map(|(namespace, _)| namespace) {
        Some("packhost") => version.starts_with("0.1."),
        Some("wasi") if name.starts_with("wasi:config") || name.starts_with("wasi:logging") => true,
        Some("wasi") => version.starts_with("0.2.") || (concurrent && version.starts_with("0.3.")),
        _ => false,
    };
    served && OFFERED.iter().any(|offered| name.starts_with(offered))
}

/// Whether a component imports something whose name starts like this.
pub(crate) fn imports(outline: &Outline, prefix: &str) -> bool {
    outline.imports.iter().any(|name| name.starts_with(prefix))
}

/// What a call needs to build its store.
pub(crate) struct Granted<'a> {
    pub(crate) grants: Arc<Grants>,
    pub(crate) limits: &'a Limits,
    pub(crate) client: &'a Arc<dyn Client>,
    pub(crate) spending: &'a Spends<'a>,
    pub(crate) workspace: Option<&'a Arc<Workspace>>,
    pub(crate) session: Box<CallSession>,
    pub(crate) maker: Maker,
    pub(crate) made: Made,
    pub(crate) stop: &'a Arc<Stop>,
    pub(crate) logs: &'a Arc<Logs>,
}

/// Builds every capability's part of a store.
pub(crate) fn build(granted: Granted<'_>) -> Result<GuestParts, filesystem::FilesystemError> {
    Ok(GuestParts {
        wasi: wasi::build(&granted)?,
        outgoing: http::build(&granted),
        config: config::build(&granted),
        progress: progress::build(&granted),
        ask: ask::build(&granted),
        logs: Arc::clone(granted.logs),
        keeping: artifacts::build(&granted),
        session: granted.session,
    })
}
