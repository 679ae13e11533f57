//! Other processes: out of reach.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use libc::{EACCES, EPERM};
use packhost_confine::{Wall, Walls};

use super::scene::{House, Outcome, Scene, USER, call, confine, denied, is_root, scene, with, works};

pub(crate) const SCENES: &[Scene] = &[
    scene("a_process_outside_takes_no_signal", signals).since(6),
    scene("two_programs_of_one_supervisor_do_not_reach_each_other", siblings).since(6),
    scene("a_process_outside_is_not_read", memory),
    scene("proc_shows_nothing_of_a_process_outside", proc),
    scene("the_running_program_is_not_overwritten", own_program),
];

/// A program of the same user that is not confined. It ends when this process does, whose pipe it reads.
fn outsider() -> io::Result<Child> {
    let mut command = Command::new("/bin/cat");
    if is_root() {
        command.uid(USER.uid).gid(USER.gid);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()
}

fn signals(house: &House) -> Outcome {
    let outsider = outsider()?;
    house.confine()?;
    let pid = i64::from(outsider.id());
    for signal in [0, libc::SIGTERM, libc::SIGKILL] {
        denied(EPERM, call(libc::SYS_kill, with([pid, signal.into()])));
    }
    denied(EPERM, call(libc::SYS_tgkill, with([pid, pid, libc::SIGKILL.into()])));
    let pidfd = call(libc::SYS_pidfd_open, with([pid]))?;
    denied(EPERM, call(libc::SYS_pidfd_send_signal, with([pidfd, libc::SIGKILL.into()])));
    // Its own children take signals.
    assert_eq!(works("/bin/sh", &["-c", "cat <&- & kill -0 $$ && echo sent"])?, "sent");
    Ok(())
}

/// Each has a wall of its own, also where it is made of the same rules.
fn siblings(house: &House) -> Outcome {
    let mut confinement = house.confinement();
    confinement.read_only.push(b"/proc".to_vec().into());
    let mut walls = Walls::default();
    let mut wall = Some(walls.prepare(&confinement)?);
    let raise = move || wall.take().map_or(Ok(()), Wall::raise).map_err(io::Error::other);
    let mut command = Command::new("/bin/cat");
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    // SAFETY: this process has one thread, so the child may do what its parent could.
    let sibling = unsafe { command.pre_exec(raise) }.spawn()?;
    walls.prepare(&confinement)?.raise()?;
    denied(EPERM, call(libc::SYS_kill, with([sibling.id().into(), libc::SIGKILL.into()])));
    denied(EACCES, fs::read(format!("/proc/{}/mem", sibling.id())));
    denied(EACCES, fs::read_link(format!("/proc/{}/fd/0", sibling.id())));
    Ok(())
}

fn memory(house: &House) -> Outcome {
    let outsider = outsider()?;
    house.confine()?;
    let pid = i64::from(outsider.id());
    for request in [libc::PTRACE_ATTACH, libc::PTRACE_SEIZE] {
        denied(EPERM, call(libc::SYS_ptrace, with([request.into(), pid])));
    }
    denied(EPERM, call(libc::SYS_process_vm_readv, with([pid])));
    denied(EPERM, call(libc::SYS_process_vm_writev, with([pid])));
    let pidfd = call(libc::SYS_pidfd_open, with([pid]))?;
    denied(EPERM, call(libc::SYS_pidfd_getfd, with([pidfd, 0])));
    Ok(())
}

fn proc(house: &House) -> Outcome {
    let outsider = outsider()?;
    let mut confinement = house.confinement();
    confinement.read_only.push(b"/proc".to_vec().into());
    confine(&confinement)?;
    let of = |file: &str| format!("/proc/{}/{file}", outsider.id());
    for file in ["mem", "maps", "environ", "auxv"] {
        denied(EACCES, fs::read(of(file)));
    }
    for link in ["root", "cwd", "exe", "fd/0"] {
        denied(EACCES, fs::read_link(of(link)));
        denied(EACCES, fs::File::open(of(link)));
    }
    for file in ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory", "/proc/self/mem"] {
        denied(EACCES, fs::OpenOptions::new().write(true).open(file));
    }
    Ok(())
}

fn own_program(house: &House) -> Outcome {
    let shell = house.read.join("shell");
    fs::copy("/bin/sh", &shell)?;
    if is_root() {
        std::os::unix::fs::chown(&shell, Some(USER.uid), Some(USER.gid))?;
    }
    let before = fs::read(&shell)?;
    house.confine()?;
    let script = "exec 3<> /proc/self/exe && echo open";
    let output = super::scene::run(&shell.to_string_lossy(), &["-c", script])?;
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert!(fs::read(&shell)? == before);
    Ok(())
}
