//! Raising the walls, and asking the kernel what stands.

use std::fs;
use std::io;

use crate::plan::{Plan, Requirement};
use crate::status::{InForce, Lack, Landlock, Seccomp, Status};
use crate::{MINIMUM_LANDLOCK_ABI, WallsError, landlock, seccomp};

/// Confines this process to `plan`, for good. Call it last in start-up, before the first thread; needs `/proc`.
///
/// With [`Requirement::BestEffort`] a kernel without seccomp or Landlock is no error, but a path that cannot be granted or a rule
/// that the kernel refuses still is: those are mistakes in the plan or here, not a lack.
pub fn raise(plan: &Plan, requirement: Requirement) -> Result<InForce, WallsError> {
    if requirement == Requirement::Off {
        return Ok(InForce::default());
    }
    let threads = threads().map_err(|source| WallsError::Kernel { asked: "/proc/self/task", source })?;
    if threads != 1 {
        return Err(WallsError::Threads(threads));
    }
    let abi = landlock::kernel_abi();
    let filter = seccomp::available();
    let lacking: Vec<Lack> = [lacks_landlock(&abi), lacks_seccomp(&filter)].into_iter().flatten().collect();
    if requirement == Requirement::Required && !lacking.is_empty() {
        let lacking: Vec<String> = lacking.iter().map(Lack::to_string).collect();
        return Err(WallsError::Lacking(lacking.join("; and ")));
    }

    forgo_privileges()?;
    let mut in_force = InForce { lacking, ..InForce::default() };
    if let Ok(abi) = abi {
        in_force.skipped = landlock::raise(plan)?;
        in_force.landlock = Some(Landlock { abi, missing: landlock::missing(abi, plan, filter.is_ok()) });
    }
    // Last: the filters need nothing from Landlock, and make no call that they deny.
    if filter.is_ok() {
        in_force.seccomp = Some(Seccomp { denied: seccomp::raise(plan)? });
    }
    confirm(in_force)
}

/// Asks the kernel what is in force for the calling thread. Fails when `/proc/thread-self/status` cannot be read.
pub fn status() -> io::Result<Status> {
    let text = fs::read_to_string("/proc/thread-self/status")?;
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse::<u32>().ok())
    };
    let filtering = field("Seccomp") == Some(libc::SECCOMP_MODE_FILTER);
    Ok(Status {
        no_new_privs: field("NoNewPrivs") == Some(1),
        seccomp_filters: if filtering { field("Seccomp_filters").unwrap_or(1) } else { 0 },
        landlock_abi: landlock::kernel_abi().unwrap_or(0),
        landlock_confined: fs::read_dir("/")
            .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied),
    })
}

/// What was asked for is one thing; the banner shows what the kernel confirms.
fn confirm(mut in_force: InForce) -> Result<InForce, WallsError> {
    // A plan need not grant /proc, so no answer is no proof of failure: the calls themselves have succeeded.
    let Ok(now) = status() else {
        in_force.no_new_privs = true;
        return Ok(in_force);
    };
    in_force.no_new_privs = now.no_new_privs;
    if !now.no_new_privs {
        return Err(WallsError::NotEnforced("no-new-privileges"));
    }
    if in_force.seccomp.is_some() && now.seccomp_filters == 0 {
        return Err(WallsError::NotEnforced("seccomp"));
    }
    Ok(in_force)
}

fn threads() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}

fn forgo_privileges() -> Result<(), WallsError> {
    // SAFETY: takes no pointers and sets one flag of this thread, from which all later ones inherit.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } == 0 {
        return Ok(());
    }
    Err(WallsError::Kernel { asked: "prctl(PR_SET_NO_NEW_PRIVS)", source: io::Error::last_os_error() })
}

fn lacks_landlock(abi: &Result<u32, io::Error>) -> Option<Lack> {
    let (what, fix) = match abi {
        Ok(abi) if *abi >= MINIMUM_LANDLOCK_ABI => return None,
        Ok(abi) => (
            format!(
                "this kernel has Landlock ABI {abi}, and ABI {MINIMUM_LANDLOCK_ABI} is the first that can hold TCP ports"
            ),
            "Linux 6.7 or newer has it",
        ),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            ("this kernel has Landlock switched off".into(), "add landlock to the lsm= boot parameter")
        }
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => (
            "Landlock is kept from this process, as by the seccomp profile of a container".into(),
            "let that profile allow the landlock_* calls",
        ),
        Err(_) => ("this kernel has no Landlock".into(), "Linux 6.7 or newer has what is needed"),
    };
    Some(Lack { what, fix })
}

fn lacks_seccomp(filter: &Result<(), io::Error>) -> Option<Lack> {
    filter.as_ref().err().map(|error| Lack {
        what: format!("this kernel cannot filter system calls by seccomp ({error})"),
        fix: "Linux with CONFIG_SECCOMP_FILTER can, unless a container keeps the call from it",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_is_lacking_and_what_to_do() {
        assert_eq!(lacks_landlock(&Ok(MINIMUM_LANDLOCK_ABI)), None);
        let said = |abi| lacks_landlock(&abi).map(|lack| lack.to_string()).unwrap_or_default();
        let failed = |errno| Err(io::Error::from_raw_os_error(errno));
        let old = said(Ok(3));
        assert!(old.contains("ABI 3") && old.contains("ABI 4") && old.contains("Linux 6.7"), "{old}");
        for (errno, what, fix) in [
            (libc::EOPNOTSUPP, "switched off", "lsm="),
            (libc::EPERM, "seccomp profile", "landlock_*"),
            (libc::ENOSYS, "no Landlock", "Linux 6.7"),
        ] {
            let sentence = said(failed(errno));
            assert!(sentence.contains(what) && sentence.contains(fix), "{sentence}");
        }
    }
}
