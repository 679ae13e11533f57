//! Programs on a terminal.

use tokio::io::AsyncWriteExt;

use crate::bench::Bench;
use crate::room::{program, rest, shell, until_read};

crate::behaviours![
    a_program_may_have_a_terminal_of_its_own,
    a_terminal_takes_another_size,
    ctrl_c_interrupts_what_is_in_front,
    ctrl_d_is_the_end_of_the_input,
];

async fn a_program_may_have_a_terminal_of_its_own(bench: &Bench) {
    let room = bench.room().await;
    let script =
        "test -t 0 && test -t 1 && test -t 2 && echo three; stty size; echo err >&2; echo own > /dev/tty";
    let finished = room.run(shell(script).terminal(100, 40)).await;
    assert_eq!(String::from_utf8_lossy(&finished.stdout), "three\r\n40 100\r\nerr\r\nown\r\n");
    assert!(finished.stderr.is_empty());
    assert_eq!(room.says(shell("test -t 0 || test -t 1 || test -t 2 || echo none")).await, "none\n");
}

async fn a_terminal_takes_another_size(bench: &Bench) {
    let room = bench.room().await;
    let script = "trap 'stty size; exit' WINCH; stty -echo; echo ready; while :; do sleep 0.01; done";
    let (exec, output) = room.ready(shell(script).terminal(80, 24)).await;
    exec.resize(132, 50);
    assert!(rest(output).await.ends_with("50 132\r\n"));
}

async fn ctrl_c_interrupts_what_is_in_front(bench: &Bench) {
    let room = bench.room().await;
    let (mut exec, output) = room.ready(shell("echo ready; exec sleep 600").terminal(80, 24)).await;
    let mut stdin = exec.stdin().expect("a terminal has one");
    stdin.write_all(b"\x03").await.expect("it reads");
    rest(output).await;
    assert_eq!(exec.wait().await.expect("an end").signal, Some(2));
}

async fn ctrl_d_is_the_end_of_the_input(bench: &Bench) {
    let room = bench.room().await;
    let mut exec = room.exec(program("cat").terminal(80, 24)).await;
    let (mut stdin, mut output) = (exec.stdin().expect("it has one"), exec.stdout().expect("not taken yet"));
    stdin.write_all(b"line\n").await.expect("it reads");
    until_read(&mut output, "line\r\nline\r\n").await;
    stdin.write_all(b"\x04").await.expect("it reads");
    rest(output).await;
    assert_eq!(exec.wait().await.expect("an end").code, Some(0));
}
