//! Files: what is granted works, everything else is EACCES.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use libc::{EACCES, EPERM, EXDEV};

use packhost_confine::{ConfineError, Wall};

use super::scene::{House, Outcome, Scene, USER, c_path, call, confine, denied, is_root, scene, with, works};

pub(crate) const SCENES: &[Scene] = &[
    scene("files_that_are_not_granted_are_out_of_reach", outside),
    scene("read_only_files_are_read_and_run_but_not_written", read_only),
    scene("writable_directories_work_fully", read_write),
    scene("no_pipe_and_no_socket_is_made_in_a_plain_directory", plain),
    scene("what_is_granted_above_a_plain_directory_is_plain", above_plain),
    scene("nothing_is_moved_or_linked_out_or_in", moved),
    scene("a_link_gives_no_more_than_what_it_leads_to", links),
    scene("no_device_node_is_made", devices),
    scene("what_every_program_needs_of_dev_is_there", dev),
    scene("a_disk_device_takes_no_ioctl", ioctl).since(5),
    scene("a_mode_is_changed_by_its_owner_alone_and_landlock_does_not_mind", modes),
    scene("a_granted_file_is_granted_without_its_directory", single_file),
    scene("a_granted_path_is_not_led_elsewhere_by_the_program", led_elsewhere).for_root(),
    scene("proc_is_closed_unless_granted", proc),
];

fn truncate(path: &Path) -> std::io::Result<i64> {
    let path = c_path(path);
    call(libc::SYS_truncate, with([path.as_ptr() as i64, 0]))
}

fn outside(house: &House) -> Outcome {
    let open = File::open(house.outside.join("f"))?;
    house.confine()?;
    for path in ["/etc/passwd", "/etc/shadow", "/etc/hostname", "/", "/etc", "/root", "/proc", "/sys", "/tmp"]
    {
        if Path::new(path).exists() {
            denied(EACCES, File::open(path));
        }
    }
    denied(EACCES, fs::read_dir(&house.outside));
    denied(EACCES, fs::read(house.outside.join("f")));
    denied(EACCES, fs::write(house.outside.join("f"), "x"));
    denied(EACCES, fs::write(house.outside.join("new"), "x"));
    denied(EACCES, fs::create_dir(house.outside.join("new")));
    denied(EACCES, fs::remove_file(house.outside.join("f")));
    denied(EACCES, truncate(&house.outside.join("f")));
    denied(EACCES, File::open(house.write.join("../outside/f")));
    // What the parent leaves open stays open: that is the supervisor's to mind.
    let mut text = String::new();
    (&open).read_to_string(&mut text)?;
    assert_eq!(text, "outside");
    Ok(())
}

fn read_only(house: &House) -> Outcome {
    fs::copy("/bin/true", house.read.join("true"))?;
    house.confine()?;
    let f = house.read.join("f");
    assert_eq!(fs::read_to_string(&f)?, "read");
    assert_eq!(fs::read_dir(&house.read)?.count(), 2);
    works(&house.read.join("true").to_string_lossy(), &[])?;
    denied(EACCES, OpenOptions::new().write(true).open(&f));
    denied(EACCES, OpenOptions::new().append(true).open(&f));
    denied(EACCES, OpenOptions::new().read(true).write(true).truncate(true).open(&f));
    denied(EACCES, truncate(&f));
    denied(EACCES, fs::write(house.read.join("new"), "x"));
    denied(EACCES, fs::remove_file(&f));
    denied(EACCES, fs::rename(&f, house.read.join("g")));
    denied(EACCES, symlink("f", house.read.join("g")));
    denied(EACCES, UnixListener::bind(house.read.join("socket")));
    assert_eq!(fs::read_to_string(&f)?, "read");
    Ok(())
}

fn read_write(house: &House) -> Outcome {
    house.confine()?;
    fs::create_dir("d")?;
    fs::write("d/a", "#!/bin/sh\necho ran\n")?;
    fs::set_permissions("d/a", fs::Permissions::from_mode(0o755))?;
    assert_eq!(works("d/a", &[])?, "ran");
    fs::rename("d/a", "b")?;
    fs::hard_link("b", "d/c")?;
    symlink("b", "s")?;
    truncate(Path::new("s"))?;
    assert_eq!(fs::read("d/c")?, b"");
    let _socket = UnixListener::bind("socket")?;
    std::os::unix::net::UnixStream::connect("socket")?;
    call(
        libc::SYS_mknodat,
        with([libc::AT_FDCWD.into(), c"fifo".as_ptr() as i64, (libc::S_IFIFO | 0o600).into()]),
    )?;
    for name in ["b", "d/c", "s", "socket", "fifo"] {
        fs::remove_file(name)?;
    }
    Ok(fs::remove_dir("d")?)
}

fn node(path: &str, kind: u32) -> std::io::Result<i64> {
    let path = c_path(Path::new(path));
    call(libc::SYS_mknodat, with([libc::AT_FDCWD.into(), path.as_ptr() as i64, (kind | 0o600).into()]))
}

fn plain(house: &House) -> Outcome {
    let (own, shared) = (house.write.join("own"), house.write.join("shared"));
    for directory in [&own, &shared] {
        fs::create_dir(directory)?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o777))?;
    }
    let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec().into();
    let mut confinement = house.confinement();
    confinement.read_write = vec![bytes(&own), bytes(&shared)];
    confinement.plain = vec![bytes(&shared)];
    confine(&confinement)?;
    std::env::set_current_dir(&house.write)?;
    for kind in [libc::S_IFIFO, libc::S_IFSOCK] {
        node("own/node", kind)?;
        denied(EACCES, node("shared/node", kind));
        denied(EACCES, fs::rename("own/node", "shared/node"));
        denied(EACCES, fs::hard_link("own/node", "shared/node"));
        fs::remove_file("own/node")?;
    }
    denied(EACCES, UnixListener::bind("shared/socket"));
    for kind in [libc::S_IFCHR, libc::S_IFBLK] {
        denied(EPERM, node("shared/node", kind));
    }
    fs::write("shared/file", "")?;
    fs::rename("shared/file", "own/file")?;
    symlink("file", "shared/link")?;
    Ok(fs::create_dir("shared/directory")?)
}

fn above_plain(house: &House) -> Outcome {
    let mut confinement = house.confinement();
    confinement.plain = vec![house.write.join("shared").as_os_str().as_bytes().to_vec().into()];
    fs::create_dir(house.write.join("shared"))?;
    fs::set_permissions(house.write.join("shared"), fs::Permissions::from_mode(0o777))?;
    confine(&confinement)?;
    std::env::set_current_dir(&house.write)?;
    denied(EACCES, node("shared/pipe", libc::S_IFIFO));
    denied(EACCES, node("pipe", libc::S_IFIFO));
    Ok(fs::write("shared/file", "")?)
}

fn moved(house: &House) -> Outcome {
    house.confine()?;
    denied(EACCES, fs::rename("f", house.outside.join("g")));
    denied(EACCES, fs::hard_link("f", house.outside.join("g")));
    denied(EACCES, fs::rename(house.outside.join("f"), "g"));
    // EXDEV: programs then copy, which they may as far as they may read.
    denied(EXDEV, fs::hard_link(house.outside.join("f"), "g"));
    denied(EXDEV, fs::hard_link(house.read.join("f"), "g"));
    denied(EACCES, fs::rename(house.read.join("f"), "g"));
    denied(EACCES, fs::rename("f", house.read.join("f")));
    Ok(())
}

fn links(house: &House) -> Outcome {
    symlink("/etc/passwd", house.read.join("earlier"))?;
    house.confine()?;
    symlink(house.outside.join("f"), "out")?;
    symlink(&house.outside, "out-dir")?;
    denied(EACCES, fs::read("out"));
    denied(EACCES, fs::write("out", "x"));
    denied(EACCES, fs::read("out-dir/f"));
    denied(EACCES, fs::read(house.read.join("earlier")));
    symlink(house.read.join("f"), "to-read")?;
    assert_eq!(fs::read_to_string("to-read")?, "read");
    denied(EACCES, fs::write("to-read", "x"));
    Ok(())
}

fn devices(house: &House) -> Outcome {
    house.confine()?;
    let null = i64::try_from(libc::makedev(1, 3))?;
    for kind in [libc::S_IFCHR, libc::S_IFBLK] {
        let mode = i64::from(kind | 0o666);
        denied(
            EPERM,
            call(libc::SYS_mknodat, with([libc::AT_FDCWD.into(), c"n".as_ptr() as i64, mode, null])),
        );
        #[cfg(target_arch = "x86_64")]
        denied(EPERM, call(libc::SYS_mknod, with([c"n".as_ptr() as i64, mode, null])));
    }
    Ok(())
}

fn dev(house: &House) -> Outcome {
    house.confine()?;
    let open = |name: &str| OpenOptions::new().read(true).write(true).open(Path::new("/dev").join(name));
    open("null")?.write_all(b"x")?;
    let mut bytes = [1; 16];
    open("zero")?.read_exact(&mut bytes)?;
    assert_eq!(bytes, [0; 16]);
    denied(libc::ENOSPC, open("full")?.write_all(b"x"));
    open("random")?.read_exact(&mut bytes)?;
    open("urandom")?.read_exact(&mut bytes)?;
    denied(EACCES, fs::read_dir("/dev"));
    denied(EACCES, fs::write("/dev/shm/confine", "x"));
    Ok(())
}

fn ioctl(house: &House) -> Outcome {
    house.confine()?;
    let random = File::open("/dev/urandom")?;
    // RNDGETENTCNT, random(4), which anyone may ask elsewhere.
    let mut count = 0_i32;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&random);
    denied(EACCES, call(libc::SYS_ioctl, with([fd.into(), 0x8004_5200, (&raw mut count) as i64])));
    Ok(())
}

fn modes(house: &House) -> Outcome {
    house.confine()?;
    fs::set_permissions(house.read.join("f"), fs::Permissions::from_mode(0o600))?;
    fs::set_permissions(house.outside.join("f"), fs::Permissions::from_mode(0o600))?;
    if is_root() || Path::new("/usr/bin/env").exists() {
        denied(EPERM, fs::set_permissions("/usr/bin/env", fs::Permissions::from_mode(0o777)));
        denied(EPERM, std::os::unix::fs::chown("/usr/bin/env", Some(1000), None));
    }
    Ok(())
}

fn single_file(house: &House) -> Outcome {
    use std::os::unix::ffi::OsStrExt;

    let mut confinement = house.confinement();
    confinement.read_only.push(house.outside.join("f").as_os_str().as_bytes().to_vec().into());
    confinement.read_only.push(b"/no/such/path".to_vec().into());
    confinement.read_only.push(house.outside.join("f/below-a-file").as_os_str().as_bytes().to_vec().into());
    super::scene::confine(&confinement)?;
    assert_eq!(fs::read_to_string(house.outside.join("f"))?, "outside");
    denied(EACCES, fs::read_dir(&house.outside));
    Ok(())
}

/// What one program leaves behind must not widen the wall of the next.
fn led_elsewhere(house: &House) -> Outcome {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::lchown;

    let link = house.write.join("tools");
    symlink(&house.outside, &link)?;
    let mut confinement = house.confinement();
    confinement.read_only.push(link.join("f").as_os_str().as_bytes().to_vec().into());
    lchown(&link, Some(USER.uid), Some(USER.gid))?;
    let refusal = Wall::prepare(&confinement).expect_err("the link is the program's");
    assert!(matches!(&refusal, ConfineError::Path { path, .. } if *path == link.join("f")), "{refusal}");

    // The same link of root's, as they are in any image.
    lchown(&link, Some(0), Some(0))?;
    super::scene::confine(&confinement)?;
    assert_eq!(fs::read_to_string(house.outside.join("f"))?, "outside");
    Ok(())
}

fn proc(house: &House) -> Outcome {
    house.confine()?;
    assert_eq!(works("/bin/sh", &["-c", "cat /proc/self/status /proc/meminfo 2>&1 | grep -c denied"])?, "2");
    // Open files are found through /proc/self/fd all the same.
    assert_eq!(works("/bin/sh", &["-c", "echo seen | cat /dev/stdin"])?, "seen");
    Ok(())
}
