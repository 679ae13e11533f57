//! Kernels that lack something: a filter of the test's own makes this one answer as they do.

use packhost_walls::{Plan, Requirement, WallsError, raise, status};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use super::{Outcome, Scene, scene};

pub(crate) const SCENES: &[Scene] = &[
    scene("required_refuses_without_landlock", required_without_landlock),
    scene("required_says_when_landlock_is_switched_off", landlock_switched_off),
    scene("required_refuses_without_seccomp", required_without_seccomp),
    scene("best_effort_goes_on_without_landlock", best_effort_without_landlock),
    scene("best_effort_goes_on_without_seccomp", best_effort_without_seccomp),
];

/// From here on `call` answers `errno`.
fn lose(call: i64, errno: i32) -> Outcome {
    let answer = SeccompAction::Errno(errno.cast_unsigned());
    let filter = SeccompFilter::new(
        [(call, vec![])].into(),
        SeccompAction::Allow,
        answer,
        std::env::consts::ARCH.try_into()?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program)?;
    Ok(())
}

fn refusal(plan: &Plan) -> Result<String, Box<dyn std::error::Error>> {
    match raise(plan, Requirement::Required) {
        Err(error @ WallsError::Lacking(_)) => Ok(error.to_string()),
        other => Err(format!("{other:?}").into()),
    }
}

fn required_without_landlock() -> Outcome {
    lose(libc::SYS_landlock_create_ruleset, libc::ENOSYS)?;
    let before = status()?;
    let sentence = refusal(&Plan::default())?;
    assert!(sentence.contains("walls are required") && sentence.contains("no Landlock"), "{sentence}");
    assert_eq!(status()?, before);
    std::fs::read("/etc/passwd")?;
    Ok(())
}

fn landlock_switched_off() -> Outcome {
    lose(libc::SYS_landlock_create_ruleset, libc::EOPNOTSUPP)?;
    let sentence = refusal(&Plan::default())?;
    assert!(sentence.contains("switched off") && sentence.contains("lsm="), "{sentence}");
    Ok(())
}

fn required_without_seccomp() -> Outcome {
    lose(libc::SYS_seccomp, libc::ENOSYS)?;
    let sentence = refusal(&Plan::default())?;
    assert!(sentence.contains("cannot filter system calls"), "{sentence}");
    std::fs::read("/etc/passwd")?;
    Ok(())
}

fn best_effort_without_landlock() -> Outcome {
    lose(libc::SYS_landlock_create_ruleset, libc::ENOSYS)?;
    let in_force = raise(&Plan::default(), Requirement::BestEffort)?;
    assert!(in_force.no_new_privs && in_force.seccomp.is_some() && in_force.landlock.is_none());
    assert_eq!(in_force.to_string(), "walls: seccomp on · landlock off · no-new-privs on");
    assert!(matches!(in_force.lacking.as_slice(), [one] if one.what.contains("no Landlock")), "{in_force:?}");
    assert!(std::process::Command::new("/bin/true").spawn().is_err());
    Ok(())
}

fn best_effort_without_seccomp() -> Outcome {
    lose(libc::SYS_seccomp, libc::ENOSYS)?;
    let stands_alone = status()?.landlock_abi >= 10;
    let in_force = raise(&Plan::default(), Requirement::BestEffort)?;
    assert!(in_force.no_new_privs && in_force.seccomp.is_none());
    assert!(matches!(in_force.lacking.as_slice(), [one] if one.what.contains("seccomp")), "{in_force:?}");
    let missing = in_force.landlock.map(|rules| rules.missing).unwrap_or_default();
    assert_eq!(missing.contains(&"UDP ports"), !stands_alone, "{missing:?}");
    assert!(std::fs::read("/etc/passwd").is_err());
    Ok(())
}
