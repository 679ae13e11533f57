//! What went wrong at which step, and how it gets from the sandbox's first process to the launcher.

use std::io;

use crate::wire::{Fault, Refusal};

/// A step that did not work.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) fault: Fault,
    pub(crate) message: String,
}

impl Trouble {
    pub(crate) fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into() }
    }

    /// As one packet.
    pub(crate) fn packet(&self) -> Vec<u8> {
        let mut packet = Vec::new();
        // Writing into a vector cannot fail.
        let _ = minicbor::encode(Refusal::new(self.fault, self.message.as_str()), &mut packet);
        packet
    }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble.fault, trouble.message)
    }
}

/// Says what was being done when the kernel answered with an error.
pub(crate) trait During<T> {
    /// `what` is a phrase such as `mounting /proc`.
    fn during(self, what: impl AsRef<str>) -> Result<T, Trouble>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, what: impl AsRef<str>) -> Result<T, Trouble> {
        self.map_err(|error| {
            let error: io::Error = error.into();
            let fault = match error.raw_os_error() {
                Some(
                    libc::EAGAIN | libc::ENOMEM | libc::ENOSPC | libc::EMFILE | libc::ENFILE | libc::EUSERS,
                ) => Fault::Exhausted,
                _ => Fault::Failed,
            };
            Trouble::new(fault, format!("{}: {error}", what.as_ref()))
        })
    }
}
