//! Faults at random under load, many sandboxes at once, and many one after another: nothing is lost, nothing is left.
//!
//! What a host and a machine need is the conformance kit's; the host that faults befall is a copy of this program.

#[allow(dead_code, reason = "behaviours use the rest")]
#[path = "../conformance/bench.rs"]
mod bench;
#[path = "../conformance/cut.rs"]
mod cut;
#[allow(dead_code, reason = "behaviours use the rest")]
#[path = "../conformance/docker.rs"]
mod docker;
mod events;
mod fault;
mod host;
mod load;
#[allow(dead_code, reason = "behaviours use the rest")]
#[path = "../conformance/machine.rs"]
mod machine;
mod need;
#[allow(dead_code, reason = "behaviours use the rest")]
#[path = "../conformance/process.rs"]
mod process;
mod random;
#[allow(dead_code, reason = "behaviours use the rest")]
#[path = "../conformance/room.rs"]
mod room;
mod rounds;
mod soak;
mod ward;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::world::On;

fn main() -> ExitCode {
    if let Some(home) = std::env::var_os(process::ROLE) {
        return process::be_launcher(home.as_ref());
    }
    if let Ok(told) = std::env::var(host::ROLE) {
        return host::be(&told);
    }
    ward::own_mounts();
    let mut arguments = Arguments::from_args();
    // One after another: each counts what this process and the machine have.
    arguments.test_threads = Some(1);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let handle = runtime.handle().clone();
    let trial = |name: &str, can: bool, run: fn(On)| {
        let (on, handle) =
            (if name.starts_with("docker") { On::Docker } else { On::Process }, handle.clone());
        let run = move || {
            let _entered = handle.enter();
            run(on);
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(!can)
    };
    let (processes, containers) = (process::can_be_tried(), docker::can_be_tried());
    let trials = vec![
        trial("process::nothing_is_orphaned_or_lost_whatever_fails", processes, rounds::survives),
        trial("process::a_hundred_sessions_at_once", processes, load::a_hundred_at_once),
        trial("process::many_one_after_another_leave_everything_as_it_was", processes, soak::stays_flat),
        trial("docker::nothing_is_orphaned_or_lost_whatever_fails", containers, rounds::survives),
        trial("docker::many_one_after_another_leave_everything_as_it_was", containers, soak::stays_flat),
    ];
    let wanted = |trial: &Trial| {
        trial.name().starts_with("docker::")
            && !arguments.is_filtered_out(trial)
            && !arguments.is_ignored(trial)
    };
    // On this thread, as all else: the engine ends with the one that started it.
    let engine = (!arguments.list && trials.iter().any(wanted)).then(|| docker::start(&handle));
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(engine);
    conclusion.exit_code()
}
