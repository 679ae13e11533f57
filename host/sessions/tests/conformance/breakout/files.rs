//! Files that are not a program's to change, and files that would carry power out.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use packhost_sessions::{Access, Mount, SandboxSpec};

use super::{denies, everything, trying};
use crate::bench::Bench;

crate::behaviours![
    what_is_only_read_is_not_cut_marked_or_replaced,
    no_file_that_carries_power_is_made,
    a_file_that_carries_power_gives_none,
];

async fn what_is_only_read_is_not_cut_marked_or_replaced(bench: &Bench) {
    let host = bench.directory("read");
    fs::write(host.join("file"), "of the host\n").expect("ours");
    fs::set_permissions(host.join("file"), fs::Permissions::from_mode(0o666)).expect("ours");
    let before = fs::metadata(host.join("file")).expect("it is there");
    let mount = Mount { host: host.clone(), inside: "/workspace".into(), access: Access::ReadOnly };
    let room = bench.room_of(SandboxSpec { mounts: vec![mount], ..bench.spec() }).await;
    let script = format!(
        "
import mmap
def reopened(path): os.open(f'/proc/self/fd/{{os.open(path, os.O_RDONLY)}}', os.O_WRONLY)
def mapped(path):
    try: mmap.mmap(os.open(path, os.O_RDONLY), 1, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    except ValueError: raise OSError(22, 'it is empty')
for path in ('/workspace/file', '/bin/env', '/proc/version', '/etc/passwd', '/etc/hosts', '/etc/resolv.conf'):
    if not os.path.exists(path): continue
    for what in (lambda: os.truncate(path, 0), lambda: os.open(path, os.O_RDONLY | os.O_TRUNC),
                 lambda: os.open(path, os.O_WRONLY), lambda: os.open(path, os.O_WRONLY | os.O_APPEND),
                 lambda: os.ftruncate(os.open(path, os.O_RDONLY), 0), lambda: reopened(path), lambda: mapped(path),
                 lambda: os.utime(path, (0, 0)), lambda: os.chmod(path, 0o777), lambda: os.chown(path, 1000, 1000),
                 lambda: os.setxattr(path, 'user.x', b'x'), lambda: os.unlink(path), lambda: os.rename(path, path + '2'),
                 lambda: os.rename('/sandbox/own', path), lambda: os.symlink('/sandbox/own', path + '3'),
                 lambda: os.link(path, '/sandbox/link'), lambda: os.link(path, path + '4'),
                 lambda: os.mkdir(path + '5'), lambda: os.mkfifo(path + '6'),
                 lambda: os.posix_fallocate(os.open(path, os.O_RDONLY), 0, 1 << 20)):
        open('/sandbox/own', 'w').write('own')
        say(tried(what), path, what.__code__.co_firstlineno)
    say(call({ioctl}, os.open(path, os.O_RDONLY), 0x40086602, b'\\x10' + bytes(7)), path, 'FS_IOC_SETFLAGS')
",
        ioctl = libc::SYS_ioctl
    );
    // Or ENOENT, EBADF, EBUSY, EEXIST, EXDEV, EINVAL, ENOTTY, EROFS, EOPNOTSUPP.
    let no = [1, 2, 9, 13, 16, 17, 18, 22, 25, 30, 95];
    denies(&room, trying(&script).confinement(everything()), &no).await;
    let after = fs::metadata(host.join("file")).expect("it is there");
    let facts = |of: &fs::Metadata| (of.ino(), of.mode(), of.uid(), of.mtime_nsec(), of.nlink());
    assert_eq!(facts(&after), facts(&before));
    assert_eq!(fs::read_to_string(host.join("file")).expect("it is there"), "of the host\n");
    assert_eq!(fs::read_dir(&host).expect("it is there").count(), 1);
}

async fn no_file_that_carries_power_is_made(bench: &Bench) {
    let host = bench.directory("power");
    let mount = Mount { host: host.clone(), inside: "/workspace".into(), access: Access::ReadWrite };
    let room = bench.room_of(SandboxSpec { mounts: vec![mount], ..bench.spec() }).await;
    let script = "
import shutil
for place in ('/workspace', '/sandbox', '/tmp'):
    path = place + '/file'
    shutil.copy('/bin/env', path)
    for mode in (0o4755, 0o2755, 0o2711, 0o6755, 0o7777):
        say(tried(os.chmod, path, mode), place, 'chmod', oct(mode))
        say(tried(os.fchmod, os.open(path, os.O_RDONLY), mode), place, 'fchmod', oct(mode))
        say(call(452, -100, path.encode(), mode, 0), place, 'fchmodat2', oct(mode))
        say(tried(os.open, place + '/new', os.O_CREAT | os.O_WRONLY, mode), place, 'open', oct(mode))
        say(tried(os.open, place, os.O_TMPFILE | os.O_WRONLY, mode), place, 'unnamed', oct(mode))
        say(tried(os.mknod, place + '/new', 0o100000 | mode), place, 'mknod', oct(mode))
    # struct vfs_cap_data of linux/capability.h: every capability, at once.
    power = bytes([1, 0, 0, 2]) + b'\\xff' * 16
    for name in ('security.capability', 'security.ima', 'trusted.overlay.opaque', 'system.posix_acl_default'):
        say(tried(os.setxattr, path, name, power), place, name)
    for user in (0, 1, 65534): say(tried(os.chown, path, user, user), place, 'chown', user)
";
    // Or EINVAL, EOVERFLOW for a user that the mount does not know, EOPNOTSUPP.
    denies(&room, trying(script).confinement(everything()), &[1, 13, 22, 38, 75, 95]).await;
    let owner = fs::metadata(&host).expect("it is there").uid();
    for found in fs::read_dir(&host).expect("it is there").flatten() {
        let found = found.metadata().expect("it is there");
        assert_eq!((found.mode() & 0o6000, found.uid()), (0, owner));
    }
}

/// Such as `su` of an image: whoever starts it stays who it was.
async fn a_file_that_carries_power_gives_none(bench: &Bench) {
    let host = bench.directory("owned");
    let program = host.join("id");
    fs::copy("/usr/bin/id", &program).expect("every machine has it");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o6755)).expect("ours");
    std::os::unix::fs::chown(&host, Some(0), Some(0)).expect("root");
    let mount = Mount { host: host.clone(), inside: "/workspace".into(), access: Access::ReadOnly };
    let room = bench.room_of(SandboxSpec { mounts: vec![mount], ..bench.spec() }).await;
    let said = room.tries(crate::room::program("/workspace/id").arg("-u").confinement(everything())).await;
    assert_eq!(said, "1000\n");
}
