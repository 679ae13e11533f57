//! A launcher by itself, as `packhost launch-sandboxes` is one: the channel is its standard input, the directory that it keeps
//! everything in its argument. For the tests.

use std::os::fd::{FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;

use packhost_launcher::{Settings, UIDS, serve};
use packhost_supervisor_binary::SUPERVISOR;

fn main() -> ExitCode {
    let Some(home) = std::env::args_os().nth(1).map(PathBuf::from) else { return ExitCode::FAILURE };
    let name = home.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    let settings = Settings {
        state: home.join("state"),
        host: name.unwrap_or_default(),
        supervisor: SUPERVISOR.into(),
        images: None,
        readable: ["/bin", "/usr", "/lib", "/lib64"].map(PathBuf::from).into(),
        mountable: vec![home.join("work")],
        uids: UIDS,
    };
    // SAFETY: it is open, and nothing else here uses it.
    serve(unsafe { OwnedFd::from_raw_fd(0) }, settings)
}
