//! Programs: how they start, what they get, how they end.

use packhost_session_protocol::limits::EXECS;
use packhost_session_protocol::message::Fault;
use packhost_sessions::SandboxLimits;

use crate::bench::{Bench, until};
use crate::room::{fault, program, python, shell};

crate::behaviours![
    an_exit_code_comes_back_as_it_is,
    a_program_that_a_signal_ended_says_which,
    arguments_are_exactly_those_that_were_given,
    the_environment_is_exactly_the_one_that_was_given,
    a_program_starts_in_its_directory,
    a_directory_that_is_not_there_is_said,
    a_program_that_is_not_there_is_said,
    a_file_that_is_no_program_is_said,
    a_program_is_found_in_the_path_that_it_gets,
    a_file_without_an_interpreter_is_no_program,
    a_thousand_programs_run_one_after_another,
    sixty_four_programs_run_at_once,
    more_programs_than_a_sandbox_runs_are_refused,
    a_command_that_is_too_long_is_refused,
    a_program_starts_with_three_descriptors_and_no_signal_blocked,
    what_a_program_used_is_said_at_its_end,
];

async fn an_exit_code_comes_back_as_it_is(bench: &Bench) {
    let room = bench.room().await;
    for code in [0, 1, 2, 126, 127, 128, 255] {
        let exit = room.run(shell(&format!("exit {code}"))).await.exit;
        assert_eq!((exit.code, exit.signal, exit.timed_out), (Some(code), None, false));
    }
}

async fn a_program_that_a_signal_ended_says_which(bench: &Bench) {
    let room = bench.room().await;
    for signal in [1, 2, 3, 4, 6, 8, 9, 10, 11, 13, 14, 15, 31, 34, 64] {
        let exit = room.run(shell(&format!("kill -{signal} $$"))).await.exit;
        assert_eq!((exit.code, exit.signal), (None, Some(signal)));
    }
}

async fn arguments_are_exactly_those_that_were_given(bench: &Bench) {
    let room = bench.room().await;
    let every: Vec<u8> = (1..=255).collect();
    let given: [&[u8]; 8] =
        [b"", b"two words", b"\n", &every, b"$(id) `id` ${HOME} \\ '\"", "ünï ✓".as_bytes(), b"-c", b""];
    let script = "import sys; sys.stdout.buffer.write(open('/proc/self/cmdline', 'rb').read())";
    let finished = room.run(python(script).args(given)).await;
    let expected: Vec<u8> = given.iter().flat_map(|argument| [argument, &b"\0"[..]].concat()).collect();
    assert!(finished.stdout.ends_with(&[script.as_bytes(), b"\0", &expected].concat()), "{finished:?}");
    assert!(finished.stdout.starts_with(b"/usr/bin/python3\0-I\0-S\0-c\0"));
}

async fn the_environment_is_exactly_the_one_that_was_given(bench: &Bench) {
    let mut spec = bench.spec();
    spec.env.insert("OF_THE_SUPERVISOR".into(), "1".into());
    let room = bench.room_of(spec).await;
    let every: Vec<u8> = (1..=255).collect();
    let command = program("env").arg("-0").env("EMPTY", "").env("LINES", "a\nb=c").env("EVERY", &every);
    let finished = room.run(command).await;
    let proxy = |name: &[u8]| name.to_ascii_uppercase().ends_with(b"_PROXY");
    let mut variables: Vec<&[u8]> = finished
        .stdout
        .split(|byte| *byte == 0)
        .filter(|variable| !variable.is_empty())
        .filter(|variable| !proxy(variable.split(|byte| *byte == b'=').next().unwrap_or_default()))
        .collect();
    variables.sort();
    let every = [b"EVERY=", every.as_slice()].concat();
    assert_eq!(variables, [&b"EMPTY="[..], &every, b"LINES=a\nb=c", b"PATH=/usr/bin:/bin"]);
}

async fn a_program_starts_in_its_directory(bench: &Bench) {
    let room = bench.room().await;
    assert_eq!(room.says(program("mkdir").arg("a b\n")).await, "");
    for directory in ["/tmp", "/sandbox", "/sandbox/a b\n"] {
        assert_eq!(room.says(shell("pwd -P").cwd(directory)).await, format!("{directory}\n"));
    }
}

async fn a_directory_that_is_not_there_is_said(bench: &Bench) {
    let room = bench.room().await;
    assert_eq!(fault(room.link.exec(shell("true").cwd("/sandbox/none")).await), Fault::NotFound);
    assert_eq!(fault(room.link.exec(shell("true").cwd("tmp")).await), Fault::Malformed);
    assert_eq!(room.says(shell("echo goes on")).await, "goes on\n");
}

async fn a_program_that_is_not_there_is_said(bench: &Bench) {
    let room = bench.room().await;
    for name in ["/usr/bin/no-such-program", "no-such-program", "/sandbox/none/x"] {
        assert_eq!(fault(room.link.exec(program(name)).await), Fault::NotFound, "{name}");
    }
    assert!(room.link.execs().await.expect("a list").is_empty());
}

async fn a_file_that_is_no_program_is_said(bench: &Bench) {
    let room = bench.room().await;
    room.put("/sandbox/text", b"#!/bin/sh\necho ran\n").await;
    assert_eq!(fault(room.link.exec(program("/sandbox/text")).await), Fault::NotExecutable);
    assert_eq!(room.says(shell("chmod +x text && ./text")).await, "ran\n");
    assert_eq!(room.says(program("/sandbox/text")).await, "ran\n");
}

async fn a_program_is_found_in_the_path_that_it_gets(bench: &Bench) {
    let room = bench.room().await;
    room.put("/sandbox/own/ls", b"#!/bin/sh\necho own\n").await;
    room.says(shell("chmod +x own/ls")).await;
    let mut own = program("ls");
    own.env = vec![b"PATH=/none:/sandbox/own:/usr/bin:/bin".to_vec()];
    assert_eq!(room.says(own).await, "own\n");
    let mut none = program("sh");
    none.env = vec![b"PATH=/sandbox/own".to_vec()];
    assert_eq!(fault(room.link.exec(none).await), Fault::NotFound);
}

async fn a_file_without_an_interpreter_is_no_program(bench: &Bench) {
    let room = bench.room().await;
    for content in [&b"#!/no/such/interpreter\n"[..], b"\x7fELF and nothing of it", b"just words\n"] {
        room.put("/sandbox/x", content).await;
        room.says(shell("chmod +x x")).await;
        let refused = fault(room.link.exec(program("/sandbox/x")).await);
        assert_eq!(refused, Fault::NotExecutable, "{content:?}");
    }
}

async fn a_thousand_programs_run_one_after_another(bench: &Bench) {
    let room = bench.room().await;
    for number in 0..1000_u32 {
        let finished = room.run(program("echo").arg(number.to_string())).await;
        assert_eq!(finished.stdout, format!("{number}\n").into_bytes());
    }
    // The last one is taken off the list when its end was taken note of.
    until("no program is listed", async || room.link.execs().await.expect("a list").is_empty()).await;
    room.quiet().await;
}

async fn sixty_four_programs_run_at_once(bench: &Bench) {
    let spec = bench.spec();
    let limits = SandboxLimits { processes: 200, ..spec.limits };
    let room = bench.room_of(packhost_sessions::SandboxSpec { limits, ..spec }).await;
    let starts = (0..64_u32).map(|number| room.exec(shell(&format!("cat; echo {number}")).stdin()));
    let mut execs = futures::future::join_all(starts).await;
    assert_eq!(room.link.usage().await.expect("an answer").execs, 64);
    let stdins: Vec<_> = execs.iter_mut().map(|exec| exec.stdin().expect("asked for")).collect();
    drop(stdins);
    let ends = futures::future::join_all(execs.into_iter().map(|exec| exec.output(100))).await;
    for (number, finished) in ends.into_iter().enumerate() {
        let finished = finished.expect("an end");
        assert_eq!((finished.exit.code, finished.stdout), (Some(0), format!("{number}\n").into_bytes()));
    }
}

async fn more_programs_than_a_sandbox_runs_are_refused(bench: &Bench) {
    let spec = bench.spec();
    let limits = SandboxLimits { processes: 300, ..spec.limits };
    let room = bench.room_of(packhost_sessions::SandboxSpec { limits, ..spec }).await;
    let starts = (0..EXECS).map(|_| room.exec(program("sleep").arg("600")));
    let execs = futures::future::join_all(starts).await;
    assert_eq!(fault(room.link.exec(program("true")).await), Fault::Busy);
    drop(execs);
    room.quiet().await;
    assert_eq!(room.says(shell("echo room again")).await, "room again\n");
}

async fn a_command_that_is_too_long_is_refused(bench: &Bench) {
    let room = bench.room().await;
    let long = |bytes: usize| program("echo").arg(vec![b'x'; bytes]);
    assert_eq!(room.run(long(100_000)).await.stdout.len(), 100_001);
    // More than the kernel takes in one argument, and more than a message of the protocol may have.
    fault(room.link.exec(long(200_000)).await);
    assert_eq!(fault(room.link.exec(long(2_000_000)).await), Fault::Malformed);
    assert_eq!(room.says(shell("echo goes on")).await, "goes on\n");
}

async fn a_program_starts_with_three_descriptors_and_no_signal_blocked(bench: &Bench) {
    let room = bench.room().await;
    // The fourth is the directory that is listed.
    assert_eq!(room.says(program("ls").arg("/proc/self/fd")).await, "0\n1\n2\n3\n");
    let status = room.says(program("cat").arg("/proc/self/status")).await;
    for mask in ["SigBlk", "SigIgn", "SigCgt"] {
        assert!(status.contains(&format!("{mask}:\t0000000000000000\n")), "{status}");
    }
}

async fn what_a_program_used_is_said_at_its_end(bench: &Bench) {
    let room = bench.room().await;
    let script = "x = b'x' * (32 << 20)\nn = 0\nimport time\nwhile time.process_time() < 0.2: n += 1";
    let exit = room.run(python(script)).await.exit;
    assert_eq!(exit.code, Some(0));
    assert!(exit.cpu_us >= 200_000 && exit.ran_us >= 200_000, "{exit:?}");
    assert!((32 << 20..1 << 30).contains(&exit.peak_memory), "{exit:?}");
}
