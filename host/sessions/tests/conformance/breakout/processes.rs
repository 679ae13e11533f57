//! The supervisor, and other processes.

use std::fs;

use packhost_sessions::link::{Link, LinkError, LinkSettings};
use rustix::process::{Pid, Signal, kill_process};

use super::{denies, everything, trying};
use crate::bench::Bench;
use crate::machine;
use crate::room::{Room, program, python, shell};

crate::behaviours![
    no_process_is_traced_read_or_steered,
    a_signal_to_everybody_reaches_a_programs_own_alone,
    the_supervisors_program_is_not_overwritten_while_it_starts_others,
    a_supervisor_that_answers_nothing_any_more_is_given_up_and_destroyed,
];

async fn no_process_is_traced_read_or_steered(bench: &Bench) {
    let script = format!(
        "
import signal
own, keeper = os.getpid(), os.getppid()
def closed(error): return 13 if error in (2, 3) else error
for pid in {{1, keeper, *range(1, own), own + 1}} - {{own}}:
    for name in ('mem', 'environ', 'maps', 'auxv', 'syscall', 'stack', 'io'):
        for flags in (os.O_RDONLY, os.O_RDWR):
            path = f'/proc/{{pid}}/{{name}}'
            if tried(os.open, path, flags) == 0 and tried(lambda: os.read(os.open(path, os.O_RDONLY), 1)) == 0:
                # Those of everybody are empty for whoever may not read them.
                say(0, path)
    for name in ('root', 'cwd', 'exe'):
        say(closed(tried(os.readlink, f'/proc/{{pid}}/{{name}}')), pid, name)
        say(closed(tried(os.listdir, f'/proc/{{pid}}/root/')), pid, 'root')
    # Of its own user a program may be told the numbers, and not what is behind them.
    for number in range(5): say(closed(tried(os.open, f'/proc/{{pid}}/fd/{{number}}', os.O_RDONLY)), pid, 'fd', number)
    say(closed(call({ptrace}, 16, pid, 0, 0)), pid, 'attach')
    say(closed(call({ptrace}, 0x4206, pid, 0, 0)), pid, 'seize')
    say(closed(call({readv}, pid, bytes(16), 0, bytes(16), 0, 0)), pid, 'process_vm_readv')
    say(closed(call({writev}, pid, bytes(16), 0, bytes(16), 0, 0)), pid, 'process_vm_writev')
    try: handle = os.pidfd_open(pid)
    except OSError as error: say(closed(error.errno), pid, 'pidfd_open')
    else:
        say(call({getfd}, handle, 0, 0), pid, 'pidfd_getfd')
        say(call({madvise}, handle, bytes(16), 0, 21, 0), pid, 'process_madvise')
    say(closed(call({pages}, pid, 0, 0, 0, 0, 0)), pid, 'move_pages')
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV):
    say(closed(tried(os.kill, 1, number)), 'kill', number)
say(closed(tried(os.setpriority, os.PRIO_PROCESS, 1, 19)), 'setpriority')
say(closed(tried(os.sched_setaffinity, 1, [0])), 'sched_setaffinity')
say(closed(call({prlimit}, 1, 7, bytes(16), 0)), 'prlimit')
",
        ptrace = libc::SYS_ptrace,
        readv = libc::SYS_process_vm_readv,
        writev = libc::SYS_process_vm_writev,
        getfd = libc::SYS_pidfd_getfd,
        madvise = libc::SYS_process_madvise,
        pages = libc::SYS_move_pages,
        prlimit = libc::SYS_prlimit64,
    );
    let room = bench.room().await;
    // Somebody to look at who is not the supervisor.
    let (_exec, _output) =
        room.ready(python("import time; print('ready', flush=True); time.sleep(600)")).await;
    denies(&room, trying(&script).confinement(everything()), super::NO).await;
}

async fn a_signal_to_everybody_reaches_a_programs_own_alone(bench: &Bench) {
    let room = bench.room().await;
    let (exec, _output) = room.ready(shell("echo ready; sleep 600")).await;
    room.run(shell("kill -9 -1; kill -TERM -1; kill -STOP -1; exit 0")).await;
    room.link.ping().await.expect("the supervisor is there");
    let listed = room.link.execs().await.expect("a list");
    assert!(listed.iter().any(|one| one.id == exec.id() && !one.ended), "another program was killed");
}

/// The bytes that the supervisor's process was started from.
async fn supervisor(bench: &Bench, room: &Room) -> Vec<u8> {
    let pid = bench.supervisor(&room.id).await;
    fs::read(format!("/proc/{pid}/exe")).expect("it runs")
}

/// As by CVE-2019-5736: a program is started from the supervisor, and for a moment is that.
async fn the_supervisors_program_is_not_overwritten_while_it_starts_others(bench: &Bench) {
    let room = bench.room().await;
    let before = supervisor(bench, &room).await;
    let watcher = "
own = open('/proc/self/exe', 'rb').read(4096)
print('ready', flush=True)
while not os.path.exists('/sandbox/stop'):
    for pid in filter(str.isdigit, os.listdir('/proc')):
        for path in (f'/proc/{pid}/exe', '/proc/self/exe', '/.packhost/supervisor'):
            if tried(os.open, path, os.O_WRONLY) == 0: say(0, 'written to', path)
            if tried(os.truncate, path, 0) == 0: say(0, 'truncated', path)
            try: file = os.open(path, os.O_RDONLY)
            except OSError: continue
            if pid in path and os.read(file, 4096) != own: say(0, 'read', path)
            if tried(os.open, f'/proc/self/fd/{file}', os.O_RDWR) == 0: say(0, 'opened again', path)
            os.close(file)
        if tried(os.open, f'/proc/{pid}/mem', os.O_RDWR) == 0 and pid != str(os.getpid()): say(0, 'memory of', pid)
";
    let (watching, output) = room.ready(trying(watcher).confinement(everything())).await;
    room.says(shell("printf '#!/proc/self/exe\\n' > itself; chmod +x itself")).await;
    for round in 0..40 {
        let command = match round % 4 {
            0 => program("/proc/self/exe"),
            1 => program("/sandbox/itself"),
            _ => program("true"),
        };
        // Whether the supervisor starts itself does not matter: it is a program of the sandbox then.
        if let Ok(exec) = room.link.exec(command.confinement(everything())).await {
            exec.output(1000).await.expect("an end");
        }
    }
    room.put("/sandbox/stop", b"").await;
    assert_eq!(crate::room::rest(output).await.trim(), "");
    assert_eq!(watching.wait().await.expect("an end").code, Some(0));
    assert!(supervisor(bench, &room).await == before, "the supervisor's program was changed");
}

async fn a_supervisor_that_answers_nothing_any_more_is_given_up_and_destroyed(bench: &Bench) {
    let room = bench.room().await;
    let (_exec, _output) = room.ready(shell("echo ready; sleep 600")).await;
    let names = bench.place.names(&room.id).await;
    let pid = Pid::from_raw(bench.supervisor(&room.id).await.cast_signed()).expect("a process");
    kill_process(pid, Signal::STOP).expect("it runs");
    let short = std::time::Duration::from_millis(200);
    let hasty = LinkSettings { reopen_for: short, answer_within: short, ..LinkSettings::default() };
    let silent = Link::connect(bench.runtime(), room.id.clone(), None, hasty).await.err();
    assert!(matches!(silent, Some(LinkError::Broken(_))), "{silent:?}");
    let other = bench.room().await;
    assert_eq!(other.says(shell("echo on")).await, "on\n");
    bench.runtime().destroy(&room.id).await.expect("its end");
    crate::bench::until("nothing is left", async || machine::traces(&names).is_empty()).await;
}
