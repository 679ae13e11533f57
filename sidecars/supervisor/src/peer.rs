//! Who may connect: nobody that the supervisor itself started, or that such a program started.

use rustix::process::Pid;

use crate::tree;

/// The most generations that are looked at. A process that has more ancestors is refused.
const GENERATIONS: usize = 4096;

/// Whether the process of this number, as SO_PEERCRED (unix(7)) has it, comes from outside of the sandbox's programs. One
/// that is gone already is not taken for one from outside.
pub(crate) fn is_from_outside(peer: Option<i32>) -> bool {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let Some(mut pid) = peer else { return false };
    for _ in 0..GENERATIONS {
        // 0 is a process of a namespace above this one: of the host, or the parent of one that it put in here.
        let Some(current) = Pid::from_raw(pid) else { return true };
        if pid == own {
            return false;
        }
        match tree::parent(current) {
            Some(parent) => pid = parent,
            None => return false,
        }
    }
    false
}
