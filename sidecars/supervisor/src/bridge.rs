//! Copies standard input and output to the supervisor's socket: how a backend reaches it that can only start a process
//! beside it.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

/// Bytes that are copied at once.
const PIECE: usize = 64 * 1024;

/// Copies until the supervisor has ended the connection, which it does when standard input has ended. The exit code is 0.
pub(crate) fn run(path: &Path) -> io::Result<u8> {
    let socket = UnixStream::connect(path)?;
    // Not through std's buffers: nothing is to be held back.
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let up = socket.try_clone()?;
    thread::spawn(move || {
        let _ = copy(input, &up);
        let _ = up.shutdown(Shutdown::Write);
    });
    match copy(&socket, output) {
        // Whoever read this is gone, and with it the reason to be here.
        Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
            Err(error)
        }
        _ => Ok(0),
    }
}

fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => to.write_all(&piece[..read])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
