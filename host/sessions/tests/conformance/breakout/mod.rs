//! Programs that try to get out, or to take more than is theirs. Each is denied whatever it tries, and the host goes on.
//!
//! They run under the widest rules that the backend lets a host give, where that makes the try harder to stop: the sandbox
//! has to hold without what a call's own rules hold.

pub(crate) mod files;
pub(crate) mod floods;
pub(crate) mod kernel;
pub(crate) mod proc;
pub(crate) mod processes;
pub(crate) mod races;
pub(crate) mod sockets;

use packhost_session_protocol::message::Confinement;
use packhost_sessions::link::Command;

use crate::room::{Room, profile, python};

/// What the scripts share: system calls by number, and errors as numbers.
const PRELUDE: &str = "
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def word(value): return ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_long(value)
def call(number, *arguments):
    if libc.syscall(ctypes.c_long(number), *map(word, arguments)) == -1: return ctypes.get_errno()
    return 0
def tried(what, *arguments):
    try: what(*arguments)
    except OSError as error: return error.errno
    return 0
def say(error, *what): print(error, *what, flush=True)
";

/// EPERM, EACCES, ENOSYS: what says no.
const NO: &[i32] = &[1, 13, 38];

/// All paths, to read and to write: nothing but the sandbox itself is in the way.
fn everything() -> Confinement {
    Confinement { read_write: vec![b"/".to_vec().into()], ..profile() }
}

fn trying(script: &str) -> Command {
    python(&format!("{PRELUDE}{script}"))
}

/// What a script tried and the error that it met, one in a line.
async fn errors(room: &Room, command: Command) -> Vec<(i32, String)> {
    let said = room.says(command).await;
    let line = |line: &str| {
        let (error, what) = line.split_once(' ')?;
        Some((error.parse().ok()?, what.to_owned()))
    };
    said.lines().map(|text| line(text).unwrap_or_else(|| panic!("not an answer: {text}"))).collect()
}

/// Everything that the script tries meets one of these errors; and the sandbox goes on.
async fn denies(room: &Room, command: Command, with: &[i32]) {
    let met = errors(room, command).await;
    assert!(!met.is_empty(), "nothing was tried");
    let done: Vec<_> = met.iter().filter(|(error, _)| !with.contains(error)).collect();
    assert!(done.is_empty(), "not denied with {with:?}: {done:?}");
    room.link.ping().await.expect("the sandbox goes on");
}

/// System calls by name, number and arguments, as a script that tries each.
fn calls(all: &[(&str, i64, &str)]) -> String {
    let line = |(name, number, arguments): &(&str, i64, &str)| {
        format!("say(call({number}, {arguments}), '{name}', r\"\"\"{arguments}\"\"\")\n")
    };
    all.iter().map(line).collect()
}
