//! Memory for what must not leave it.

use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

use memmap2::{Advice, MmapMut};
use zeroize::Zeroize;

/// The smallest mapping, in bytes. Whatever fits takes one of these.
const PAGE: usize = 4096;
/// So many of them, wiped, are kept for the next secret: to make one takes longer than everything else that opens a secret.
const KEPT: usize = 16;

static WIPED: Mutex<Vec<MmapMut>> = Mutex::new(Vec::new());

/// Bytes on pages of their own, which are neither swapped out nor written into a core dump nor seen by a child process,
/// as far as the system allows; wiped when dropped.
pub(crate) struct Locked {
    /// Gone while it is being dropped.
    pages: Option<MmapMut>,
    length: usize,
}

/// Pages for so many bytes, all of them zero.
fn pages(length: usize) -> io::Result<MmapMut> {
    let kept = (length <= PAGE).then(|| WIPED.lock().unwrap_or_else(PoisonError::into_inner).pop()).flatten();
    if let Some(pages) = kept {
        return Ok(pages);
    }
    let pages = MmapMut::map_anon(length.max(PAGE))?;
    // Each is a wall of its own; where the system has a limit on locked memory, the others stand.
    let _ = (pages.lock(), pages.advise(Advice::DontDump), pages.advise(Advice::DontFork));
    Ok(pages)
}

impl Locked {
    /// So many bytes, filled by `fill`.
    pub(crate) fn filled<E>(length: usize, fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E>
    where
        E: From<io::Error>,
    {
        let mut locked = Self { pages: Some(pages(length)?), length };
        fill(locked.pages.as_mut().map_or(&mut [], |pages| &mut pages[..length]))?;
        Ok(locked)
    }

    /// A copy of these bytes.
    pub(crate) fn copy(bytes: &[u8]) -> io::Result<Self> {
        Self::filled(bytes.len(), |pages| {
            pages.copy_from_slice(bytes);
            Ok(())
        })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.pages.as_ref().map_or(&[], |pages| &pages[..self.length])
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let Some(mut pages) = self.pages.take() else { return };
        // Nothing else was ever written.
        pages[..self.length].zeroize();
        let mut wiped = WIPED.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() == PAGE && wiped.len() < KEPT {
            wiped.push(pages);
        }
    }
}

impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locked(…)")
    }
}
