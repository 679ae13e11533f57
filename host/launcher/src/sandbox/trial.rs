//! Whether this machine lets us make sandboxes at all: tries the steps that machines forbid.

use std::fs;

use rustix::mount::{MountAttrFlags, MountPropagationFlags, mount_change};
use rustix::process::{WaitOptions, waitpid};

use super::fork::{exit, fork};
use super::user::{self, Power};
use super::{mounts, namespaces};

/// Where machines say that they forbid namespaces to normal users, with the value that allows them.
const SWITCHES: [(&str, &str); 2] =
    [("kernel/unprivileged_userns_clone", "1"), ("kernel/apparmor_restrict_unprivileged_userns", "0")];

/// Makes namespaces, mounts a little in them, and forgets them. The error is a sentence that says what to change.
pub(crate) fn try_out(power: Power) -> Result<(), String> {
    let own = user::own();
    let pid = match fork(namespaces(power)) {
        Ok(Some(pid)) => pid,
        Ok(None) => exit(step_that_fails(power, own)),
        Err(error) => return Err(advice(power, &format!("namespaces cannot be made ({error})"))),
    };
    let status =
        waitpid(Some(pid), WaitOptions::empty()).ok().flatten().and_then(|(_, status)| status.exit_status());
    let what = match status {
        Some(0) => return Ok(()),
        Some(1) => "a user namespace gets no users",
        Some(2) => "nothing can be mounted in a namespace",
        Some(3) => {
            "/proc cannot be mounted in a namespace: parts of this machine's are covered, as in a container"
        }
        Some(4) => "a second user namespace cannot be made",
        _ => "the trial ended unexpectedly",
    };
    Err(advice(power, what))
}

fn step_that_fails(power: Power, own: (u32, u32)) -> i32 {
    if power == Power::User && user::be(0, own).is_err() {
        return 1;
    }
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    let none = MountAttrFlags::empty();
    if mount_change("/", private).is_err() || mounts::fresh(c"tmpfs", &[], none).is_err() {
        return 2;
    }
    if mounts::fresh(c"proc", &[], none).is_err() {
        return 3;
    }
    if user::leave().is_err() { 4 } else { 0 }
}

fn advice(power: Power, what: &str) -> String {
    if power == Power::Root {
        return format!(
            "sandboxes of processes cannot be made here: {what}; packhost needs CAP_SYS_ADMIN for them"
        );
    }
    let value = |name: &str| fs::read_to_string(format!("/proc/sys/{name}")).ok();
    for (name, allowed) in SWITCHES {
        if value(name).is_some_and(|value| value.trim() != allowed) {
            let name = name.replace('/', ".");
            return format!("user namespaces are switched off for normal users: sysctl {name}={allowed}");
        }
    }
    if value("user/max_user_namespaces").is_some_and(|value| value.trim() == "0") {
        return "user namespaces are switched off: set sysctl user.max_user_namespaces to some thousands"
            .to_owned();
    }
    format!(
        "sandboxes of processes cannot be made here: {what}; run packhost as root, or outside of a container"
    )
}
