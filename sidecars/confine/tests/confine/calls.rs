//! The seccomp list, call by call.

use std::fs::File;
use std::os::fd::AsRawFd;

use libc::EPERM;
use packhost_confine::{Answer, list};

use super::scene::{House, Outcome, Scene, call, denied, scene, with};

pub(crate) const SCENES: &[Scene] = &[
    scene("every_call_of_the_list_meets_its_answer", whole),
    scene("no_namespace_is_made", namespaces),
    scene("personality_is_ordinary_or_denied", personality),
    scene("nothing_is_typed_into_a_terminal", terminals),
    scene("no_file_is_made_set_user_id", set_user_id),
    scene("no_lease_is_taken", leases),
    scene("seccomp_holds_before_the_kernels_own_checks", before_the_kernel),
    #[cfg(target_arch = "x86_64")]
    scene("a_32_bit_call_ends_the_process", int80).ended_by(libc::SIGSYS),
    #[cfg(target_arch = "x86_64")]
    scene("an_x32_call_ends_the_process", x32).ended_by(libc::SIGSYS),
];

fn whole(house: &House) -> Outcome {
    house.confine()?;
    for denial in list().filter(|denial| denial.when.is_empty()) {
        let error = call(denial.number, [0; 6]).expect_err(denial.call);
        assert_eq!(error.raw_os_error(), Some(denial.answer.errno()), "{}: {error}", denial.call);
    }
    Ok(())
}

/// Calls that need no capability, with arguments that the kernel would take: only the filter can say no.
fn before_the_kernel(house: &House) -> Outcome {
    house.confine()?;
    let me = i64::from(std::process::id());
    denied(EPERM, call(libc::SYS_ptrace, with([libc::PTRACE_TRACEME.into()])));
    denied(EPERM, call(libc::SYS_kcmp, with([me, me, 1])));
    denied(EPERM, call(libc::SYS_keyctl, with([0, -3])));
    let mut parameters = [0_u64; 16];
    denied(EPERM, call(libc::SYS_io_uring_setup, with([4, parameters.as_mut_ptr() as i64])));
    denied(EPERM, call(libc::SYS_setns, with([0, 0])));
    denied(EPERM, call(libc::SYS_fanotify_init, with([0x200, 0])));
    let enosys = list().find(|denial| denial.call == "clone3").expect("it is in the list");
    assert_eq!(enosys.answer, Answer::Enosys);
    Ok(())
}

fn namespaces(house: &House) -> Outcome {
    house.confine()?;
    for flag in [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ] {
        denied(EPERM, call(libc::SYS_unshare, with([flag.into()])));
        denied(EPERM, call(libc::SYS_unshare, with([(flag | libc::CLONE_NEWUSER | libc::CLONE_FS).into()])));
        denied(EPERM, call(libc::SYS_clone, with([(flag | libc::SIGCHLD).into()])));
    }
    denied(EPERM, call(libc::SYS_unshare, with([0x80])));
    // Ordinary uses of both.
    call(libc::SYS_unshare, with([(libc::CLONE_FS | libc::CLONE_FILES).into()]))?;
    std::thread::spawn(|| {}).join().expect("threads are made");
    Ok(())
}

fn personality(house: &House) -> Outcome {
    const ADDR_NO_RANDOMIZE: i64 = 0x0004_0000;
    const READ_IMPLIES_EXEC: i64 = 0x0040_0000;
    house.confine()?;
    for odd in [ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE | 8, 7] {
        denied(EPERM, call(libc::SYS_personality, with([odd])));
    }
    for ordinary in [0xffff_ffff, 8, 0] {
        call(libc::SYS_personality, with([ordinary]))?;
    }
    Ok(())
}

fn terminals(house: &House) -> Outcome {
    house.confine()?;
    // The program's own terminal, made behind the wall.
    let master = File::options().read(true).write(true).open("/dev/ptmx")?;
    let (byte, discipline) = (b'x', 0_i32);
    let fd = i64::from(master.as_raw_fd());
    denied(EPERM, call(libc::SYS_ioctl, with([fd, libc::TIOCSTI as i64, (&raw const byte) as i64])));
    // The kernel reads 32 bits of the request: what is above them must not get it past the filter.
    let padded = libc::TIOCSTI as i64 | 1 << 40;
    denied(EPERM, call(libc::SYS_ioctl, with([fd, padded, (&raw const byte) as i64])));
    denied(EPERM, call(libc::SYS_ioctl, with([fd, 0x541c, (&raw const byte) as i64])));
    denied(EPERM, call(libc::SYS_ioctl, with([fd, libc::TIOCSETD as i64, (&raw const discipline) as i64])));
    let size = [24_u16, 80, 0, 0];
    call(libc::SYS_ioctl, with([fd, libc::TIOCSWINSZ as i64, size.as_ptr() as i64]))?;
    Ok(())
}

/// By any call that takes a mode; all others are as they were.
fn set_user_id(house: &House) -> Outcome {
    house.confine()?;
    let path = |name: &str| std::ffi::CString::new(house.write.join(name).to_string_lossy().as_bytes());
    let (own, new, here) = (path("f")?, path("new")?, path("")?);
    let (own, new, here) = (own.as_ptr() as i64, new.as_ptr() as i64, here.as_ptr() as i64);
    let file = File::open(house.write.join("f"))?;
    let (fd, at) = (i64::from(file.as_raw_fd()), i64::from(libc::AT_FDCWD));
    let create = i64::from(libc::O_CREAT | libc::O_WRONLY);
    let unnamed = i64::from(libc::O_TMPFILE | libc::O_WRONLY);
    for power in [0o4755, 0o2755, 0o2711, 0o6777] {
        denied(EPERM, call(libc::SYS_fchmod, with([fd, power])));
        denied(EPERM, call(libc::SYS_fchmodat, with([at, own, power])));
        denied(EPERM, call(452, with([at, own, power, 0])));
        denied(EPERM, call(libc::SYS_openat, with([at, new, create, power])));
        denied(EPERM, call(libc::SYS_openat, with([at, here, unnamed, power])));
        denied(EPERM, call(libc::SYS_mknodat, with([at, new, i64::from(libc::S_IFREG) | power, 0])));
        #[cfg(target_arch = "x86_64")]
        {
            denied(EPERM, call(libc::SYS_chmod, with([own, power])));
            denied(EPERM, call(libc::SYS_open, with([new, create, power])));
            denied(EPERM, call(libc::SYS_open, with([here, unnamed, power])));
            denied(EPERM, call(libc::SYS_creat, with([new, power])));
            denied(EPERM, call(libc::SYS_mknod, with([new, i64::from(libc::S_IFREG) | power, 0])));
        }
    }
    call(libc::SYS_fchmodat, with([at, own, 0o1777]))?;
    // Without a file to make the mode means nothing.
    call(libc::SYS_openat, with([at, own, i64::from(libc::O_RDONLY), 0o4755]))?;
    call(libc::SYS_openat, with([at, new, create, 0o755]))?;
    Ok(())
}

/// Whoever opens the file would wait. Locks, at which nobody waits who does not ask for one, are as they were.
fn leases(house: &House) -> Outcome {
    const SET_LEASE: i64 = 1024;
    const SET_DELEGATION: i64 = 1024 + 16;
    const READ: i64 = 0;
    let file = File::open(house.write.join("f"))?;
    let fd = i64::from(file.as_raw_fd());
    house.confine()?;
    for command in [SET_LEASE, SET_DELEGATION] {
        denied(EPERM, call(libc::SYS_fcntl, with([fd, command, READ])));
        // The kernel reads 32 bits of the command.
        denied(EPERM, call(libc::SYS_fcntl, with([fd, command | 1 << 40, READ])));
    }
    call(libc::SYS_fcntl, with([fd, libc::F_GETFD.into(), 0]))?;
    call(libc::SYS_flock, with([fd, libc::LOCK_SH.into()]))?;
    Ok(())
}

#[cfg(target_arch = "x86_64")]
fn int80(house: &House) -> Outcome {
    house.confine()?;
    // SAFETY: getpid of the 32-bit table, which takes nothing and changes a register that is named here.
    unsafe { std::arch::asm!("int 0x80", inlateout("eax") 20 => _) };
    Err("the call went through".into())
}

#[cfg(target_arch = "x86_64")]
fn x32(house: &House) -> Outcome {
    house.confine()?;
    let answer = call(libc::SYS_getpid | 0x4000_0000, [0; 6]);
    Err(format!("the call came back: {answer:?}").into())
}
