//! What a program asks of the kernel that only the machine's owner may.

use super::{NO, calls, denies, everything, trying};
use crate::bench::Bench;
use crate::room::python;

crate::behaviours![
    nothing_is_mounted_and_no_root_is_changed,
    no_namespace_is_made_or_entered,
    the_kernels_keys_programs_rings_and_watches_are_out_of_reach,
    the_machine_is_not_stopped_swapped_set_or_given_another_kernel,
    no_device_node_is_made,
    nothing_is_typed_into_a_terminal,
];

async fn nothing_is_mounted_and_no_root_is_changed(bench: &Bench) {
    const CALLS: &[(&str, i64, &str)] = &[
        ("mount", libc::SYS_mount, "b'none', b'/tmp', b'tmpfs', 0, 0"),
        ("mount", libc::SYS_mount, "b'proc', b'/tmp', b'proc', 0, 0"),
        ("mount", libc::SYS_mount, "b'/', b'/tmp', 0, 4096, 0"),
        ("mount", libc::SYS_mount, "0, b'/', 0, 32, 0"),
        ("mount", libc::SYS_mount, "0, b'/', 0, 1 << 20, 0"),
        ("umount2", libc::SYS_umount2, "b'/proc', 2"),
        ("umount2", libc::SYS_umount2, "b'/sandbox', 2"),
        ("pivot_root", libc::SYS_pivot_root, "b'/tmp', b'/tmp'"),
        ("chroot", libc::SYS_chroot, "b'/tmp'"),
        ("fsopen", libc::SYS_fsopen, "b'tmpfs', 0"),
        ("fsconfig", libc::SYS_fsconfig, "0, 0, 0, 0, 0"),
        ("fsmount", libc::SYS_fsmount, "0, 0, 0"),
        ("fspick", libc::SYS_fspick, "-100, b'/', 0"),
        ("open_tree", libc::SYS_open_tree, "-100, b'/', 1"),
        ("move_mount", libc::SYS_move_mount, "-100, b'/tmp', -100, b'/sandbox', 0"),
        ("mount_setattr", libc::SYS_mount_setattr, "-100, b'/', 0, bytes(32), 32"),
        ("open_by_handle_at", libc::SYS_open_by_handle_at, "-100, bytes(128), 0"),
        ("fanotify_init", libc::SYS_fanotify_init, "0, 0"),
    ];
    let room = bench.room().await;
    denies(&room, trying(&calls(CALLS)).confinement(everything()), NO).await;
    denies(&room, trying(&calls(CALLS)), NO).await;
}

async fn no_namespace_is_made_or_entered(bench: &Bench) {
    let script = format!(
        "
for name, flag in dict(mount=0x20000, cgroup=0x2000000, uts=0x4000000, ipc=0x8000000, user=0x10000000,
                       pid=0x20000000, net=0x40000000).items():
    say(call({unshare}, flag), 'unshare', name)
    say(call({unshare}, flag | 0x10000000), 'unshare user and', name)
    error = call({clone}, flag | 17, 0, 0, 0, 0)
    say(error, 'clone', name)
    error = call({clone}, flag | 0x10000000 | 17, 0, 0, 0, 0)
    say(error, 'clone user and', name)
say(call({unshare}, 0x80), 'unshare time')
say(call({clone3}, (0x10000000).to_bytes(8, 'little') + bytes(80), 88), 'clone3 user')
for process in ('self', '1'):
    for name in ('mnt', 'pid', 'net', 'user', 'ipc', 'uts', 'cgroup'):
        try: file = os.open(f'/proc/{{process}}/ns/{{name}}', os.O_RDONLY)
        except OSError as error: say(13 if error.errno in (2, 13) else 0, 'open', process, name)
        else: say(call({setns}, file, 0), 'setns', process, name)
say(call({setns}, os.pidfd_open(os.getpid()), 0x10000000), 'setns by a process')
",
        unshare = libc::SYS_unshare,
        clone = libc::SYS_clone,
        clone3 = libc::SYS_clone3,
        setns = libc::SYS_setns
    );
    let room = bench.room().await;
    denies(&room, trying(&script).confinement(everything()), NO).await;
}

async fn the_kernels_keys_programs_rings_and_watches_are_out_of_reach(bench: &Bench) {
    const CALLS: &[(&str, i64, &str)] = &[
        ("keyctl", libc::SYS_keyctl, "0, -3, 1"),
        ("keyctl", libc::SYS_keyctl, "0, -4, 1"),
        ("keyctl", libc::SYS_keyctl, "1, 0"),
        ("keyctl", libc::SYS_keyctl, "11, -5, bytes(64), 64"),
        ("add_key", libc::SYS_add_key, "b'user', b'packhost', b'x', 1, -4"),
        ("request_key", libc::SYS_request_key, "b'user', b'packhost', 0, -4"),
        ("bpf", libc::SYS_bpf, "0, bytes(128), 128"),
        ("bpf", libc::SYS_bpf, "5, bytes(128), 128"),
        ("io_uring_setup", libc::SYS_io_uring_setup, "1, bytes(120)"),
        ("io_uring_enter", libc::SYS_io_uring_enter, "0, 0, 0, 0, 0, 0"),
        ("io_uring_register", libc::SYS_io_uring_register, "0, 0, 0, 0"),
        ("userfaultfd", libc::SYS_userfaultfd, "0"),
        ("userfaultfd", libc::SYS_userfaultfd, "1"),
        ("perf_event_open", libc::SYS_perf_event_open, "bytes(128), 0, -1, -1, 0"),
        ("perf_event_open", libc::SYS_perf_event_open, "bytes(128), -1, 0, -1, 0"),
        ("personality", libc::SYS_personality, "0x0040000"),
        ("kcmp", libc::SYS_kcmp, "os.getpid(), os.getpid(), 0, 0, 1"),
    ];
    let room = bench.room().await;
    denies(&room, trying(&calls(CALLS)).confinement(everything()), NO).await;
}

/// With arguments that do no harm where one is carried out.
async fn the_machine_is_not_stopped_swapped_set_or_given_another_kernel(bench: &Bench) {
    const CALLS: &[(&str, i64, &str)] = &[
        ("reboot", libc::SYS_reboot, "0xfee1dead, 672274793, 0, 0"),
        ("kexec_load", libc::SYS_kexec_load, "0, 0, 0, 1"),
        ("init_module", libc::SYS_init_module, "b'x', 1, b''"),
        ("finit_module", libc::SYS_finit_module, "0, b'', 0"),
        ("delete_module", libc::SYS_delete_module, "b'packhost', 0"),
        ("swapon", libc::SYS_swapon, "b'/sandbox/swap', 0"),
        ("swapoff", libc::SYS_swapoff, "b'/sandbox/swap'"),
        ("acct", libc::SYS_acct, "b'/sandbox/none'"),
        ("quotactl", libc::SYS_quotactl, "0x800001 << 8, b'/dev/null', 0, 0"),
        ("syslog", libc::SYS_syslog, "3, bytes(4096), 4096"),
        ("settimeofday", libc::SYS_settimeofday, "b'\\xff' * 16, 0"),
        ("clock_settime", libc::SYS_clock_settime, "0, b'\\xff' * 16"),
        ("adjtimex", libc::SYS_adjtimex, "b'\\xff' * 208"),
        ("sethostname", libc::SYS_sethostname, "b'sandbox', 7"),
        ("setdomainname", libc::SYS_setdomainname, "b'sandbox', 7"),
        ("vhangup", libc::SYS_vhangup, "0"),
    ];
    let room = bench.room().await;
    denies(&room, trying(&calls(CALLS)).confinement(everything()), NO).await;
}

async fn no_device_node_is_made(bench: &Bench) {
    let script = "
import stat
for place in ('/sandbox', '/tmp', '/dev/shm', '/dev', '/'):
    for kind in (stat.S_IFCHR, stat.S_IFBLK):
        for major, minor in ((1, 1), (1, 2), (1, 3), (1, 11), (8, 0), (10, 200), (10, 232), (254, 0)):
            error = tried(os.mknod, f'{place}/node', kind | 0o666, os.makedev(major, minor))
            say(error, place, major, minor)
";
    let room = bench.room().await;
    // Or EROFS.
    denies(&room, trying(script).confinement(everything()), &[1, 13, 30]).await;
}

async fn nothing_is_typed_into_a_terminal(bench: &Bench) {
    let script = format!(
        "
for name, request in dict(TIOCSTI=0x5412, TIOCLINUX=0x541c, TIOCSETD=0x5423).items():
    # The kernel looks at 32 bits, and a filter at 64 might be led astray by those above.
    for high in (0, 1 << 32, -1 << 32):
        say(call({ioctl}, 0, request | high, bytes(8)), name, high)
",
        ioctl = libc::SYS_ioctl
    );
    let room = bench.room().await;
    let typed = trying(&script).confinement(everything()).terminal(80, 24);
    let said = String::from_utf8(room.run(typed).await.stdout).expect("text");
    assert_eq!(said.lines().count(), 9, "{said}");
    assert!(said.lines().all(|line| line.starts_with("1 ")), "{said}");
    let outer = room.tries(python("import os; print(os.open('/dev/tty', os.O_RDWR))")).await;
    assert!(outer.contains("OSError") || outer.contains("Error"), "{outer}");
}
