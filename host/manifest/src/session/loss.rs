//! Whether an edit takes something away from a pack's sandboxes.

use super::Session;
use crate::http::{CONNECT, HttpRule};
use crate::loss::{allow_all_of, holds};

impl Session {
    /// Whether all that `old` gave is still given. Errs on the side of no.
    pub(crate) fn holds(&self, old: &Self) -> bool {
        old.on.iter().all(|backend| self.on.contains(backend))
            && same_image(self, old)
            && self.files.hold(&old.files)
            && allow_all_of(&self.http, &old.http)
            && keep_tunnels(&self.http, &old.http)
            && holds(&self.env, &old.env)
            && self.idle >= old.idle
            && self.lifetime >= old.lifetime
    }
}

/// What a sandbox is made of is what its programs are: another image is another sandbox.
fn same_image(new: &Session, old: &Session) -> bool {
    match (&new.image, &old.image) {
        (Some(new), Some(old)) => new.holds(old),
        (new, old) => new == old,
    }
}

/// Whether no rule has come that ends the TLS of what went through a tunnel.
fn keep_tunnels(new: &[HttpRule], old: &[HttpRule]) -> bool {
    let tunnels = old.iter().any(|rule| rule.methods.iter().any(|method| method == CONNECT));
    let known = |rule: &HttpRule| old.iter().any(|own| own.terminate && own.target.holds(&rule.target));
    !tunnels || new.iter().filter(|rule| rule.terminate).all(known)
}
