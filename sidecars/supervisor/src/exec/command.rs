//! The command's own process between fork and exec, and what it tells the supervisor when it cannot become the program.

use std::ffi::{CString, c_char};
use std::os::fd::{AsFd, OwnedFd};
use std::ptr;

use packhost_session_protocol::message::{Fault, Refusal};
use rustix::io::Errno;
use rustix::process::Signal;

use super::plan::Plan;
use crate::{own, signals};

/// The descriptors that a command gets.
pub(super) struct Stdio {
    /// What it reads.
    pub(super) input: OwnedFd,
    /// What it writes.
    pub(super) output: OwnedFd,
    /// Where it complains.
    pub(super) error: OwnedFd,
    /// Whether they are a terminal, which becomes its controlling one.
    pub(super) terminal: bool,
}

/// The most bytes that are told: less than a pipe takes at once (`PIPE_BUF`, pipe(7)).
pub(super) const TOLD: usize = 512;

/// Why a process could not become the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Step {
    Fork,
    Streams,
    Confinement,
    Directory,
    Program,
    Interpreter,
    Permission,
}

impl Step {
    fn of(byte: u8) -> Option<Self> {
        use Step::{Confinement, Directory, Fork, Interpreter, Permission, Program, Streams};
        [Fork, Streams, Confinement, Directory, Program, Interpreter, Permission]
            .into_iter()
            .find(|step| *step as u8 == byte)
    }
}

struct Failure(Step, String);

/// Becomes the program. First tells its process id, and then, where that fails, why; a pipe that closes without that is a
/// program that runs. To be called in a process that was forked for it.
pub(super) fn become_program(plan: Plan, stdio: &Stdio, telling: &OwnedFd) -> ! {
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    let _ = rustix::io::write(telling, &pid.to_ne_bytes());
    let Failure(step, why) = attempt(plan, stdio);
    tell(telling, step, &why);
    exit(127)
}

/// Tells that there is no process that could become it.
pub(super) fn not_forked(telling: &OwnedFd, error: &std::io::Error) {
    let _ = rustix::io::write(telling, &0_i32.to_ne_bytes());
    tell(telling, Step::Fork, &error.to_string());
}

fn tell(telling: &OwnedFd, step: Step, why: &str) {
    let mut told = vec![step as u8];
    told.extend_from_slice(why.as_bytes());
    told.truncate(TOLD - size_of::<i32>());
    let _ = rustix::io::write(telling, &told);
}

/// exit(3) without what a program would do on the way out, which here are another process's affairs.
pub(super) fn exit(code: i32) -> ! {
    // SAFETY: it ends the process.
    unsafe { libc::_exit(code) }
}

/// Returns only when it fails.
fn attempt(plan: Plan, stdio: &Stdio) -> Failure {
    if let Err(error) = take_streams(stdio) {
        return Failure(Step::Streams, error.to_string());
    }
    if let Err(error) = plan.wall.raise() {
        return Failure(Step::Confinement, error.to_string());
    }
    // A keeper that is killed takes its command along. After the change of user, which resets it (prctl(2)).
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    if let Err(error) = rustix::process::chdir(&plan.cwd) {
        return Failure(Step::Directory, format!("{}: {}", plan.cwd.to_string_lossy(), words(error)));
    }
    if let Err(error) = signals::unblock() {
        return Failure(Step::Streams, error.to_string());
    }
    execute(&plan.candidates, &plan.argv, &plan.env)
}

fn take_streams(stdio: &Stdio) -> std::io::Result<()> {
    rustix::process::setsid()?;
    rustix::stdio::dup2_stdin(&stdio.input)?;
    rustix::stdio::dup2_stdout(&stdio.output)?;
    rustix::stdio::dup2_stderr(&stdio.error)?;
    if stdio.terminal {
        rustix::process::ioctl_tiocsctty(rustix::stdio::stdin().as_fd())?;
    }
    // Everything else here closes by itself already; this holds also for what somebody forgets.
    own::close_range(3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

fn execute(candidates: &[CString], argv: &[CString], env: &[CString]) -> Failure {
    let (argv, env) = (pointers(argv), pointers(env));
    let mut failure = Failure(Step::Program, "it is in no directory of PATH".to_owned());
    for candidate in candidates {
        // SAFETY: all three are NUL-terminated, the vectors end with a null pointer, and all of it outlives the call.
        unsafe { libc::execve(candidate.as_ptr(), argv.as_ptr(), env.as_ptr()) };
        let error = Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::NOENT);
        let there = rustix::fs::stat(candidate);
        let step = match (error, &there) {
            (Errno::NOENT | Errno::NOTDIR, Err(_)) if candidates.len() > 1 => continue,
            (Errno::NOENT | Errno::NOTDIR, Err(_)) => Step::Program,
            (Errno::NOENT | Errno::NOEXEC | Errno::LIBBAD, Ok(_)) => Step::Interpreter,
            (Errno::ACCESS, Ok(file)) if !may_be_run(file) => Step::Interpreter,
            (Errno::ACCESS | Errno::PERM, _) => Step::Permission,
            _ => Step::Streams,
        };
        failure = Failure(step, format!("{}: {}", candidate.to_string_lossy(), words(error)));
        // As execvp(3): what may not be run does not hide what may, further on.
        if !matches!(error, Errno::ACCESS) {
            break;
        }
    }
    failure
}

/// Whether it is a file that somebody may execute.
fn may_be_run(file: &rustix::fs::Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(file.st_mode).is_file() && file.st_mode & 0o111 != 0
}

fn words(error: Errno) -> std::io::Error {
    error.into()
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

/// What was told, once the pipe has closed: the process id of the program that runs, or why there is none.
pub(super) fn told(bytes: &[u8]) -> Result<u32, Refusal> {
    let Some((pid, rest)) = bytes.split_first_chunk() else {
        return Err(Refusal::new(Fault::Failed, "the program was killed before it began"));
    };
    let Some((step, why)) = rest.split_first() else { return Ok(u32::from_ne_bytes(*pid)) };
    let why = String::from_utf8_lossy(why);
    Err(match Step::of(*step) {
        Some(Step::Fork) => Refusal::new(Fault::Busy, format!("no process can be made: {why}")),
        Some(Step::Confinement) => Refusal::new(Fault::NotConfined, why),
        Some(Step::Directory) => Refusal::new(Fault::NotFound, format!("the working directory: {why}")),
        Some(Step::Program) => Refusal::new(Fault::NotFound, format!("the program: {why}")),
        Some(Step::Interpreter) => {
            let message = format!("{why}; it or its interpreter is none that can be run here");
            Refusal::new(Fault::NotExecutable, message)
        }
        Some(Step::Permission) => Refusal::new(Fault::Denied, format!("the program may not be run: {why}")),
        Some(Step::Streams) | None => {
            Refusal::new(Fault::Failed, format!("the program did not start: {why}"))
        }
    })
}
