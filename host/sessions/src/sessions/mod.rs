//! Sessions: sandboxes with an owner, a lease and an end.
//!
//! Owns: which backend serves a call ([`choose`]), who has which sandbox ([`table`]), which are kept for the next call
//! ([`idle`]) or stand ready for the first ([`ready`]), and that none outlives its time, its host ([`keep`], [`ending`]) or
//! its owner's quota ([`quota`]).

mod choose;
mod ending;
mod gate;
mod held;
mod idle;
mod journal;
mod keep;
mod look;
mod need;
mod quota;
mod ready;
mod table;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use packhost_state::{Database, StateError};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::error::RuntimeError;
use crate::id::{HostId, SandboxId};
use crate::link::{Link, LinkError, LinkSettings};
use crate::runtime::SessionRuntime;
use crate::spec::Backend;

pub use choose::{Chosen, Passed};
pub use held::Held;
pub use journal::Journal;
pub use keep::Swept;
pub use look::{Counts, Listed};
pub use need::{NamedImage, Need};

use ending::Ending;
use gate::Gate;
use idle::{Idle, Kept};
use table::Stored;

/// Hands out sessions. Cheap to clone. Needs a tokio runtime that outlives it.
#[derive(Clone)]
pub struct Sessions(Arc<Shared>);

struct Shared {
    runtimes: Vec<Arc<dyn SessionRuntime>>,
    database: Arc<Database>,
    settings: SessionsSettings,
    /// This process, among those that share the database.
    instance: String,
    idle: Mutex<Idle>,
    /// Those that nobody has had yet.
    ready: Mutex<Idle>,
    /// Told when one of these is one no more.
    left: Notify,
    /// Sandboxes of this process that a call has now: of which backend, and when they have to be gone.
    /// Who moves one from here to the idle or ready ones, or back, keeps this locked meanwhile: it is always somewhere.
    held: Mutex<HashMap<SandboxId, (Backend, SystemTime)>>,
    /// Those that are being ended.
    ending: Mutex<HashSet<SandboxId>>,
    closing: TaskTracker,
}

/// Bounds of sessions.
#[derive(Debug, Clone)]
pub struct SessionsSettings {
    /// Sessions that one caller may have, over all packs.
    pub per_caller: u32,
    /// How long a process that does not say anything any more keeps its sessions. Each process says it is there three times
    /// in that time.
    pub lease: Duration,
    /// How long a sandbox goes without a connection before it ends itself. Longer than the lease, or nothing is left to
    /// adopt.
    pub orphaned_after: Duration,
    /// How long a supervisor is waited for, and a broken stream tried again.
    pub link: LinkSettings,
    /// Which run of the machine this is (random(4), `boot_id`): no lease is longer than one.
    pub boot: String,
    /// Where it is said what happens to sandboxes.
    pub journal: Journal,
}

impl Default for SessionsSettings {
    /// 32 sessions for each caller, leases of 30 s, 120 s without a host. Reads which run of the machine this is: make it
    /// before the host has given up `/proc`.
    fn default() -> Self {
        Self {
            per_caller: 32,
            lease: Duration::from_secs(30),
            orphaned_after: Duration::from_secs(120),
            link: LinkSettings::default(),
            boot: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            journal: Journal::default(),
        }
    }
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No backend that would do can be used; why not, one by one.
    #[error("{}", none(.0))]
    None(Vec<Passed>),
    /// The caller has as many as it may.
    #[error("there may be {most} sessions of one caller {}", of.as_deref().unwrap_or("at once"))]
    TooMany {
        /// How many.
        most: u32,
        /// Of what, where it is not all.
        of: Option<String>,
    },
    /// There is none of that id.
    #[error("there is no session {0}")]
    NotFound(SandboxId),
    /// The sandbox was made and does not answer as it should.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A backend failed.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
}

fn none(passed: &[Passed]) -> String {
    let reasons: Vec<_> = passed.iter().map(ToString::to_string).collect();
    match reasons.as_slice() {
        [] => "no backend is granted".to_owned(),
        reasons => reasons.join("; "),
    }
}

/// The id of the host that this state belongs to, for the backends.
///
/// # Errors
/// When the state cannot be read or written.
pub fn host_id(database: &Database) -> Result<HostId, StateError> {
    database.migrate("sessions", table::STEPS)?;
    database.write(table::host)
}

impl Sessions {
    /// Sessions on these backends. Nothing is kept up before [`keep`](Self::keep).
    ///
    /// # Errors
    /// When the tables are those of a newer host.
    pub fn open(
        runtimes: Vec<Arc<dyn SessionRuntime>>,
        database: Arc<Database>,
        settings: SessionsSettings,
    ) -> Result<Self, StateError> {
        database.migrate("sessions", table::STEPS)?;
        Ok(Self(Arc::new(Shared {
            runtimes,
            database,
            instance: format!("{}/{}", settings.boot, HostId::fresh()),
            settings,
            idle: Mutex::default(),
            ready: Mutex::default(),
            left: Notify::new(),
            held: Mutex::default(),
            ending: Mutex::default(),
            closing: TaskTracker::new(),
        })))
    }

    /// The backends.
    pub fn runtimes(&self) -> &[Arc<dyn SessionRuntime>] {
        &self.0.runtimes
    }

    /// A session that does what is needed: an idle one of the same owner, pack and rules, one that stands ready, or a new one.
    ///
    /// # Errors
    /// Why there is none. Nothing is left of it then.
    pub async fn acquire(&self, need: Need) -> Result<Held, SessionError> {
        let key = need.key();
        while let Some(kept) = key.and_then(|key| self.0.take_idle(key)) {
            // Whoever asks may go away while its supervisor is silent, and it is out of the idle ones already.
            let unless_held = held::EndOnDrop::new(Arc::clone(&self.0), kept.id.clone(), kept.chosen.backend);
            if kept.link.ping().await.is_ok() {
                unless_held.forget();
                return Ok(Held::again(Arc::clone(&self.0), kept, need));
            }
        }
        if let Some(kept) = self.0.take_ready(key, &need).await? {
            return Ok(Held::warm(Arc::clone(&self.0), kept, need));
        }
        let kept = self.0.make(key, &need).await?;
        Ok(Held::new(Arc::clone(&self.0), kept, need))
    }

    /// Ends every session of this process, and waits for it.
    pub async fn drain(&self) {
        let (idle, ready) = (self.0.idle().all(), self.0.ready().all());
        for kept in idle.into_iter().chain(ready) {
            self.0.end(kept.id, kept.chosen.backend);
        }
        self.0.closing.close();
        self.0.closing.wait().await;
        self.0.closing.reopen();
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self) -> MutexGuard<'_, Idle> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<SandboxId, (Backend, SystemTime)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ending(&self) -> MutexGuard<'_, HashSet<SandboxId>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle session, which is held from here on.
    fn take_idle(&self, key: need::Key) -> Option<Kept> {
        let mut held = self.held();
        let kept = self.idle().take(key)?;
        held.insert(kept.id.clone(), (kept.chosen.backend, kept.ends));
        Some(kept)
    }

    fn lease_ms(&self) -> u64 {
        u64::try_from(self.settings.lease.as_millis()).unwrap_or(u64::MAX)
    }

    fn runtime(&self, backend: Backend) -> Option<&Arc<dyn SessionRuntime>> {
        self.runtimes.iter().find(|runtime| runtime.backend() == backend)
    }

    /// Statements on a thread that may wait for the disk.
    async fn database<T, E, F>(self: &Arc<Self>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnOnce(&Self) -> Result<T, E> + Send + 'static,
    {
        let shared = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(&shared)).await {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// A new session. Its row is there before its sandbox is: what is cut off in between is found.
    async fn make(self: &Arc<Self>, key: Option<need::Key>, need: &Need) -> Result<Kept, SessionError> {
        let mut passed = Vec::new();
        for backend in need.on.iter().copied() {
            let runtime = match choose::usable(self.runtime(backend), backend, need).await {
                Ok(runtime) => Arc::clone(runtime),
                Err(reason) => {
                    passed.push(Passed { backend, reason });
                    continue;
                }
            };
            for image in need.images(backend) {
                match self.start(&runtime, &image, need).await {
                    Ok((id, link, gate, ends)) => {
                        let chosen = Chosen { backend, image: choose::name(&image), passed };
                        let (owner, pack) = (need.owner.clone(), need.pack.clone());
                        return Ok(Kept { id, owner, pack, key, link, gate, chosen, ends, until: ends });
                    }
                    Err(SessionError::Runtime(error)) if choose::is_for_the_next(&error) => {
                        passed.push(Passed { backend, reason: error.to_string() });
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Err(SessionError::None(passed))
    }

    async fn start(
        self: &Arc<Self>,
        runtime: &Arc<dyn SessionRuntime>,
        image: &crate::Image,
        need: &Need,
    ) -> Result<(SandboxId, Link, Arc<Gate>, SystemTime), SessionError> {
        let spec = choose::spec(image, need, self.settings.orphaned_after);
        let (id, ends) = (spec.id.clone(), SystemTime::now() + need.lifetime);
        // Its row may be there as soon as it is being written, whether or not somebody still waits for that.
        let unless_done = held::EndOnDrop::new(Arc::clone(self), id.clone(), runtime.backend());
        if let Err(refused) = self.enter(runtime.backend(), &spec, need, ends).await {
            if !self.makes_room(&refused, need).await {
                unless_done.forget();
                return Err(refused);
            }
            self.enter(runtime.backend(), &spec, need, ends).await?;
        }
        runtime.create(&spec).await?;
        let gate = Arc::new(Gate::default());
        let leaves: Arc<dyn crate::link::Leaves> = gate.clone();
        let settings =
            LinkSettings { orphaned_after: Some(self.settings.orphaned_after), ..self.settings.link };
        let link = Link::connect(Arc::clone(runtime), id.clone(), Some(leaves), settings).await?;
        unless_done.forget();
        Ok((id, link, gate, ends))
    }

    async fn enter(
        self: &Arc<Self>,
        backend: Backend,
        spec: &crate::SandboxSpec,
        need: &Need,
        ends: SystemTime,
    ) -> Result<(), SessionError> {
        let now = SystemTime::now();
        self.held().insert(spec.id.clone(), (backend, ends));
        let row = Stored {
            id: spec.id.clone(),
            backend,
            owner: need.owner.to_string(),
            pack: need.pack.to_string(),
            workspace: need.workspace.clone(),
            image: choose::name(&spec.image),
            created: table::milliseconds(now),
            ends: table::milliseconds(ends),
            instance: self.instance.clone(),
            leased_until: table::monotonic().saturating_add(self.lease_ms()),
        };
        let (owner, pack, most) = (need.owner.clone(), need.pack.clone(), need.most);
        let entered = self.database(move |shared| {
            shared.database.write(|sql| {
                shared.within_quota(sql, &owner, &pack, most)?;
                Ok(table::put(sql, &row)?)
            })
        });
        entered.await.inspect_err(|_: &SessionError| {
            self.held().remove(&spec.id);
        })
    }

    /// Ends a sandbox in the background; its row goes when it is gone.
    fn end(self: &Arc<Self>, id: SandboxId, backend: Backend) {
        if let Some(ending) = Ending::begin(self, id, backend) {
            self.closing.spawn(ending.end(false));
        }
    }

    /// The same for one that is written down nowhere.
    fn end_stray(self: &Arc<Self>, id: SandboxId, backend: Backend) {
        if let Some(ending) = Ending::begin(self, id, backend) {
            self.closing.spawn(ending.end(true));
        }
    }
}
