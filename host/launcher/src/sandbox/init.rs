//! The first process of a sandbox, from its start as a copy of the launcher until it is the supervisor.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;

use rustix::net::{RecvFlags, SendFlags};
use rustix::thread::UnshareFlags;

use super::fork::exit;
use super::plan::Plan;
use super::trouble::{During, Trouble};
use super::user::{self, PROGRAM, Power};
use super::{GO, MAPPED, MOUNTED, keys, network, root};
use crate::wire::Fault;

/// Becomes the supervisor, or says on the channel why it could not, and ends.
pub(super) fn run(plan: &Plan, channel: &OwnedFd) -> ! {
    let Err(trouble) = become_supervisor(plan, channel);
    let _ = rustix::net::send(channel, &trouble.packet(), SendFlags::NOSIGNAL);
    exit(1)
}

fn become_supervisor(plan: &Plan, channel: &OwnedFd) -> Result<Infallible, Trouble> {
    // Of a session of its own: a key press on the host's terminal is not for it.
    rustix::process::setsid().during("starting a session")?;
    // What is made here may be looked at by the sandbox's users.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    if plan.power == Power::User {
        user::be(0, plan.launcher).during("taking the power to mount")?;
    }
    rustix::system::sethostname(b"sandbox").during("setting the host name")?;
    network::raise_loopback().during("raising the loopback interface")?;
    root::replace(plan)?;
    say(channel, MOUNTED)?;
    wait_for(channel, GO)?;
    // Not before the launcher has put this process into its cgroup, which becomes the top of what is seen inside.
    // SAFETY: only CLONE_FILES, which is not among the flags, could take descriptors from another thread.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWCGROUP) }.during("making a cgroup namespace")?;
    root::show_cgroups(plan);
    user::leave().during("making a user namespace")?;
    match plan.power {
        Power::Root => {
            say(channel, MAPPED)?;
            wait_for(channel, MAPPED)?;
            user::become_supervisor().during("becoming the supervisor's user")?;
        }
        Power::User => user::be(PROGRAM, (0, 0)).during("giving the power to mount back")?,
    }
    // As the sandbox's own user, whose quota it counts to. Where that is the launcher's and used up, there is the launcher's
    // keyring, which is empty too.
    match keys::forget() {
        Err(error) if error.raw_os_error() == Some(libc::EDQUOT) => {}
        other => other.during("making a session keyring")?,
    }
    user::keep_capabilities(plan.power).during("dropping capabilities")?;
    rustix::thread::set_no_new_privs(true).during("forgoing new privileges")?;
    forget_signals();
    execute(plan).during("starting the supervisor")
}

fn say(channel: &OwnedFd, word: &[u8]) -> Result<(), Trouble> {
    rustix::net::send(channel, word, SendFlags::NOSIGNAL).during("answering the launcher").map(drop)
}

fn wait_for(channel: &OwnedFd, word: &[u8]) -> Result<(), Trouble> {
    let mut packet = [0; 16];
    let (length, _) =
        rustix::net::recv(channel, &mut packet, RecvFlags::empty()).during("listening to the launcher")?;
    if packet.get(..length) == Some(word) {
        Ok(())
    } else {
        Err(Trouble::new(Fault::Failed, "the launcher is gone"))
    }
}

/// The supervisor starts with every signal as it is by default, and none blocked.
fn forget_signals() {
    const SIGNALS: i32 = 64;
    for signal in 1..=SIGNALS {
        // SAFETY: no handler of this process is put in, only the default; numbers that are none are refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an all-zero set is an empty one on Linux, and it outlives the call.
    unsafe {
        let none: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

/// Executes the supervisor, with nothing open but what it is to have: the log as standard output and error, the socket as 3.
fn execute(plan: &Plan) -> io::Result<Infallible> {
    const FIRST_FREE: RawFd = 4;
    // Out of the way first: what they are now may be among the numbers that they get.
    let high = |descriptor: BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(descriptor, 64);
    let null = high(File::open("/dev/null")?.as_fd())?;
    let log = high(plan.handles.log.as_fd())?;
    let listener = high(plan.handles.listener.as_fd())?;
    let program = high(plan.handles.program.as_fd())?;
    for (from, to) in [(&null, 0), (&log, 1), (&log, 2), (&listener, 3)] {
        // SAFETY: two numbers; what was open under the second one is not used any more.
        if unsafe { libc::dup2(from.as_raw_fd(), to) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let arguments = pointers(&plan.arguments);
    let environment = pointers(&plan.environment);
    // SAFETY: marks descriptors and closes none before the program is executed.
    let marked =
        unsafe { libc::syscall(libc::SYS_close_range, FIRST_FREE, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if marked < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both lists end with a null pointer, and the texts that they point to live as long as the plan.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    Err(io::Error::last_os_error())
}

fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}
