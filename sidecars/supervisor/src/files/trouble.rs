//! What went wrong, in the words of the protocol.

use std::io;

use packhost_session_protocol::message::{Fault, Refusal};
use rustix::io::Errno;

/// The most bytes of a path in a refusal, whose message is to stay under 500.
const SHOWN: usize = 200;

/// A refusal that says what could not be done, with what, and why.
pub(super) fn trouble(done: &str, path: &[u8], errno: Errno) -> Refusal {
    let why = match errno {
        Errno::NAMETOOLONG => "the name is too long".to_owned(),
        Errno::XDEV => "it would leave its file system or what its directory allows".to_owned(),
        errno => io::Error::from(errno).to_string(),
    };
    Refusal::new(fault(errno), format!("cannot {done} {}: {why}", shown(path)))
}

/// As much of a path as a refusal has room for.
pub(super) fn shown(path: &[u8]) -> String {
    let start = path.len().saturating_sub(SHOWN);
    let cut = if start > 0 { "…" } else { "" };
    let mut text = format!("{cut}{}", path[start..].escape_ascii());
    if text.len() > SHOWN {
        text.truncate(SHOWN - 3);
        text.push('…');
    }
    text
}

fn fault(errno: Errno) -> Fault {
    match errno {
        Errno::NOENT => Fault::NotFound,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => Fault::Denied,
        Errno::EXIST => Fault::Exists,
        Errno::ISDIR | Errno::NOTDIR | Errno::NOTEMPTY | Errno::LOOP | Errno::NXIO | Errno::NODEV => {
            Fault::WrongKind
        }
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::MLINK => Fault::Full,
        Errno::BUSY | Errno::TXTBSY | Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::AGAIN => {
            Fault::Busy
        }
        Errno::NAMETOOLONG => Fault::Malformed,
        Errno::XDEV | Errno::OPNOTSUPP | Errno::NOSYS => Fault::Unsupported,
        _ => Fault::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::{shown, trouble};
    use rustix::io::Errno;

    #[test]
    fn a_refusal_stays_short_whatever_the_path() {
        for path in [vec![b'a'; 4096], vec![0xff; 4096], b"/short".to_vec(), Vec::new()] {
            assert!(trouble("read", &path, Errno::NAMETOOLONG).message.len() <= 500);
        }
        assert_eq!(shown(b"/a\n\xff"), "/a\\n\\xff");
    }
}
