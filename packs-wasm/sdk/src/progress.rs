//! How far a call has come.

use crate::bindings::packhost::pack::progress;

/// Says how far the call has come. `done` should only grow; `total` is in the same unit. The host forwards it at a
/// bounded rate, so it may be called often.
pub fn report(done: f64, total: Option<f64>, message: Option<&str>) {
    progress::report(done, total, message);
}
