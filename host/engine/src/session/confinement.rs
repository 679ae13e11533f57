//! What holds a program in the sandbox, from the grants of the call.

use packhost_manifest::{Limits, SessionGrant};
use packhost_session_protocol::message::{Confinement, Rlimits, User};
use packhost_sessions::SANDBOX_USER;

use super::WORKSPACE;

/// Linux 6.7: from here on a read-only file cannot be truncated (3) and ports are held (4).
const LANDLOCK_ABI: u32 = 4;

/// Files that every sandbox has of its own, without anything of the machine in them, and that programs look into by
/// themselves: whose a number is, and that there are no names to resolve.
const OWN: [&str; 5] = ["/etc/passwd", "/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf"];

pub(super) fn of(grant: &SessionGrant, limits: &Limits, workspace: bool, two_users: bool) -> Confinement {
    let bytes = |path: &String| path.as_bytes().to_vec().into();
    let mut read_write: Vec<_> = grant.files.read_write.iter().map(bytes).collect();
    if workspace {
        read_write.push(WORKSPACE.as_bytes().to_vec().into());
    }
    Confinement {
        user: two_users.then_some(User { uid: SANDBOX_USER, gid: SANDBOX_USER }),
        read_only: grant
            .files
            .read_only
            .iter()
            .map(bytes)
            .chain(OWN.map(|path| path.as_bytes().to_vec().into()))
            .collect(),
        read_write,
        rlimits: Rlimits {
            open_files: Some(limits.open_files.into()),
            // A little more than there is room for: running out of room can be told from having been killed.
            file_size: Some(limits.workspace.max(limits.disk).saturating_add(1 << 20)),
            ..Rlimits::default()
        },
        required: true,
        landlock_abi: LANDLOCK_ABI,
        // Components open what is in it: a pipe there would make them wait for whoever writes to it.
        plain: vec![WORKSPACE.as_bytes().to_vec().into()],
    }
}
