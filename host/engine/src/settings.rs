//! What an operator can set about the engine. Every bound has its default here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use packhost_artifacts::Artifacts;
use packhost_audit::Recorder;
use packhost_manifest::HostVars;
use packhost_sessions::Sessions;
use packhost_workspaces::Workspaces;

use crate::credentials::CredentialStore;
use crate::denials::DenialLog;

/// Bounds and places of an engine.
#[derive(Clone)]
pub struct Settings {
    /// What `${state}` in a manifest means. Made with mode 0700 where it is missing.
    pub state: PathBuf,
    /// Where compiled components are kept. Compiled components are code: see
    /// [`Cache`](crate::runtime::Cache) for what is checked before one is mapped.
    pub cache: PathBuf,
    /// What `~` in a manifest means.
    pub home: Option<PathBuf>,
    /// Threads that run guests; 0 means one per core.
    pub guest_threads: usize,
    /// Calls that run at once, 1 to 100,000. Memory is reserved (not used) for each.
    pub calls: u32,
    /// Calls that may wait for a place, over all packs and callers.
    pub queue: u32,
    /// Calls of one caller that run at once.
    pub calls_per_caller: u32,
    /// The largest component file, in bytes.
    pub component: u64,
    /// The largest input, in bytes of its JSON text.
    pub input: usize,
    /// How often a running guest is interrupted to look whether it should stop and to let others run.
    pub tick: Duration,
    /// Whether every served pack is loaded in the background at once, so that no first call waits, and sandboxes are kept ready
    /// where entries say so. Not worth it for a process that makes one call.
    pub warm_up: bool,
    /// Who holds the credentials that requests may carry, if somebody does.
    pub credentials: Option<Arc<dyn CredentialStore>>,
    /// Where every call and every use of a credential goes on record, if anywhere. Where there is one, what cannot be recorded does
    /// not happen: a credential does not leave, and a call has no answer.
    pub recorder: Option<Arc<dyn Recorder>>,
    /// Who notes requests that no rule allows, if somebody does.
    pub denials: Option<Arc<dyn DenialLog>>,
    /// Who makes sandboxes, if somebody does.
    pub sessions: Option<Sessions>,
    /// The directories that calls share, if there are any.
    pub workspaces: Option<Arc<Workspaces>>,
    /// Where what calls make is kept, if anywhere.
    pub artifacts: Option<Artifacts>,
    /// What outgoing requests are bound by.
    pub egress: packhost_egress::Settings,
}

impl Settings {
    /// The defaults, with state and cache in these directories.
    pub fn new(state: PathBuf, cache: PathBuf) -> Self {
        Self {
            state,
            cache,
            home: None,
            guest_threads: 0,
            calls: 256,
            queue: 256,
            calls_per_caller: 128,
            component: 64 << 20,
            input: 4 << 20,
            tick: Duration::from_millis(2),
            warm_up: true,
            credentials: None,
            recorder: None,
            denials: None,
            sessions: None,
            workspaces: None,
            artifacts: None,
            egress: packhost_egress::Settings::default(),
        }
    }

    /// What the host's variables in a manifest mean.
    pub(crate) fn vars(&self) -> HostVars {
        HostVars { state: self.state.clone(), home: self.home.clone() }
    }

    pub(crate) fn threads(&self) -> usize {
        match self.guest_threads {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            n => n,
        }
    }
}
