//! Messages for the operator's log; clients that take log lines get them too.

use crate::bindings::wasi::logging::logging;
pub use crate::bindings::wasi::logging::logging::Level;

/// Writes a message; bounded by the host.
pub fn write(level: Level, message: &str) {
    logging::log(level, "", message);
}

/// Something that helps to find a fault.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Something worth knowing.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Something that may be wrong.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}
