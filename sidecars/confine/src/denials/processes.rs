//! Other processes, and new worlds for them.

use super::{Answer, Denial, Test};

const MEMORY: &str = "Reads or changes another process's memory.";
const NAMESPACE: &str =
    "A new namespace comes with capabilities in it, and reaches parts of the kernel that only root should.";

/// Where namespaces are asked for by a flag (namespaces(7)).
const NAMESPACES: &[&[Test]] = &[
    &[Test::has(0, libc::CLONE_NEWNS as u32)],
    &[Test::has(0, libc::CLONE_NEWCGROUP as u32)],
    &[Test::has(0, libc::CLONE_NEWUTS as u32)],
    &[Test::has(0, libc::CLONE_NEWIPC as u32)],
    &[Test::has(0, libc::CLONE_NEWUSER as u32)],
    &[Test::has(0, libc::CLONE_NEWPID as u32)],
    &[Test::has(0, libc::CLONE_NEWNET as u32)],
];

/// `CLONE_NEWTIME`. Its bit is part of the signal number in `clone`.
const NEW_TIME: &[Test] = &[Test::has(0, 0x80)];

const UNSHARED: &[&[Test]] = &[
    NAMESPACES[0],
    NAMESPACES[1],
    NAMESPACES[2],
    NAMESPACES[3],
    NAMESPACES[4],
    NAMESPACES[5],
    NAMESPACES[6],
    NEW_TIME,
];

/// personality(2): Linux, Linux that says it is a 32-bit machine, and the question which it is.
const ORDINARY: &[&[Test]] = &[&[Test::IsNot(0, 0), Test::IsNot(0, 8), Test::IsNot(0, u32::MAX)]];

const CORE: &str = "The limit is such that no core is dumped; at 0 the machine's crash handler would start, outside the sandbox.";

/// `RLIMIT_CORE`, whose type differs between C libraries.
const CORE_LIMIT: u32 = 4;

pub(super) const DENIALS: &[Denial] = &[
    Denial::eperm("unshare", libc::SYS_unshare, NAMESPACE).when("a namespace", UNSHARED),
    Denial::eperm("clone", libc::SYS_clone, NAMESPACE).when("a namespace", NAMESPACES),
    Denial::enosys(
        "clone3",
        libc::SYS_clone3,
        "Keeps its flags in memory, where no filter sees them; C libraries then use clone.",
    ),
    Denial::eperm("setns", libc::SYS_setns, "Enters another namespace."),
    Denial::eperm(
        "ptrace",
        libc::SYS_ptrace,
        "Reads and steers another process; debuggers do not work in a sandbox.",
    ),
    Denial::eperm("process_vm_readv", libc::SYS_process_vm_readv, MEMORY),
    Denial::eperm("process_vm_writev", libc::SYS_process_vm_writev, MEMORY),
    Denial::eperm("process_madvise", libc::SYS_process_madvise, MEMORY),
    Denial::eperm("process_mrelease", libc::SYS_process_mrelease, MEMORY),
    Denial::eperm("move_pages", libc::SYS_move_pages, MEMORY),
    Denial::eperm("migrate_pages", libc::SYS_migrate_pages, MEMORY),
    Denial::eperm("pidfd_getfd", libc::SYS_pidfd_getfd, "Takes an open file out of another process."),
    Denial::eperm("kcmp", libc::SYS_kcmp, "Learns the order of kernel addresses by comparing processes."),
    Denial::eperm(
        "personality",
        libc::SYS_personality,
        "Turns address randomisation or other protections off.",
    )
    .when("other than Linux, Linux for 32 bits, and the question", ORDINARY),
    Denial::eperm("prlimit64", libc::SYS_prlimit64, CORE)
        .when("a new limit for core files", &[&[Test::Is(1, CORE_LIMIT), Test::Given(2)]])
        .answered(Answer::Ignored),
    Denial::eperm("setrlimit", libc::SYS_setrlimit, CORE)
        .when("a new limit for core files", &[&[Test::Is(0, CORE_LIMIT)]])
        .answered(Answer::Ignored),
];
