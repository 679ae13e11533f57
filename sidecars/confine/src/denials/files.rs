//! Files that carry their owner's power to whoever runs them, or keep whoever opens them waiting.

use super::{Denial, Test};

const CARRIES: &str = "A file of a workspace belongs to the host's user and group on the machine's disk, often to root: whoever finds and runs \
                       it there would run it as that. Inside it gives nobody anything. That directories hand their group down is lost with it: \
                       no filter sees what a name stands for.";

const WAITS: &str = "A lease on a file makes whoever opens it wait until its holder gives it back or the kernel's patience ends (45 s), and the \
                     host opens files of a workspace.";

const USER: u32 = libc::S_ISUID;
const GROUP: u32 = libc::S_ISGID;
const CREATE: u32 = libc::O_CREAT as u32;
/// `__O_TMPFILE` of the kernel's asm-generic/fcntl.h, which in `O_TMPFILE` stands together with `O_DIRECTORY`.
const TMPFILE: u32 = 0o20_000_000;

const WHEN: &str = "set-user-ID or set-group-ID";
const MAKING: &str = "making a file that is set-user-ID or set-group-ID";

const MODE_SECOND: &[&[Test]] = &[&[Test::has(1, USER)], &[Test::has(1, GROUP)]];
const MODE_THIRD: &[&[Test]] = &[&[Test::has(2, USER)], &[Test::has(2, GROUP)]];
/// With the flags of open(2) as the second argument and the mode as the third, and one further on.
const MADE_SECOND: &[&[Test]] = &[
    &[Test::has(1, CREATE), Test::has(2, USER)],
    &[Test::has(1, CREATE), Test::has(2, GROUP)],
    &[Test::has(1, TMPFILE), Test::has(2, USER)],
    &[Test::has(1, TMPFILE), Test::has(2, GROUP)],
];
const MADE_THIRD: &[&[Test]] = &[
    &[Test::has(2, CREATE), Test::has(3, USER)],
    &[Test::has(2, CREATE), Test::has(3, GROUP)],
    &[Test::has(2, TMPFILE), Test::has(3, USER)],
    &[Test::has(2, TMPFILE), Test::has(3, GROUP)],
];

/// Of linux/fcntl.h; not in the C library's headers on every target. Delegations are leases on directories too (Linux 6.19).
const SET_LEASE: u32 = 1024;
const SET_DELEGATION: u32 = 1024 + 16;

/// Not in the C library's headers on every target.
const FCHMODAT2: i64 = 452;

pub(super) const DENIALS: &[Denial] = &[
    Denial::eperm("fchmod", libc::SYS_fchmod, CARRIES).when(WHEN, MODE_SECOND),
    Denial::eperm("fchmodat", libc::SYS_fchmodat, CARRIES).when(WHEN, MODE_THIRD),
    Denial::eperm("fchmodat2", FCHMODAT2, CARRIES).when(WHEN, MODE_THIRD),
    Denial::eperm("openat", libc::SYS_openat, CARRIES).when(MAKING, MADE_THIRD),
    Denial::eperm("mknodat", libc::SYS_mknodat, CARRIES).when(MAKING, MODE_THIRD),
    Denial::enosys(
        "openat2",
        libc::SYS_openat2,
        "Keeps the mode of a new file in memory, where no filter sees it; programs then use openat.",
    ),
    Denial::eperm("fcntl", libc::SYS_fcntl, WAITS)
        .when("F_SETLEASE, F_SETDELEG", &[&[Test::Is(1, SET_LEASE)], &[Test::Is(1, SET_DELEGATION)]]),
];

#[cfg(target_arch = "x86_64")]
pub(super) const HERE: &[Denial] = &[
    Denial::eperm("chmod", libc::SYS_chmod, CARRIES).when(WHEN, MODE_SECOND),
    Denial::eperm("open", libc::SYS_open, CARRIES).when(MAKING, MADE_SECOND),
    Denial::eperm("creat", libc::SYS_creat, CARRIES).when(MAKING, MODE_SECOND),
    Denial::eperm("mknod", libc::SYS_mknod, CARRIES).when(MAKING, MODE_SECOND),
];

#[cfg(target_arch = "aarch64")]
pub(super) const HERE: &[Denial] = &[];
