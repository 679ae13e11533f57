//! Programs that take all that they can get.

use packhost_session_protocol::message::{Confinement, Rlimits};
use packhost_sessions::link::LinkError;
use packhost_sessions::{Ended, SandboxLimits, SandboxSpec};

use super::trying;
use crate::bench::Bench;
use crate::room::{Room, profile, python, shell};

crate::behaviours![
    memory_that_belongs_to_no_program_counts_as_well,
    names_of_every_kind_have_a_limit,
    descriptors_in_many_programs_and_in_flight_have_a_limit,
    beside_a_sandbox_that_takes_all_it_can_another_works_as_before,
];

async fn small(bench: &Bench) -> Room {
    let spec = bench.spec();
    let limits = SandboxLimits { memory: 64 << 20, disk: 8 << 20, ..spec.limits };
    bench.room_of(SandboxSpec { limits, ..spec }).await
}

/// Shared memory, unnamed files, pipes and sockets are the kernel's, and stay when their program sleeps.
async fn memory_that_belongs_to_no_program_counts_as_well(bench: &Bench) {
    if bench.lacks("memory").await {
        return;
    }
    let shared = "
x = ctypes.create_string_buffer(1 << 20)
libc.shmat.restype = ctypes.c_void_p
while True:
    piece = libc.shmget(0, 8 << 20, 0o1600)
    if piece == -1: break
    at = libc.shmat(piece, None, 0)
    for offset in range(0, 8 << 20, 1 << 20): ctypes.memmove(at + offset, x, 1 << 20)
";
    let unnamed = "
file = os.memfd_create('x')
while os.write(file, bytes(1 << 20)): pass
";
    let pipes = "
import fcntl
kept = []
while True:
    try: reading, writing = os.pipe()
    except OSError: break
    kept.append(reading)
    # F_SETPIPE_SZ
    for size in (1 << 20, 1 << 16):
        if tried(fcntl.fcntl, writing, 1031, size) == 0: break
    os.set_blocking(writing, False)
    while tried(os.write, writing, bytes(1 << 16)) == 0: pass
";
    for script in [shared, unnamed, pipes] {
        let room = small(bench).await;
        let ended = match room.link.exec(trying(&format!("{script}\nprint('had it')"))).await {
            Ok(exec) => exec.output(1000).await,
            Err(error) => Err(error),
        };
        match ended {
            // As many as there may be are not enough for a limit.
            Ok(finished) if finished.exit.code == Some(0) => {
                let used = room.link.usage().await.expect("an answer").memory;
                assert!(used <= 64 << 20, "{script}: {used}");
            }
            Ok(finished) => assert_eq!(finished.exit.signal, Some(9), "{script}: {finished:?}"),
            Err(LinkError::Ended(how)) => assert_eq!(how, Ended::OutOfMemory, "{script}"),
            Err(other) => panic!("{other}"),
        }
        bench.runtime().destroy(&room.id).await.expect("its end");
    }
}

/// A name takes memory of the kernel, whatever it names.
async fn names_of_every_kind_have_a_limit(bench: &Bench) {
    let script = "
open('/sandbox/file', 'w').close()
for kind, make in dict(directories=os.mkdir, links=lambda path: os.symlink('x' * 1000, path), pipes=os.mkfifo,
                       names=lambda path: os.link('/sandbox/file', path)).items():
    os.mkdir(f'/sandbox/{kind}')
    for number in range(50000):
        error = tried(make, f'/sandbox/{kind}/{number}')
        if error: break
    say(error, kind, number)
    for name in os.listdir(f'/sandbox/{kind}'):
        (os.rmdir if kind == 'directories' else os.unlink)(f'/sandbox/{kind}/{name}')
";
    let room = small(bench).await;
    // ENOSPC.
    super::denies(&room, trying(script), &[28]).await;
}

async fn descriptors_in_many_programs_and_in_flight_have_a_limit(bench: &Bench) {
    let script = "
import resource, socket
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
try: resource.setrlimit(resource.RLIMIT_NOFILE, (most + 1, most + 1))
except ValueError: print('no more than', most, flush=True)
for _ in range(40):
    if tried(os.fork): break
kept, sent = [], 0
while True:
    try: one, two = socket.socketpair()
    except OSError: break
    kept += [one, two]
    one.setblocking(False)
    try:
        while True:
            socket.send_fds(one, [b'x'], [0, 1, 2] * 80)
            sent += 240
    except OSError: pass
while True:
    if tried(os.open, '/sandbox', os.O_RDONLY): break
print('full', flush=True)
import time
time.sleep(600)
";
    let room = bench.room().await;
    let rlimits = Rlimits { open_files: Some(256), ..Rlimits::default() };
    let few = Confinement { rlimits, ..profile() };
    let mut exec = room.exec(trying(script).confinement(few)).await;
    let mut output = exec.stdout().expect("not taken yet");
    let said = crate::room::until_read(&mut output, "full").await;
    assert!(said.starts_with("no more than 256\n"), "{said}");
    room.link.ping().await.expect("an answer");
    let other = bench.room().await;
    assert_eq!(other.says(shell("ls / > /dev/null; echo room")).await, "room\n");
    exec.kill();
    exec.wait().await.expect("an end");
    assert_eq!(room.says(shell("echo again")).await, "again\n");
}

async fn beside_a_sandbox_that_takes_all_it_can_another_works_as_before(bench: &Bench) {
    let script = "
import threading
def full(path):
    try:
        with open(path, 'wb') as file:
            while True: file.write(bytes(65536))
    except OSError: pass
for path in ('/sandbox/x', '/tmp/x', '/dev/shm/x'): full(path)
x = bytearray(16 << 20)
print('ready', flush=True)
while True:
    try: os.fork()
    except OSError: pass
    try:
        while True: os.open('/proc/self/status', os.O_RDONLY)
    except OSError: pass
";
    let (greedy, other) = (bench.room().await, bench.room().await);
    let (_exec, _output) = greedy.ready(trying(script)).await;
    for round in 0..20 {
        let content = vec![b'x'; 100_000];
        other.put("/sandbox/file", &content).await;
        assert_eq!(other.get("/sandbox/file").await, content);
        assert_eq!(other.says(shell(&format!("echo {round}"))).await, format!("{round}\n"));
    }
    let third = bench.room().await;
    assert_eq!(third.says(python("print('made beside it')")).await, "made beside it\n");
    bench.runtime().destroy(&greedy.id).await.expect("its end");
}
