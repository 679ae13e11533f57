//! What the kernel shows as files, and what can be done to the machine through them.

use super::{denies, errors, everything, trying};
use crate::bench::Bench;

crate::behaviours![
    nothing_that_the_kernel_shows_of_the_machine_can_be_written,
    the_memory_and_the_messages_of_the_machine_are_not_to_be_read,
    no_address_of_the_kernel_is_told,
    a_programs_own_files_in_proc_give_it_nothing,
];

/// Such as `sysrq-trigger`, `core_pattern`, `modprobe`, `release_agent`: every one that there is is tried.
async fn nothing_that_the_kernel_shows_of_the_machine_can_be_written(bench: &Bench) {
    let script = "
def walk(top):
    for directory, names, files in os.walk(top):
        names[:] = [name for name in names if not name.isdigit() and name not in ('self', 'thread-self')]
        for name in files: yield os.path.join(directory, name)
def null(path): return os.path.exists(path) and os.stat(path).st_rdev == os.makedev(1, 3)
tries = 0
for top in ('/proc', '/sys'):
    for path in walk(top):
        tries += 1
        # Whoever opens one of these gets a watch of its own, which tells how busy the machine is.
        if path.startswith('/proc/pressure/'): continue
        for flags in (os.O_WRONLY, os.O_RDWR):
            # What covers something may be the null device.
            if not null(path) and not tried(os.open, path, flags | os.O_NONBLOCK): say(0, path)
        if tried(os.chmod, path, 0o666) == 0: say(0, 'chmod', path)
for path in ('sysrq-trigger', 'sys/kernel/core_pattern', 'sys/kernel/modprobe', 'sys/kernel/hotplug',
             'sys/fs/binfmt_misc/register', 'sys/vm/panic_on_oom', 'sys/kernel/ns_last_pid', 'kcore', 'kmem'):
    say(2 if null('/proc/' + path) else tried(os.open, '/proc/' + path, os.O_WRONLY), path)
for path in ('kernel/uevent_helper', 'kernel/debug', 'kernel/tracing', 'power/state', 'firmware/efi/efivars',
             'fs/cgroup/release_agent', 'fs/cgroup/memory/release_agent', 'fs/cgroup/cgroup.procs'):
    say(tried(os.open, '/sys/' + path, os.O_WRONLY), path)
say(13 if tries > 100 else 0, 'files were tried:', tries)
";
    let room = bench.room().await;
    // Or ENOENT, EROFS, EISDIR.
    denies(&room, trying(script).confinement(everything()), &[1, 2, 13, 21, 30]).await;
}

async fn the_memory_and_the_messages_of_the_machine_are_not_to_be_read(bench: &Bench) {
    let script = "
def read(path):
    with open(path, 'rb') as file:
        # Covered by something empty is as good as denied.
        if not file.read(1): raise OSError(2, 'nothing')
for name in ('kcore', 'kmem', 'kmsg', 'keys', 'timer_list', 'sched_debug', 'slabinfo', 'pagetypeinfo', 'vmallocinfo',
             'kpagecount', 'kpageflags', 'kpagecgroup', 'vmcore', 'latency_stats', 'acpi', 'scsi', 'asound'):
    say(tried(read, '/proc/' + name), name)
for name in ('mem', 'kmem', 'port', 'kmsg', 'sda', 'vda', 'nvme0n1', 'kvm', 'fuse', 'net/tun', 'vhost-net', 'vhost-vsock',
             'userfaultfd', 'uinput', 'snapshot', 'loop-control', 'loop0', 'mapper/control', 'btrfs-control', 'hpet', 'rtc0'):
    say(tried(read, '/dev/' + name), name)
for name in ('kernel/debug', 'kernel/tracing', 'kernel/security', 'firmware/dmi', 'firmware/acpi', 'firmware/efi'):
    say(0 if os.path.isdir('/sys/' + name) and not tried(os.listdir, '/sys/' + name) and os.listdir('/sys/' + name) else 2, name)
";
    let room = bench.room().await;
    // Or ENOENT, ENXIO, EISDIR, EINVAL.
    denies(&room, trying(script).confinement(everything()), &[1, 2, 6, 13, 21, 22]).await;
}

async fn no_address_of_the_kernel_is_told(bench: &Bench) {
    let script = "
import re
for name in ('kallsyms', 'modules', 'iomem', 'ioports', 'self/stack', 'self/syscall', 'net/unix', 'net/tcp', 'self/stat'):
    try: text = open('/proc/' + name).read()
    except OSError as error: text = ''
    # Of the upper half, where the kernel is.
    say(0 if re.search(r'\\b(0x)?ffff[89a-f][0-9a-f]{11}\\b', text) else 1, name)
text = open('/proc/self/stat').read().rpartition(')')[2].split()
# proc_pid_stat(5): wchan, which is 0 or 1 for whoever may not know.
say(1 if text[32] in '01' else 0, 'wchan', text[32])
";
    let room = bench.room().await;
    denies(&room, trying(script).confinement(everything()), &[1]).await;
}

async fn a_programs_own_files_in_proc_give_it_nothing(bench: &Bench) {
    let script = "
def write(name, text):
    file = os.open('/proc/self/' + name, os.O_WRONLY)
    try: os.write(file, text)
    finally: os.close(file)
for name, text in dict(uid_map=b'0 0 1', gid_map=b'0 0 1', setgroups=b'allow', oom_score_adj=b'-1000').items():
    say(tried(write, name, text), name)
for name in ('attr/current', 'attr/exec', 'mountinfo', 'cgroup', 'stat', 'exe', 'maps', 'pagemap', 'auxv'):
    say(tried(write, name, b'unconfined'), name)
# Where pages are in the machine's memory.
try:
    with open('/proc/self/pagemap', 'rb') as file:
        file.seek(id(file) // 4096 * 8)
        say(0 if int.from_bytes(file.read(8), 'little') & ((1 << 55) - 1) else 1, 'pagemap')
except OSError as error: say(error.errno, 'pagemap')
";
    let room = bench.room().await;
    let met = errors(&room, trying(script).confinement(everything())).await;
    assert!(met.len() == 14 && met.iter().all(|(error, _)| *error != 0), "{met:?}");
}
