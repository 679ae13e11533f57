//! The written list of system calls that the host gives up, each with its reason.
//!
//! A list of what is denied, not of what is allowed: allocators, async runtimes and JIT compilers change their calls between
//! releases, and an allow list that breaks in the field gets switched off.

use serde::Serialize;

/// What a denied call meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The call fails with `EPERM`: a library may try it and do without.
    Eperm,
    /// The call fails with `ENOSYS`: its caller then uses an older call, whose arguments can be judged.
    Enosys,
    /// The process ends with `SIGSYS`. Only for what no library tries, changes the whole machine, and is of use to an exploit
    /// alone: there is no innocent caller to be kind to.
    Kill,
}

/// One system call that is denied whatever its arguments are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// The call's name in the kernel.
    pub call: &'static str,
    /// The call's number on this architecture.
    #[serde(skip)]
    pub number: i64,
    /// What a caller meets.
    pub answer: Answer,
    /// Why the host does without it.
    pub reason: &'static str,
}

const fn eperm(call: &'static str, number: i64, reason: &'static str) -> Denial {
    Denial { call, number, answer: Answer::Eperm, reason }
}

const fn kill(call: &'static str, number: i64, reason: &'static str) -> Denial {
    Denial { call, number, answer: Answer::Kill, reason }
}

/// Every call that is denied outright on this architecture. Rules on arguments (sockets, threads, terminals) come on top.
pub fn denials() -> impl Iterator<Item = &'static Denial> {
    EVERYWHERE.iter().chain(HERE)
}

/// Not in the C library's headers on every target. Calls from 424 on have one number on all architectures.
const OPEN_TREE_ATTR: i64 = 467;

const EVERYWHERE: &[Denial] = &[
    // The machine itself.
    kill("kexec_load", libc::SYS_kexec_load, "replaces the running kernel"),
    kill("init_module", libc::SYS_init_module, "loads code into the kernel"),
    kill("finit_module", libc::SYS_finit_module, "loads code into the kernel"),
    kill("delete_module", libc::SYS_delete_module, "takes code out of the kernel"),
    kill("reboot", libc::SYS_reboot, "stops the machine"),
    kill("swapon", libc::SYS_swapon, "lets pages of every process be read back from a chosen file"),
    kill("swapoff", libc::SYS_swapoff, "takes memory from every process"),
    kill("pivot_root", libc::SYS_pivot_root, "changes what every path means"),
    kill("open_by_handle_at", libc::SYS_open_by_handle_at, "opens a file by its inode, past every directory"),
    eperm("acct", libc::SYS_acct, "makes the kernel write to a chosen file"),
    eperm("quotactl", libc::SYS_quotactl, "changes disk quotas"),
    eperm("quotactl_fd", libc::SYS_quotactl_fd, "changes disk quotas"),
    eperm("syslog", libc::SYS_syslog, "reads kernel addresses and messages"),
    eperm("vhangup", libc::SYS_vhangup, "takes the operator's terminal away"),
    eperm("settimeofday", libc::SYS_settimeofday, "changes the machine's clock"),
    eperm("clock_settime", libc::SYS_clock_settime, "changes the machine's clock"),
    eperm("clock_adjtime", libc::SYS_clock_adjtime, "changes the machine's clock"),
    eperm("adjtimex", libc::SYS_adjtimex, "changes the machine's clock"),
    eperm("sethostname", libc::SYS_sethostname, "renames the machine"),
    eperm("setdomainname", libc::SYS_setdomainname, "renames the machine"),
    // Other programs. What runs programs for the host was started before the walls.
    eperm("execve", libc::SYS_execve, "starts a program"),
    eperm("execveat", libc::SYS_execveat, "starts a program, from memory too"),
    eperm("ptrace", libc::SYS_ptrace, "reads and steers other processes"),
    eperm("process_vm_readv", libc::SYS_process_vm_readv, "reads another process's memory"),
    eperm("process_vm_writev", libc::SYS_process_vm_writev, "writes another process's memory"),
    eperm("process_madvise", libc::SYS_process_madvise, "changes another process's memory"),
    eperm("process_mrelease", libc::SYS_process_mrelease, "changes another process's memory"),
    eperm("pidfd_getfd", libc::SYS_pidfd_getfd, "takes an open file out of another process"),
    eperm("kcmp", libc::SYS_kcmp, "learns kernel addresses by comparing processes"),
    eperm("move_pages", libc::SYS_move_pages, "moves another process's memory"),
    eperm("migrate_pages", libc::SYS_migrate_pages, "moves another process's memory"),
    // Kernel parts with a long record of holes, none of which the host uses.
    eperm("bpf", libc::SYS_bpf, "runs code inside the kernel"),
    eperm("perf_event_open", libc::SYS_perf_event_open, "watches the kernel and other processes"),
    eperm(
        "userfaultfd",
        libc::SYS_userfaultfd,
        "stops the kernel at a chosen page, which makes races winnable",
    ),
    eperm("io_uring_setup", libc::SYS_io_uring_setup, "makes calls that no filter sees"),
    eperm("io_uring_enter", libc::SYS_io_uring_enter, "makes calls that no filter sees"),
    eperm("io_uring_register", libc::SYS_io_uring_register, "makes calls that no filter sees"),
    eperm("add_key", libc::SYS_add_key, "keyrings are shared with processes outside"),
    eperm(
        "request_key",
        libc::SYS_request_key,
        "keyrings are shared with processes outside; starts a helper program",
    ),
    eperm("keyctl", libc::SYS_keyctl, "keyrings are shared with processes outside"),
    eperm("fanotify_init", libc::SYS_fanotify_init, "watches and holds up file access of the whole machine"),
    eperm("vmsplice", libc::SYS_vmsplice, "puts pages into pipes, which made page-cache writes possible"),
    eperm("remap_file_pages", libc::SYS_remap_file_pages, "replaced by mmap"),
    eperm("lookup_dcookie", libc::SYS_lookup_dcookie, "finds paths by kernel cookie"),
    eperm("nfsservctl", libc::SYS_nfsservctl, "replaced long ago"),
    eperm("personality", libc::SYS_personality, "turns address randomisation off"),
    // Namespaces and mounts: a new world in which the rules on paths mean something else.
    eperm("unshare", libc::SYS_unshare, "makes namespaces, and with them capabilities"),
    eperm("setns", libc::SYS_setns, "enters another namespace"),
    eperm("chroot", libc::SYS_chroot, "changes what every path means"),
    eperm("mount", libc::SYS_mount, "changes what every path means"),
    eperm("umount2", libc::SYS_umount2, "uncovers what is below a mount"),
    eperm("move_mount", libc::SYS_move_mount, "changes what every path means"),
    eperm("open_tree", libc::SYS_open_tree, "copies a mount"),
    eperm("open_tree_attr", OPEN_TREE_ATTR, "copies a mount"),
    eperm("fsopen", libc::SYS_fsopen, "prepares a mount"),
    eperm("fsconfig", libc::SYS_fsconfig, "prepares a mount"),
    eperm("fsmount", libc::SYS_fsmount, "makes a mount"),
    eperm("fspick", libc::SYS_fspick, "changes a mount"),
    eperm("mount_setattr", libc::SYS_mount_setattr, "changes a mount"),
    // Identity: the host stays who it is.
    eperm("setuid", libc::SYS_setuid, "becomes another user"),
    eperm("setgid", libc::SYS_setgid, "becomes another group"),
    eperm("setreuid", libc::SYS_setreuid, "becomes another user"),
    eperm("setregid", libc::SYS_setregid, "becomes another group"),
    eperm("setresuid", libc::SYS_setresuid, "becomes another user"),
    eperm("setresgid", libc::SYS_setresgid, "becomes another group"),
    eperm("setfsuid", libc::SYS_setfsuid, "reads files as another user"),
    eperm("setfsgid", libc::SYS_setfsgid, "reads files as another group"),
    eperm("setgroups", libc::SYS_setgroups, "joins groups"),
    eperm("capset", libc::SYS_capset, "raises capabilities"),
    // Threads are made with clone, whose flags a filter can read.
    Denial {
        call: "clone3",
        number: libc::SYS_clone3,
        answer: Answer::Enosys,
        reason: "keeps its flags in memory, where no filter sees them; thread libraries fall back to clone",
    },
];

#[cfg(target_arch = "x86_64")]
const HERE: &[Denial] = &[
    kill("kexec_file_load", libc::SYS_kexec_file_load, "replaces the running kernel"),
    kill("iopl", libc::SYS_iopl, "opens hardware ports"),
    kill("ioperm", libc::SYS_ioperm, "opens hardware ports"),
    eperm("modify_ldt", libc::SYS_modify_ldt, "makes segments, a kernel part with a long record of holes"),
    eperm("uselib", libc::SYS_uselib, "replaced long ago"),
    eperm("ustat", libc::SYS_ustat, "replaced long ago"),
    eperm("fork", libc::SYS_fork, "starts a process that outlives the host"),
    eperm("vfork", libc::SYS_vfork, "starts a process that outlives the host"),
];

#[cfg(target_arch = "aarch64")]
const HERE: &[Denial] = &[
    // The generic number; not in every C library's headers.
    kill("kexec_file_load", 294, "replaces the running kernel"),
];
