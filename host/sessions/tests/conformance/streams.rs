//! Standard input and outputs.

use packhost_session_protocol::message::Exit;
use packhost_sessions::link::{Command, Exec, ExecReader, ExecStdin};
use packhost_sessions::{SandboxLimits, SandboxSpec, SessionRuntime};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bench::Bench;
use crate::cut::Cutting;
use crate::machine;
use crate::room::{Room, program, rest, shell};

crate::behaviours![
    every_byte_passes_in_both_directions,
    a_gibibyte_passes_in_bounded_memory,
    errors_come_apart_from_the_output,
    a_program_may_close_its_input_early,
    a_program_without_an_input_is_at_its_end_at_once,
    a_program_may_write_after_its_input_ended,
    output_that_nobody_reads_waits_and_is_not_lost,
    output_that_is_not_wanted_blocks_nobody,
    a_stream_that_breaks_loses_and_doubles_no_byte,
    a_program_that_ends_while_the_stream_is_broken_is_not_lost,
];

/// All bytes, at places that no power of two divides.
fn pattern() -> Vec<u8> {
    (0..=255_u8).cycle().take(251 * 257).collect()
}

struct Pipes {
    exec: Exec,
    stdin: ExecStdin,
    stdout: ExecReader,
}

async fn pipes(room: &Room, command: Command) -> Pipes {
    let mut exec = room.exec(command.stdin()).await;
    let (stdin, stdout) = (exec.stdin().expect("asked for"), exec.stdout().expect("not taken yet"));
    Pipes { exec, stdin, stdout }
}

/// Sends this much through a program that gives back what it gets, and sees that it comes back. Tells about each piece.
async fn echoed(pipes: Pipes, size: usize, mut each: impl FnMut(usize)) -> Exit {
    let pattern = pattern();
    let Pipes { exec, mut stdin, mut stdout } = pipes;
    let sent = pattern.clone();
    let feeding = tokio::spawn(async move {
        let mut left = size;
        while left > 0 {
            let piece = left.min(sent.len());
            stdin.write_all(&sent[..piece]).await.expect("it reads");
            left -= piece;
        }
    });
    let (mut seen, mut piece) = (0, vec![0; pattern.len()]);
    while seen < size {
        let most = pattern.len().min(size - seen);
        stdout.read_exact(&mut piece[..most]).await.expect("it comes back");
        assert!(piece[..most] == pattern[..most], "other bytes before {}", seen + most);
        seen += most;
        each(seen);
    }
    feeding.await.expect("all was sent");
    assert_eq!(stdout.read(&mut piece).await.expect("its end"), 0);
    exec.wait().await.expect("an end")
}

async fn every_byte_passes_in_both_directions(bench: &Bench) {
    let room = bench.room().await;
    let exit = echoed(pipes(&room, program("cat")).await, 8 << 20, |_| {}).await;
    assert_eq!(exit.code, Some(0));
}

/// The sandbox's limit holds the supervisor; what this process has resident is looked at.
async fn a_gibibyte_passes_in_bounded_memory(bench: &Bench) {
    let spec = bench.spec();
    let limits = SandboxLimits { memory: 64 << 20, disk: 1 << 20, ..spec.limits };
    let room = bench.room_of(SandboxSpec { limits, ..spec }).await;
    let before = machine::resident();
    let mut most = 0;
    let cat = pipes(&room, program("cat")).await;
    let exit = echoed(cat, 1 << 30, |_| most = most.max(machine::resident())).await;
    assert_eq!((exit.code, exit.out_of_memory), (Some(0), false));
    // Others run in this process at the same time.
    assert!(most.saturating_sub(before) < 256 << 20, "{before} bytes have become {most}");
}

async fn errors_come_apart_from_the_output(bench: &Bench) {
    let room = bench.room().await;
    let finished = room.run(shell("echo out; echo err >&2; echo out; echo err >&2")).await;
    assert_eq!((&finished.stdout[..], &finished.stderr[..]), (&b"out\nout\n"[..], &b"err\nerr\n"[..]));
}

async fn a_program_may_close_its_input_early(bench: &Bench) {
    let room = bench.room().await;
    let mut pipes = pipes(&room, shell("head -c 3; exec <&-; cat; echo done")).await;
    let pattern = pattern();
    let mut refused = None;
    for _ in 0..1000 {
        if let Err(error) = pipes.stdin.write_all(&pattern).await {
            refused = Some(error.kind());
            break;
        }
    }
    assert_eq!(refused, Some(std::io::ErrorKind::BrokenPipe));
    let finished = {
        let text = rest(pipes.stdout).await;
        (text.contains("done"), pipes.exec.wait().await.expect("an end").code)
    };
    assert_eq!(finished, (true, Some(0)));
}

async fn a_program_without_an_input_is_at_its_end_at_once(bench: &Bench) {
    let room = bench.room().await;
    assert_eq!(room.says(shell("cat; echo end")).await, "end\n");
}

async fn a_program_may_write_after_its_input_ended(bench: &Bench) {
    let room = bench.room().await;
    let mut pipes = pipes(&room, shell("cat > /dev/null; echo after")).await;
    pipes.stdin.write_all(b"all of it").await.expect("it reads");
    drop(pipes.stdin);
    assert_eq!(rest(pipes.stdout).await, "after\n");
    assert_eq!(pipes.exec.wait().await.expect("an end").code, Some(0));
}

async fn output_that_nobody_reads_waits_and_is_not_lost(bench: &Bench) {
    let room = bench.room().await;
    let script = "dd if=/dev/zero bs=65536 count=128 status=none; touch written";
    let mut exec = room.exec(shell(script)).await;
    let mut stdout = exec.stdout().expect("not taken yet");
    // Others are served meanwhile.
    for _ in 0..20 {
        assert_eq!(room.says(shell("ls")).await, "", "it waits for its reader");
    }
    let mut content = Vec::new();
    stdout.read_to_end(&mut content).await.expect("all of it");
    assert_eq!(content.len(), 128 << 16);
    assert_eq!(room.says(shell("ls")).await, "written\n");
}

async fn output_that_is_not_wanted_blocks_nobody(bench: &Bench) {
    let room = bench.room().await;
    let script =
        "dd if=/dev/zero bs=65536 count=128 status=none; dd if=/dev/zero bs=65536 count=128 status=none >&2";
    let exit = room.exec(shell(script)).await.wait().await.expect("an end");
    assert_eq!(exit.code, Some(0));
}

async fn a_stream_that_breaks_loses_and_doubles_no_byte(bench: &Bench) {
    let first = bench.room().await;
    let cutting = Cutting::new(bench.runtime());
    let runtime: Arc<dyn SessionRuntime> = cutting.clone();
    let room = Room { link: bench.link_with(runtime, &first.id, None).await, id: first.id.clone() };
    let mut cuts = 0;
    let cat = pipes(&room, program("cat")).await;
    let exit = echoed(cat, 16 << 20, |seen| {
        if seen > (cuts + 1) * (2 << 20) && cuts < 6 {
            cuts += 1;
            cutting.cut();
        }
    })
    .await;
    assert_eq!((exit.code, cuts), (Some(0), 6));
}

async fn a_program_that_ends_while_the_stream_is_broken_is_not_lost(bench: &Bench) {
    let other = bench.room().await;
    let cutting = Cutting::new(bench.runtime());
    let runtime: Arc<dyn SessionRuntime> = cutting.clone();
    let room = Room { link: bench.link_with(runtime, &other.id, None).await, id: other.id.clone() };
    let exec = room.exec(shell("while ! test -e go; do sleep 0.01; done; echo said; exit 7")).await;
    cutting.cut();
    assert_eq!(other.says(shell("touch go")).await, "");
    let finished = exec.output(100).await.expect("an end");
    assert_eq!((&finished.stdout[..], finished.exit.code), (&b"said\n"[..], Some(7)));
}
