//! In the supervisor's place: static, listens on descriptor 3, runs shell commands and says what came of them. Compiled by the
//! tests, for musl, with the standard library alone.
//!
//! A connection carries one request: `u` and a command to be run as the sandbox's user, `s` and one to be run as the
//! supervisor's, `q` and a code to exit with, `l` and a number of bytes to log, or `k` and a key to look for in the session keyring.
//! The answer is the exit code or minus the signal, a newline, and all output; of `k`, whether there is none, and the keyring.

use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

static LAST: Mutex<Option<Instant>> = Mutex::new(None);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    assert_eq!(arguments[1..4], ["serve", "--listen-fd", "3"]);
    let after = arguments.iter().position(|argument| argument == "--orphaned-after").unwrap() + 1;
    let orphaned = Duration::from_millis(arguments[after].parse().unwrap());
    eprintln!("the stand-in runs");
    *LAST.lock().unwrap() = Some(Instant::now());
    std::thread::spawn(move || {
        loop {
            let since = LAST.lock().unwrap().unwrap().elapsed();
            if since >= orphaned {
                std::process::exit(75);
            }
            std::thread::sleep(orphaned - since);
        }
    });
    // SAFETY: the launcher hands it over.
    let listener = unsafe { UnixListener::from_raw_fd(3) };
    for connection in listener.incoming() {
        let mut connection = connection.unwrap();
        let answered = answer(&mut connection);
        *LAST.lock().unwrap() = Some(Instant::now());
        if let Err(error) = answered {
            eprintln!("{error}");
        }
    }
}

fn answer(connection: &mut UnixStream) -> std::io::Result<()> {
    let mut request = String::new();
    connection.set_nonblocking(false)?;
    connection.read_to_string(&mut request)?;
    let (kind, command) = request.split_at(1);
    if kind == "q" {
        std::process::exit(command.parse().unwrap());
    }
    if kind == "l" {
        std::io::stderr().write_all(&vec![b'x'; command.parse().unwrap()])?;
        return write!(connection, "0\n");
    }
    if kind == "k" {
        let (keyring, found) = session_keyring(command);
        return write!(connection, "{}\n{keyring}", i32::from(!found));
    }
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(format!("exec 2>&1; {command}")).stdin(Stdio::null()).stderr(Stdio::null());
    if kind == "u" {
        shell.uid(1000).gid(1000);
    }
    match shell.output() {
        Ok(output) => {
            let status = output.status;
            let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or(0));
            write!(connection, "{code}\n")?;
            connection.write_all(&output.stdout)
        }
        Err(error) => write!(connection, "127\n{error}"),
    }
}

unsafe extern "C" {
    fn syscall(number: std::ffi::c_long, ...) -> std::ffi::c_long;
}

/// The number of the session keyring, and whether a key of type `user` and of this name is in it (keyctl(2)).
fn session_keyring(name: &str) -> (std::ffi::c_long, bool) {
    const KEYCTL: std::ffi::c_long = if cfg!(target_arch = "x86_64") { 250 } else { 219 };
    const GET_KEYRING_ID: std::ffi::c_long = 0;
    const SEARCH: std::ffi::c_long = 10;
    const SESSION: std::ffi::c_long = -3;
    let name = std::ffi::CString::new(name).unwrap();
    // SAFETY: the texts end with a NUL and outlive the calls.
    unsafe {
        let keyring = syscall(KEYCTL, GET_KEYRING_ID, SESSION, 0_usize);
        (keyring, syscall(KEYCTL, SEARCH, SESSION, c"user".as_ptr(), name.as_ptr(), 0_usize) >= 0)
    }
}
