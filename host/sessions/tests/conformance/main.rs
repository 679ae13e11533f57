//! What every backend must do, whichever it is: one list of behaviours, tried on each of them unchanged.
//!
//! A behaviour knows a backend by [`SessionRuntime`](packhost_sessions::SessionRuntime) alone, and by the few words that its
//! [`Place`](bench::Place) says about the machine. What a backend cannot do it must say in its capabilities: a behaviour
//! that asks for it then checks that it is said, and that it is refused.

mod archives;
#[allow(dead_code, reason = "the faults use the rest")]
mod bench;
mod breakout;
mod cut;
#[allow(dead_code, reason = "the faults use the rest")]
mod docker;
mod files;
mod hosts;
mod life;
mod limits;
mod machine;
mod network;
mod page;
#[allow(dead_code, reason = "the faults use the rest")]
mod process;
mod programs;
mod room;
mod streams;
mod terminals;
mod trees;
mod walls;

use std::pin::Pin;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::bench::Bench;

/// One thing that every backend does.
pub(crate) struct Behaviour {
    /// A sentence, with `_` for spaces.
    pub(crate) name: &'static str,
    run: for<'b> fn(&'b Bench) -> Pin<Box<dyn Future<Output = ()> + 'b>>,
}

/// All behaviours, under what they are about.
pub(crate) const ALL: &[(&str, &[Behaviour])] = &[
    ("Programs", programs::BEHAVIOURS),
    ("Standard streams", streams::BEHAVIOURS),
    ("Process trees", trees::BEHAVIOURS),
    ("Terminals", terminals::BEHAVIOURS),
    ("Files", files::BEHAVIOURS),
    ("Archives", archives::BEHAVIOURS),
    ("Network", network::BEHAVIOURS),
    ("Limits", limits::BEHAVIOURS),
    ("Walls and mounts", walls::BEHAVIOURS),
    ("From making to end", life::BEHAVIOURS),
    ("Hosts", hosts::BEHAVIOURS),
    ("Breaking out: the kernel", breakout::kernel::BEHAVIOURS),
    ("Breaking out: what the kernel shows", breakout::proc::BEHAVIOURS),
    ("Breaking out: the supervisor and other processes", breakout::processes::BEHAVIOURS),
    ("Breaking out: sockets", breakout::sockets::BEHAVIOURS),
    ("Breaking out: files", breakout::files::BEHAVIOURS),
    ("Breaking out: races", breakout::races::BEHAVIOURS),
    ("Taking too much", breakout::floods::BEHAVIOURS),
];

/// The behaviours of a module, by the names of their functions.
macro_rules! behaviours {
    ($($name:ident),+ $(,)?) => {
        pub(crate) const BEHAVIOURS: &[crate::Behaviour] =
            &[$(crate::Behaviour::new(stringify!($name), |bench| Box::pin($name(bench)))),+];
    };
}
pub(crate) use behaviours;

impl Behaviour {
    pub(crate) const fn new(
        name: &'static str,
        run: for<'b> fn(&'b Bench) -> Pin<Box<dyn Future<Output = ()> + 'b>>,
    ) -> Self {
        Self { name, run }
    }
}

fn main() -> ExitCode {
    if let Some(home) = std::env::var_os(process::ROLE) {
        return process::be_launcher(home.as_ref());
    }
    let arguments = Arguments::from_args();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let handle = runtime.handle().clone();
    let mut trials = page::trials();
    // nextest starts this program for each trial, and an engine for each takes longer than all that is tried on it.
    let alone = std::env::var_os("NEXTEST").is_some();
    if alone {
        trials
            .push(Trial::test("docker::all", on_docker_together).with_ignored_flag(!docker::can_be_tried()));
    }
    for behaviour in ALL.iter().flat_map(|(_, behaviours)| *behaviours) {
        let run = behaviour.run;
        let (on_process, on_docker) = (handle.clone(), handle.clone());
        let trial = Trial::test(format!("process::{}", behaviour.name), move || {
            on_process.block_on(bench::tried(process::place(), run));
            Ok(())
        });
        trials.push(trial.with_ignored_flag(!process::can_be_tried()));
        if alone {
            continue;
        }
        let trial = Trial::test(format!("docker::{}", behaviour.name), move || {
            on_docker.block_on(bench::tried(docker::place(), run));
            Ok(())
        });
        trials.push(trial.with_ignored_flag(!docker::can_be_tried()));
    }
    let wanted = |trial: &Trial| {
        !alone
            && trial.name().starts_with("docker::")
            && !arguments.is_filtered_out(trial)
            && !arguments.is_ignored(trial)
    };
    // On this thread: the engine ends with the one that started it.
    let engine = (!arguments.list && trials.iter().any(wanted)).then(|| docker::start(&handle));
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(engine);
    conclusion.exit_code()
}

/// Another one of this program, which tries all of them on one engine.
fn on_docker_together() -> Result<(), libtest_mimic::Failed> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    let output = command.arg("docker::").env_remove("NEXTEST").output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        .into())
}
