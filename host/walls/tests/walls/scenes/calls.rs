//! System calls: every line of the list, on the real kernel.

use std::process::Command;
use std::thread;

use libc::{EACCES, ENOSYS, EPERM};
use packhost_walls::{Answer, Connect, Plan, Requirement, WallsError, denials, raise, status};

use super::{Outcome, SCENE, Scene, c, denied, scene, up};

/// The scene that makes one call of the list and must not live to tell.
pub(crate) const ONE_KILLED: &str = "one_killed";

#[cfg(target_arch = "x86_64")]
const X32: &str = "x32";

pub(crate) const SCENES: &[Scene] = &[
    scene("every_listed_call_is_denied", every_listed),
    scene("a_listed_call_is_denied_in_later_threads", later_threads),
    scene("no_program_can_be_started", no_programs),
    scene("no_namespace_by_clone", no_namespaces),
    scene("no_typing_into_the_terminal", no_typing),
    scene("too_late_with_two_threads", too_late),
    scene("reported_as_the_kernel_has_it", reported),
    scene("off_changes_nothing", off),
    Scene { name: ONE_KILLED, run: one_killed, signal: Some(libc::SIGSYS) },
];

/// The calls that end the process, by name.
pub(crate) fn killed() -> impl Iterator<Item = &'static str> {
    let listed = denials().filter(|denial| denial.answer == Answer::Kill).map(|denial| denial.call);
    #[cfg(target_arch = "x86_64")]
    let listed = listed.chain([X32]);
    listed
}

/// Every argument 0: harmless even where the filter is missing, which is why the walls are proven to stand first.
fn call(number: i64) -> std::io::Result<i64> {
    // SAFETY: no argument is a valid pointer, so the kernel can write nowhere.
    c(unsafe { libc::syscall(number, 0, 0, 0, 0, 0, 0) })
}

fn every_listed() -> Outcome {
    let in_force = up(&Plan::default())?;
    let mut count = 0;
    for denial in denials() {
        let with = match denial.answer {
            Answer::Eperm => EPERM,
            Answer::Enosys => ENOSYS,
            Answer::Kill => continue,
        };
        match call(denial.number) {
            Err(error) if error.raw_os_error() == Some(with) => count += 1,
            other => panic!("{}: {other:?}", denial.call),
        }
    }
    assert!(count > 60, "{count}");
    assert!(in_force.seccomp.is_some_and(|filter| filter.denied > count));
    Ok(())
}

fn one_killed() -> Outcome {
    let name = std::env::var(SCENE)?.split(' ').nth(1).map(str::to_owned).ok_or("no call named")?;
    up(&Plan::default())?;
    #[cfg(target_arch = "x86_64")]
    if name == X32 {
        call(0x4000_0000 | libc::SYS_getpid)?;
        return Ok(());
    }
    let denial = denials().find(|denial| denial.call == name).ok_or("not on the list")?;
    call(denial.number)?;
    Ok(())
}

fn later_threads() -> Outcome {
    up(&Plan::default())?;
    let inside = || {
        denied(EPERM, call(libc::SYS_unshare));
        denied(EACCES, std::fs::read("/etc/passwd"));
    };
    thread::spawn(move || {
        inside();
        thread::spawn(inside).join()
    })
    .join()
    .map_err(|_| "thread")?
    .map_err(|_| "thread of a thread")?;
    Ok(())
}

fn no_programs() -> Outcome {
    up(&Plan { read: vec!["/".into()], connect: Connect::Any, ..Plan::default() })?;
    denied(EPERM, Command::new("/bin/true").spawn());
    let arguments = [c"true".as_ptr(), std::ptr::null()];
    // SAFETY: path and arguments are C strings, and the list of them ends in a null pointer.
    denied(EPERM, c(unsafe { libc::execv(c"/bin/true".as_ptr(), arguments.as_ptr()) }));
    // SAFETY: would return twice, and the second process would end in the assertion that follows.
    denied(EPERM, c(unsafe { libc::fork() }));
    Ok(())
}

fn no_namespaces() -> Outcome {
    up(&Plan::default())?;
    for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET, libc::CLONE_NEWPID] {
        // SAFETY: denied before any process exists; no argument is a valid pointer.
        let answer = unsafe { libc::syscall(libc::SYS_clone, flag | libc::CLONE_THREAD, 0, 0, 0, 0) };
        denied(EPERM, c(answer));
    }
    Ok(())
}

fn no_typing() -> Outcome {
    up(&Plan::default())?;
    const TIOCLINUX: libc::Ioctl = 0x541c;
    for request in [libc::TIOCSTI, libc::TIOCSETD, TIOCLINUX] {
        // SAFETY: denied before the kernel reads the pointer, which points to a byte.
        denied(EPERM, c(unsafe { libc::ioctl(0, request, c"x".as_ptr()) }));
    }
    Ok(())
}

fn too_late() -> Outcome {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let second = thread::spawn(move || stopped.recv());
    for requirement in [Requirement::Required, Requirement::BestEffort] {
        assert!(matches!(raise(&Plan::default(), requirement), Err(WallsError::Threads(2))));
    }
    assert!(!status()?.no_new_privs);
    drop(stop);
    assert!(second.join().map_err(|_| "thread")?.is_err());
    std::fs::read("/etc/passwd")?;
    Ok(())
}

fn reported() -> Outcome {
    let before = status()?;
    assert!(!before.landlock_confined && !before.no_new_privs, "{before}");
    let in_force = up(&Plan::for_host())?;
    let after = status()?;
    assert!(after.no_new_privs && after.landlock_confined, "{after}");
    assert!(after.seccomp_filters > before.seccomp_filters, "{after:?}");
    assert_eq!(in_force.landlock.as_ref().map(|rules| rules.abi), Some(after.landlock_abi));
    let line = format!("walls: seccomp on · landlock on (ABI {}) · no-new-privs on", after.landlock_abi);
    assert_eq!(after.to_string(), line);
    assert!(in_force.to_string().starts_with(&line), "{in_force}");
    let json = serde_json::to_value(&in_force)?;
    assert_eq!(json["no_new_privs"], true);
    assert_eq!(json["landlock"]["abi"], after.landlock_abi);
    thread::spawn(move || assert_eq!(status().ok(), Some(after))).join().map_err(|_| "thread")?;
    Ok(())
}

fn off() -> Outcome {
    let before = status()?;
    let in_force = raise(&Plan::default(), Requirement::Off)?;
    assert_eq!(in_force.to_string(), "walls: seccomp off · landlock off · no-new-privs off");
    assert_eq!(status()?, before);
    assert!(Command::new("/bin/true").status()?.success());
    Ok(())
}
