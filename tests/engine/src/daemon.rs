//! The daemon: its start, its end, and what it would leave behind.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Where it listens, below its directory. The path is short: a socket's may have 108 bytes.
pub(crate) const SOCKET: &str = "docker.sock";

/// Starts it on this directory; it ends with the thread that starts it.
pub(crate) fn spawn(root: &Path) -> Child {
    let path = |name: &str| root.join(name).to_str().expect("UTF-8").to_owned();
    let log = fs::File::options().create(true).append(true).open(path("log")).expect("a log");
    let mut command = Command::new("dockerd");
    command.args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")]);
    command.args(["--host", &format!("unix://{}", path(SOCKET))]);
    command.args(["--iptables=false", "--bridge=none", "--shutdown-timeout", "1"]);
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
    // SAFETY: prctl(2) is async-signal-safe, and nothing else happens between fork and exec.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
            Ok(())
        });
    }
    command.spawn().expect("dockerd is installed, which is Debian's package docker.io")
}

/// Ends it by a signal, and waits for that.
pub(crate) fn end(daemon: &mut Child, by: Signal) {
    if let Some(pid) = Pid::from_raw(daemon.id().cast_signed()) {
        let _ = kill_process(pid, by);
    }
    let _ = daemon.wait();
}

/// Removes what a daemon that was killed left running, and what it left mounted, which would keep its directory from being
/// removed.
pub(crate) fn clear(root: &Path) {
    for shim in processes_of(root) {
        for process in children(shim).into_iter().chain([shim]) {
            let _ = Pid::from_raw(process.cast_signed()).map(|pid| kill_process(pid, Signal::KILL));
        }
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for mount in mounts.lines().rev().filter_map(|line| line.split(' ').nth(1)) {
        if Path::new(mount).starts_with(root) {
            let _ = Command::new("umount").args(["--lazy", mount]).status();
        }
    }
}

/// Whether this process is over, whoever may still ask how.
pub(crate) fn has_ended(pid: Option<u32>) -> bool {
    let Some(pid) = pid else { return true };
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

/// Shows the end of what the daemon wrote where something went wrong.
pub(crate) struct Log(pub(crate) PathBuf);

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.0).unwrap_or_default();
            let lines: Vec<_> = log.lines().rev().take(30).collect();
            eprintln!("{}", lines.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

/// What runs with this directory among its arguments.
fn processes_of(root: &Path) -> Vec<u32> {
    let root = root.to_string_lossy().into_owned();
    let processes = fs::read_dir("/proc").expect("a /proc").flatten();
    let numbers = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let told = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&root))
    };
    numbers.filter(told).collect()
}

fn children(of: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}
