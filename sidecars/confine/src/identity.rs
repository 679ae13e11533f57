//! Who the program is: a user without groups, capabilities, or a way to get either back.

use rustix::io::Errno;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, CapabilitySets, Gid, Uid, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

use packhost_session_protocol::message::User;

use crate::ConfineError;

/// Keeps other programs of the same user out of this process's memory and open files (prctl(2), `PR_SET_DUMPABLE`).
/// exec makes the program that comes after it ordinary again.
pub(crate) fn hide_memory() -> Result<(), ConfineError> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(ConfineError::kernel("prctl(PR_SET_DUMPABLE)"))
}

/// Becomes `user` with no supplementary groups. The calls are those of one thread: a forked child has no other.
pub(crate) fn become_user(user: Option<User>) -> Result<(), ConfineError> {
    // First: it needs a capability that becoming another user gives up.
    empty_bounding_set()?;
    let Some(User { uid, gid }) = user else { return Ok(()) };
    let refused = |asked| move |errno: Errno| ConfineError::User { uid, gid, asked, source: errno.into() };
    if uid == u32::MAX || gid == u32::MAX {
        // For setresuid(2) this number means "as it is".
        return Err(refused("setresuid")(Errno::INVAL));
    }
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    set_thread_groups(&[]).map_err(refused("setgroups"))?;
    set_thread_res_gid(group, group, group).map_err(refused("setresgid"))?;
    set_thread_res_uid(user, user, user).map_err(refused("setresuid"))
}

/// Empties every capability set and closes the ways back: exec of a set-user-id file, of one with capabilities, as root.
pub(crate) fn forgo_privileges() -> Result<(), ConfineError> {
    let none = CapabilitySet::empty();
    clear_ambient_capability_set().map_err(ConfineError::kernel("prctl(PR_CAP_AMBIENT)"))?;
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .map_err(ConfineError::kernel("capset"))?;
    set_no_new_privs(true).map_err(ConfineError::kernel("prctl(PR_SET_NO_NEW_PRIVS)"))
}

/// Takes every capability out of this process's bounding set (capabilities(7)), and with it out of that of all that it starts.
/// It keeps what it has itself. [`Wall::raise`](crate::Wall::raise) does so too; a supervisor that has done it saves each program
/// the time.
///
/// One that may not (`EPERM`: it has no `CAP_SETPCAP`, as in most containers) leaves the set as it is: it only bounds what exec
/// may add, and no-new-privileges keeps exec from adding anything.
///
/// # Errors
///
/// The kernel refuses for another reason.
pub fn empty_bounding_set() -> Result<(), ConfineError> {
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        // To ask costs a fraction of what it costs to take one out.
        if capability_is_in_bounding_set(capability) == Ok(false) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // Past the last capability that this kernel knows.
            Err(Errno::INVAL) | Err(Errno::PERM) => break,
            Err(errno) => return Err(ConfineError::kernel("prctl(PR_CAPBSET_DROP)")(errno)),
        }
    }
    Ok(())
}
