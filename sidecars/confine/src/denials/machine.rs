//! Mounts, the machine as a whole, and parts of the kernel that programs do without.

use super::{Denial, Test};

const MOUNT: &str = "Changes what paths mean, and with it what the rules on paths grant.";
const MOUNTS: &str =
    "Tells of mounts past /proc, whose rules the profile sets; tools read /proc/self/mountinfo instead.";
const KERNEL: &str = "Replaces the running kernel or code in it.";
const CLOCK: &str = "Sets the clock of the whole machine.";
const NAME: &str = "Renames the sandbox, by whose name programs find it.";
const SWAP: &str = "Moves memory of every process to a chosen file or back.";
const QUOTA: &str = "Changes how much others may store.";
const KEYS: &str = "Keyrings belong to a user number, and so are shared with processes outside the sandbox.";
const RING: &str = "Makes calls that no filter sees, and has a long record of holes.";
const HANDLE: &str = "Opens a file by its number, past every directory on the way to it.";
const WATCH: &str = "Watches and holds up other programs' use of files; inotify does what programs need.";
const NUMA: &str = "Places memory by node, which is the machine's owner's to do; libraries then take it for a machine of one node.";

/// `S_IFMT`, inode(7).
const KIND: u32 = libc::S_IFMT;

/// Not in the C library's headers on every target. Calls from 424 on have one number on all architectures.
const STATMOUNT: i64 = 457;
const LISTMOUNT: i64 = 458;
const OPEN_TREE_ATTR: i64 = 467;

const TIOCLINUX: u32 = 0x541c;

pub(super) const DENIALS: &[Denial] = &[
    Denial::eperm("mount", libc::SYS_mount, MOUNT),
    Denial::eperm("umount2", libc::SYS_umount2, MOUNT),
    Denial::eperm("pivot_root", libc::SYS_pivot_root, MOUNT),
    Denial::eperm("chroot", libc::SYS_chroot, MOUNT),
    Denial::eperm("move_mount", libc::SYS_move_mount, MOUNT),
    Denial::eperm("open_tree", libc::SYS_open_tree, MOUNT),
    Denial::eperm("open_tree_attr", OPEN_TREE_ATTR, MOUNT),
    Denial::eperm("fsopen", libc::SYS_fsopen, MOUNT),
    Denial::eperm("fsconfig", libc::SYS_fsconfig, MOUNT),
    Denial::eperm("fsmount", libc::SYS_fsmount, MOUNT),
    Denial::eperm("fspick", libc::SYS_fspick, MOUNT),
    Denial::eperm("mount_setattr", libc::SYS_mount_setattr, MOUNT),
    Denial::enosys("statmount", STATMOUNT, MOUNTS),
    Denial::enosys("listmount", LISTMOUNT, MOUNTS),
    Denial::eperm("open_by_handle_at", libc::SYS_open_by_handle_at, HANDLE),
    Denial::eperm("mknodat", libc::SYS_mknodat, "A device node leads past files to the hardware.").when(
        "a character or block device",
        &[&[Test::Masked(2, KIND, libc::S_IFCHR)], &[Test::Masked(2, KIND, libc::S_IFBLK)]],
    ),
    Denial::eperm("fanotify_init", libc::SYS_fanotify_init, WATCH),
    Denial::eperm("fanotify_mark", libc::SYS_fanotify_mark, WATCH),
    Denial::eperm("quotactl", libc::SYS_quotactl, QUOTA),
    Denial::eperm("quotactl_fd", libc::SYS_quotactl_fd, QUOTA),
    Denial::eperm("acct", libc::SYS_acct, "Makes the kernel write to a chosen file."),
    Denial::eperm("swapon", libc::SYS_swapon, SWAP),
    Denial::eperm("swapoff", libc::SYS_swapoff, SWAP),
    Denial::eperm("kexec_load", libc::SYS_kexec_load, KERNEL),
    Denial::eperm("init_module", libc::SYS_init_module, KERNEL),
    Denial::eperm("finit_module", libc::SYS_finit_module, KERNEL),
    Denial::eperm("delete_module", libc::SYS_delete_module, KERNEL),
    Denial::eperm("reboot", libc::SYS_reboot, "Stops the machine or the sandbox."),
    Denial::eperm("syslog", libc::SYS_syslog, "Reads the kernel's messages, with addresses of its memory."),
    Denial::eperm("settimeofday", libc::SYS_settimeofday, CLOCK),
    Denial::eperm("clock_settime", libc::SYS_clock_settime, CLOCK),
    Denial::eperm("clock_adjtime", libc::SYS_clock_adjtime, CLOCK),
    Denial::eperm("adjtimex", libc::SYS_adjtimex, CLOCK),
    Denial::eperm("sethostname", libc::SYS_sethostname, NAME),
    Denial::eperm("setdomainname", libc::SYS_setdomainname, NAME),
    Denial::eperm("vhangup", libc::SYS_vhangup, "Takes a terminal away from those who use it."),
    Denial::eperm(
        "ioctl",
        libc::SYS_ioctl,
        "Types into a terminal as if its user did, or loads a line discipline, a part of the kernel with a long record of holes.",
    )
    .when(
        "TIOCSTI, TIOCLINUX, TIOCSETD",
        &[
            &[Test::Is(1, libc::TIOCSTI as u32)],
            &[Test::Is(1, TIOCLINUX)],
            &[Test::Is(1, libc::TIOCSETD as u32)],
        ],
    ),
    Denial::eperm("bpf", libc::SYS_bpf, "Runs code inside the kernel."),
    Denial::eperm("perf_event_open", libc::SYS_perf_event_open, "Watches the kernel and other processes."),
    Denial::eperm(
        "userfaultfd",
        libc::SYS_userfaultfd,
        "Stops the kernel at a chosen page, which makes its races winnable.",
    ),
    Denial::eperm("io_uring_setup", libc::SYS_io_uring_setup, RING),
    Denial::eperm("io_uring_enter", libc::SYS_io_uring_enter, RING),
    Denial::eperm("io_uring_register", libc::SYS_io_uring_register, RING),
    Denial::eperm("add_key", libc::SYS_add_key, KEYS),
    Denial::eperm("request_key", libc::SYS_request_key, KEYS),
    Denial::eperm("keyctl", libc::SYS_keyctl, KEYS),
    Denial::eperm("lookup_dcookie", libc::SYS_lookup_dcookie, "Finds paths by a number of the kernel's."),
    Denial::eperm("nfsservctl", libc::SYS_nfsservctl, "Steers a file server inside the kernel."),
    Denial::enosys("mbind", libc::SYS_mbind, NUMA),
    Denial::enosys("get_mempolicy", libc::SYS_get_mempolicy, NUMA),
    Denial::enosys("set_mempolicy", libc::SYS_set_mempolicy, NUMA),
    Denial::enosys("set_mempolicy_home_node", libc::SYS_set_mempolicy_home_node, NUMA),
];

#[cfg(target_arch = "x86_64")]
pub(super) const HERE: &[Denial] = &[
    Denial::eperm("mknod", libc::SYS_mknod, "A device node leads past files to the hardware.").when(
        "a character or block device",
        &[&[Test::Masked(1, KIND, libc::S_IFCHR)], &[Test::Masked(1, KIND, libc::S_IFBLK)]],
    ),
    Denial::eperm("kexec_file_load", libc::SYS_kexec_file_load, KERNEL),
    Denial::eperm("iopl", libc::SYS_iopl, "Opens the ports of the hardware."),
    Denial::eperm("ioperm", libc::SYS_ioperm, "Opens the ports of the hardware."),
    Denial::eperm(
        "modify_ldt",
        libc::SYS_modify_ldt,
        "Makes segments for 16-bit programs, with a long record of holes.",
    ),
    Denial::eperm("uselib", libc::SYS_uselib, "Maps a library in a way that was replaced long ago."),
];

#[cfg(target_arch = "aarch64")]
pub(super) const HERE: &[Denial] = &[
    // The generic number; not in every C library's headers.
    Denial::eperm("kexec_file_load", 294, KERNEL),
];
