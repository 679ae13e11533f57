//! What the sandbox uses.

use packhost_supervisor::usage;

#[test]
fn what_is_used_is_more_than_nothing_and_time_does_not_run_back() {
    let before = usage::now();
    assert!(before.memory > 100 * 1024, "{before:?}");
    assert!(before.processes >= 1, "{before:?}");
    assert_eq!(before.execs, 0);
    let mut sum = 0_u64;
    let after = loop {
        for at in 0..1_000_000_u64 {
            sum = std::hint::black_box(sum.wrapping_add(at));
        }
        let after = usage::now();
        assert!(after.cpu_us >= before.cpu_us, "{before:?} {after:?}");
        if after.cpu_us > before.cpu_us {
            break after;
        }
    };
    assert!(after.cpu_us > 0);
}

#[test]
fn a_process_more_is_counted() {
    use std::process::{Command, Stdio};
    // Other tests start and end processes beside this one, sometimes more than it does: not every try can tell.
    let more = (0..50).any(|_| {
        let before = usage::now().processes;
        let mut started: Vec<_> = (0..40)
            .map(|_| Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat"))
            .collect();
        let during = usage::now().processes;
        for one in &mut started {
            drop(one.stdin.take());
            one.wait().expect("it ends");
        }
        during > before
    });
    assert!(more, "40 processes more were never seen");
}
