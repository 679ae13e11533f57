//! Scenes and how they are started.

mod calls;
mod files;
mod kernels;
mod runtime;
mod sockets;

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use packhost_walls::{InForce, Plan, Requirement, raise};

/// Set for the started-again program: the name of its scene.
const SCENE: &str = "WALLS_SCENE";

/// What a scene returns; any error or panic fails its test.
type Outcome = Result<(), Box<dyn std::error::Error>>;

struct Scene {
    name: &'static str,
    run: fn() -> Outcome,
    /// The signal that must end it, where it must not return.
    signal: Option<i32>,
}

const fn scene(name: &'static str, run: fn() -> Outcome) -> Scene {
    Scene { name, run, signal: None }
}

pub(crate) fn main() -> ExitCode {
    let scenes = || {
        [files::SCENES, sockets::SCENES, calls::SCENES, runtime::SCENES, kernels::SCENES]
            .into_iter()
            .flatten()
    };
    if let Ok(wanted) = std::env::var(SCENE) {
        let name = wanted.split(' ').next().unwrap_or_default();
        let Some(scene) = scenes().find(|scene| scene.name == name) else {
            eprintln!("no scene {wanted}");
            return ExitCode::FAILURE;
        };
        return match (scene.run)() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let mut trials: Vec<Trial> = scenes()
        .filter(|scene| scene.name != calls::ONE_KILLED)
        .map(|scene| Trial::test(scene.name, || start(scene.name.to_owned(), scene.signal)))
        .collect();
    trials.extend(calls::killed().map(|call| {
        let wanted = format!("{} {call}", calls::ONE_KILLED);
        Trial::test(format!("killed_by_{call}"), move || start(wanted, Some(libc::SIGSYS)))
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn start(scene: String, signal: Option<i32>) -> Result<(), Failed> {
    let output = Command::new(std::env::current_exe()?).env(SCENE, scene).stdin(Stdio::null()).output()?;
    let as_wanted = match signal {
        Some(_) => output.status.signal() == signal,
        None => output.status.success(),
    };
    if as_wanted {
        return Ok(());
    }
    Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// Raises and insists that all of it stands.
fn up(plan: &Plan) -> Result<InForce, Box<dyn std::error::Error>> {
    let in_force = raise(plan, Requirement::Required)?;
    assert!(
        in_force.no_new_privs && in_force.seccomp.is_some() && in_force.landlock.is_some(),
        "{in_force:?}"
    );
    Ok(in_force)
}

#[track_caller]
fn denied<T>(with: i32, answer: io::Result<T>) {
    match answer {
        Ok(_) => panic!("was not denied"),
        Err(error) => assert_eq!(error.raw_os_error(), Some(with), "{error}"),
    }
}

/// The answer of a C library function that returns -1 and sets errno.
fn c(answer: impl Into<i64>) -> io::Result<i64> {
    match answer.into() {
        -1 => Err(io::Error::last_os_error()),
        answer => Ok(answer),
    }
}
