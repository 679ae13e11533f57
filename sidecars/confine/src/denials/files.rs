//! Files that carry their owner's power to whoever runs them.

use super::{Denial, Test};

const SET_USER_ID: &str = "A file of a workspace belongs to the host's user on the machine's disk, often to root: whoever finds and runs it \
                           there would run it as that user. Inside it gives nobody anything.";

const BIT: u32 = libc::S_ISUID;
const CREATE: u32 = libc::O_CREAT as u32;
/// `__O_TMPFILE` of the kernel's asm-generic/fcntl.h, which in `O_TMPFILE` stands together with `O_DIRECTORY`.
const TMPFILE: u32 = 0o20_000_000;

const WHEN: &str = "set-user-ID";
const MAKING: &str = "making a file that is set-user-ID";

/// Not in the C library's headers on every target.
const FCHMODAT2: i64 = 452;

pub(super) const DENIALS: &[Denial] = &[
    Denial::eperm("fchmod", libc::SYS_fchmod, SET_USER_ID).when(WHEN, &[&[Test::has(1, BIT)]]),
    Denial::eperm("fchmodat", libc::SYS_fchmodat, SET_USER_ID).when(WHEN, &[&[Test::has(2, BIT)]]),
    Denial::eperm("fchmodat2", FCHMODAT2, SET_USER_ID).when(WHEN, &[&[Test::has(2, BIT)]]),
    Denial::eperm("openat", libc::SYS_openat, SET_USER_ID).when(
        MAKING,
        &[&[Test::has(2, CREATE), Test::has(3, BIT)], &[Test::has(2, TMPFILE), Test::has(3, BIT)]],
    ),
    Denial::eperm("mknodat", libc::SYS_mknodat, SET_USER_ID).when(MAKING, &[&[Test::has(2, BIT)]]),
    Denial::enosys(
        "openat2",
        libc::SYS_openat2,
        "Keeps the mode of a new file in memory, where no filter sees it; programs then use openat.",
    ),
];

#[cfg(target_arch = "x86_64")]
pub(super) const HERE: &[Denial] = &[
    Denial::eperm("chmod", libc::SYS_chmod, SET_USER_ID).when(WHEN, &[&[Test::has(1, BIT)]]),
    Denial::eperm("open", libc::SYS_open, SET_USER_ID).when(
        MAKING,
        &[&[Test::has(1, CREATE), Test::has(2, BIT)], &[Test::has(1, TMPFILE), Test::has(2, BIT)]],
    ),
    Denial::eperm("creat", libc::SYS_creat, SET_USER_ID).when(MAKING, &[&[Test::has(1, BIT)]]),
    Denial::eperm("mknod", libc::SYS_mknod, SET_USER_ID).when(MAKING, &[&[Test::has(1, BIT)]]),
];

#[cfg(target_arch = "aarch64")]
pub(super) const HERE: &[Denial] = &[];
