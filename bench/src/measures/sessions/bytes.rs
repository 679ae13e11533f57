//! How fast bytes go into a sandbox and come out: files against `docker cp` with the same container, and standard input
//! and output of `cat` against `cat` on this machine.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use packhost_session_protocol::message::{Get, Put};
use packhost_sessions::Backend;
use packhost_sessions::link::Link;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};

use super::super::Bench;
use super::took;
use crate::Outcome;
use crate::docker::Docker;
use crate::report::{Goal, Report, Row};
use crate::rounds::rounds;
use crate::sandboxes::{Room, SHARED, Sandboxes, profile, program};

pub(crate) const GROUP: &str = "Bytes into and out of a sandbox";

/// So many times the throughput of `docker cp`.
const OF_DOCKER_CP: f64 = 2.0;
const UNIT: &str = "MB/s";
/// What is read or written of a file on this machine at once, in bytes: each time is handed to another thread.
const AT_ONCE: usize = 512 << 10;
/// What is written and read at once, of a stream, in bytes: what a pipe holds.
const PIECE: usize = 64 << 10;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let (sandboxes, docker) = bench.sandboxes()?;
    match docker {
        Ok(docker) => {
            let shared = sandboxes.directory("docker")?;
            let room = sandboxes.room(Backend::Docker, Some(&shared))?;
            files(bench, &sandboxes, docker, (&room, &shared), report)?;
            streams(bench, &sandboxes, Backend::Docker, &room, report)?;
            sandboxes.end(room)?;
        }
        Err(why) => report.misses(GROUP, "docker backend", why)?,
    }
    match sandboxes.room(Backend::Process, None) {
        Ok(room) => {
            streams(bench, &sandboxes, Backend::Process, &room, report)?;
            sandboxes.end(room)
        }
        Err(why) => report.misses(GROUP, "process backend", why.to_string()),
    }
}

/// Both sides write into the same directory of this machine, which is mounted in the container: `docker cp` reaches no other
/// place of a container whose root is read-only.
fn files(
    bench: &Bench,
    sandboxes: &Sandboxes,
    docker: &Docker,
    (room, shared): (&Room, &Path),
    report: &mut Report,
) -> Outcome<()> {
    let size = bench.effort.stream;
    let here = tempfile::tempdir()?;
    let (source, target) = (here.path().join("source"), here.path().join("target"));
    std::fs::write(&source, noise(size))?;
    let container = format!("packhost-{}", room.id);
    let copy = |from: &str, to: &str, made: &Path| {
        let _ = std::fs::remove_file(made);
        let took = took(&mut docker.command(&["cp", from, to]))?;
        speed(made, size, took)
    };
    let (source_text, target_text) = (source.display().to_string(), target.display().to_string());
    let put = || {
        let _ = std::fs::remove_file(shared.join("put"));
        let took = put(sandboxes, &room.link, &source)?;
        speed(&shared.join("put"), size, took)
    };
    let cp_in = || copy(&source_text, &format!("{container}:{SHARED}/cp"), &shared.join("cp"));
    let pairs = rounds("put", bench.effort.rounds, put, cp_in)?;
    let row = Row::new(GROUP, "a file in, docker backend", UNIT, "docker cp", &pairs);
    report.rows.push(row.goal(Goal::AtLeast(OF_DOCKER_CP)));

    let get = || {
        let _ = std::fs::remove_file(&target);
        let took = get(sandboxes, &room.link, &target)?;
        speed(&target, size, took)
    };
    let cp_out = || copy(&format!("{container}:{SHARED}/put"), &target_text, &target);
    let pairs = rounds("get", bench.effort.rounds, get, cp_out)?;
    let row = Row::new(GROUP, "a file out, docker backend", UNIT, "docker cp", &pairs);
    report.rows.push(row.goal(Goal::AtLeast(OF_DOCKER_CP)));
    Ok(())
}

fn put(sandboxes: &Sandboxes, link: &Link, source: &Path) -> Outcome<f64> {
    let path = format!("{SHARED}/put").into_bytes().into();
    let put = Put { path, mode: 0o644, parents: false, new: false, confinement: profile() };
    let (link, source) = (link.clone(), source.to_owned());
    sandboxes.on(async move {
        let since = Instant::now();
        link.put(put, BufReader::with_capacity(AT_ONCE, tokio::fs::File::open(source).await?)).await?;
        Ok(since.elapsed().as_secs_f64() * 1e3)
    })
}

fn get(sandboxes: &Sandboxes, link: &Link, target: &Path) -> Outcome<f64> {
    let path = format!("{SHARED}/put").into_bytes().into();
    let get = Get { path, offset: 0, length: None, confinement: profile() };
    let (link, target) = (link.clone(), target.to_owned());
    sandboxes.on(async move {
        let since = Instant::now();
        let (_, content) = link.get(get).await?;
        let mut file = tokio::fs::File::create(target).await?;
        tokio::io::copy_buf(&mut BufReader::with_capacity(AT_ONCE, content), &mut file).await?;
        file.flush().await?;
        Ok(since.elapsed().as_secs_f64() * 1e3)
    })
}

/// Megabytes a second, of a file that came over whole.
fn speed(file: &Path, size: usize, milliseconds: f64) -> Outcome<f64> {
    let came = std::fs::metadata(file)?.len();
    if came != size as u64 {
        return Err(format!("{came} bytes came over, of {size}").into());
    }
    Ok(size as f64 / milliseconds / 1e3)
}

/// Bytes that no layer can make fewer.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        // xorshift (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

fn streams(
    bench: &Bench,
    sandboxes: &Sandboxes,
    on: Backend,
    room: &Room,
    report: &mut Report,
) -> Outcome<()> {
    let size = bench.effort.stream;
    let what = format!("stdin to stdout, {on} backend");
    let pairs =
        rounds(&what, bench.effort.rounds, || through(sandboxes, &room.link, size), || through_a_pipe(size))?;
    report.rows.push(Row::new(GROUP, what, UNIT, "cat and two pipes", &pairs));
    Ok(())
}

/// Megabytes a second through `cat` in the sandbox.
fn through(sandboxes: &Sandboxes, link: &Link, size: usize) -> Outcome<f64> {
    let link = link.clone();
    sandboxes.on(async move {
        let since = Instant::now();
        let mut exec = link.exec(program("/bin/cat").stdin()).await?;
        let (stdin, stdout) = (exec.stdin(), exec.stdout());
        let (mut stdin, mut stdout) = (stdin.ok_or("no stdin")?, stdout.ok_or("no stdout")?);
        let feeding = tokio::spawn(async move {
            let piece = vec![b'x'; PIECE];
            for start in (0..size).step_by(PIECE) {
                stdin.write_all(&piece[..PIECE.min(size - start)]).await?;
            }
            stdin.shutdown().await
        });
        let (mut piece, mut came) = (vec![0; PIECE], 0);
        loop {
            match stdout.read(&mut piece).await? {
                0 => break,
                count => came += count,
            }
        }
        feeding.await??;
        exec.wait().await?;
        whole(came, size, since)
    })
}

/// Megabytes a second through `cat` on this machine.
fn through_a_pipe(size: usize) -> Outcome<f64> {
    let since = Instant::now();
    let mut child = Command::new("/bin/cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    let feeding = std::thread::spawn(move || -> std::io::Result<()> {
        let piece = vec![b'x'; PIECE];
        for start in (0..size).step_by(PIECE) {
            stdin.write_all(&piece[..PIECE.min(size - start)])?;
        }
        Ok(())
    });
    let mut stdout = child.stdout.take().ok_or("no stdout")?;
    let (mut piece, mut came) = (vec![0; PIECE], 0);
    loop {
        match stdout.read(&mut piece)? {
            0 => break,
            count => came += count,
        }
    }
    feeding.join().map_err(|_| "the feeding thread panicked")??;
    child.wait()?;
    whole(came, size, since)
}

fn whole(came: usize, size: usize, since: Instant) -> Outcome<f64> {
    let seconds = since.elapsed().as_secs_f64();
    if came == size {
        Ok(size as f64 / seconds / 1e6)
    } else {
        Err(format!("{came} bytes came, of {size}").into())
    }
}
