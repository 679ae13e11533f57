//! Where it is noted which requests no rule allows, so that an operator can decide about them. Who keeps them is not the
//! engine's to know.

use packhost_core::PackName;
use packhost_manifest::DeniedRequest;

/// Notes denied requests.
pub trait DenialLog: Send + Sync {
    /// Notes what one call of this pack was denied, or would have been (`report: true`). May block. What cannot be noted is
    /// no reason for the call to fail.
    fn note(&self, pack: &PackName, denied: &[DeniedRequest]);
}
