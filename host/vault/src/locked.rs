//! Memory for what must not leave it.

use std::fmt;

use memmap2::{Advice, MmapMut};
use zeroize::Zeroize;

/// Bytes on pages of their own, which are neither swapped out nor written into a core dump nor seen by a child process,
/// as far as the system allows; wiped when dropped.
pub(crate) struct Locked {
    pages: MmapMut,
    length: usize,
}

impl Locked {
    /// So many bytes, filled by `fill`.
    pub(crate) fn filled<E>(length: usize, fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E>
    where
        E: From<std::io::Error>,
    {
        // A mapping of no bytes cannot be made.
        let pages = MmapMut::map_anon(length.max(1))?;
        // Each is a wall of its own; where the system has a limit on locked memory, the others stand.
        let _ = (pages.lock(), pages.advise(Advice::DontDump), pages.advise(Advice::DontFork));
        let mut locked = Self { pages, length };
        fill(&mut locked.pages[..length])?;
        Ok(locked)
    }

    /// A copy of these bytes.
    pub(crate) fn copy(bytes: &[u8]) -> std::io::Result<Self> {
        Self::filled(bytes.len(), |pages| {
            pages.copy_from_slice(bytes);
            Ok(())
        })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.pages[..self.length]
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.pages[..].zeroize();
    }
}

impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Locked(…)")
    }
}
