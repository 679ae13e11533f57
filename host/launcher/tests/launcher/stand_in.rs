//! In the supervisor's place: static, listens on descriptor 3, runs shell commands and says what came of them. Compiled by the
//! tests, for musl, with the standard library alone.
//!
//! A connection carries one request: `u` and a command to be run as the sandbox's user, `s` and one to be run as the
//! supervisor's, or `q` and a code to exit with. The answer is the exit code or minus the signal, a newline, and all output.

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
