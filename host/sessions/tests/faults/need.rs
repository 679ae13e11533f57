//! What the sessions of these tests are, and what is put into them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use packhost_core::Caller;
use packhost_sessions::{
    Backend, Image, NamedImage, Need, SandboxId, SandboxLimits, SessionRuntime, Sessions, SessionsSettings,
};
use packhost_state::Database;

/// As many as a test may have at once, with those that a host before has left.
pub(crate) const MOST: u32 = 256;

/// How long a host that was killed keeps its sessions from the next one.
const LEASE: Duration = Duration::from_millis(200);

/// A session on this backend that is kept for the next call.
pub(crate) fn need(backend: Backend, image: Image) -> Need {
    let (image, host_files) = match image {
        Image::Host(files) => (None, files),
        Image::Named { name, digest } => (Some(NamedImage { name, digest }), Vec::new()),
    };
    Need {
        owner: Caller::local(),
        pack: "python.run".parse().expect("a name"),
        on: vec![backend],
        image,
        host_files,
        limits: SandboxLimits {
            cpu_millis: 2000,
            memory: 128 << 20,
            processes: 32,
            disk: 16 << 20,
            open_files: 64,
        },
        mounts: Vec::new(),
        scratch: vec!["/sandbox".into()],
        workspace: None,
        rules: String::new(),
        idle: Duration::from_secs(600),
        lifetime: Duration::from_secs(3600),
        most: MOST,
        run: None,
    }
}

/// The sessions of a state directory on one backend.
pub(crate) fn sessions(state: &Path, runtime: Arc<dyn SessionRuntime>) -> Sessions {
    std::fs::create_dir_all(state).expect("ours");
    let database = Database::open(state).expect("a database");
    let settings = SessionsSettings {
        per_caller: MOST,
        lease: LEASE,
        orphaned_after: Duration::from_secs(60),
        ..SessionsSettings::default()
    };
    Sessions::open(vec![runtime], Arc::new(database), settings).expect("sessions")
}

/// The name of a file that is put into a sandbox.
pub(crate) fn path(number: u64) -> String {
    format!("/sandbox/put-{number}")
}

/// What is in it; told by whose it is and which.
pub(crate) fn content(id: &SandboxId, number: u64) -> Vec<u8> {
    let times = usize::try_from(number * 37 % 300).unwrap_or_default();
    format!("{id} {number}\n").into_bytes().repeat(1 + times)
}
