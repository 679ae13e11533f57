//! The values that a call has used, and what it has signed with them, so that both can be taken out of what comes back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use packhost_core::CredentialName;
use packhost_redact::Redactor;
use zeroize::Zeroizing;

/// How much of what was signed in a call is looked for: the latest signatures and tokens, as many as a [`Redactor`] has room for
/// beside as many values. Each request makes another, and none is of use for long.
const LATEST: usize = Redactor::MOST / 2;

/// What one call has put into its requests. Cheap to clone; all clones are the same call's.
#[derive(Clone, Default)]
pub struct Used {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    values: Vec<Labelled>,
    made: VecDeque<Labelled>,
    /// How many were added so far, forgotten ones too.
    added: usize,
    redactor: Option<Redactor>,
}

/// A value with the name of its credential.
type Labelled = (String, Zeroizing<Vec<u8>>);

impl Inner {
    fn all(&self) -> impl Iterator<Item = &Labelled> {
        self.values.iter().chain(&self.made)
    }

    /// A redactor of all that is known and one more. `None` where there is none.
    fn with(&self, added: &Labelled) -> Option<Redactor> {
        let all = self.all().chain(std::iter::once(added));
        Redactor::new(all.map(|(name, value)| (name.as_str(), value.as_slice()))).ok()
    }

    /// From here on this is what is looked for.
    fn now(&mut self, redactor: Redactor) {
        self.redactor = Some(redactor);
        self.added += 1;
    }
}

impl Used {
    /// Takes every value that was used so far out of a text or a stream. `None` as long as none was used.
    pub fn redactor(&self) -> Option<Redactor> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).redactor.clone()
    }

    /// The same with how many values, signatures and tokens were added, if that is more than this by now.
    pub(crate) fn beyond(&self, known: usize) -> Option<(usize, Redactor)> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let redactor = inner.redactor.clone().filter(|_| inner.added > known)?;
        Some((inner.added, redactor))
    }

    /// Whether the name of a header, which is in lower case whatever it was, holds a value.
    pub(crate) fn is_in_name(&self, name: &str) -> bool {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.all().any(|(_, value)| {
            let window = name.as_bytes().windows(value.len());
            window.into_iter().any(|part| part.eq_ignore_ascii_case(value))
        })
    }

    /// From here on the value is taken out of what comes back. False if that cannot be done, which must keep the value from
    /// being sent.
    pub(crate) fn add(&self, name: &CredentialName, value: &[u8]) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.values.iter().any(|(_, known)| ***known == *value) {
            return true;
        }
        let added = (name.to_string(), Zeroizing::new(value.to_vec()));
        let Some(redactor) = inner.with(&added) else { return false };
        inner.now(redactor);
        inner.values.push(added);
        true
    }

    /// The same for what was signed with it. The earliest of more than [`LATEST`] is forgotten.
    pub(crate) fn add_made(&self, name: &CredentialName, made: &str) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.values.iter().any(|(_, known)| **known == made.as_bytes()) {
            return true;
        }
        if let Some(at) = inner.made.iter().position(|(_, known)| **known == made.as_bytes()) {
            // The same once more is the latest again.
            let again = inner.made.remove(at);
            inner.made.extend(again);
            return true;
        }
        let added = (name.to_string(), Zeroizing::new(made.as_bytes().to_vec()));
        if inner.made.len() == LATEST {
            inner.made.pop_front();
        }
        let Some(redactor) = inner.with(&added) else { return false };
        inner.now(redactor);
        inner.made.push_back(added);
        true
    }
}

impl std::fmt::Debug for Used {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_list().entries(inner.all().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(redactor: &Redactor, text: &str) -> bool {
        redactor.finds(text.as_bytes())
    }

    #[test]
    fn what_is_signed_while_a_response_is_on_its_way_is_looked_for_in_it() {
        let used = Used::default();
        let name: CredentialName = "KEY".parse().expect("a name");
        assert!(used.add(&name, b"the-key-itself") && used.add_made(&name, "signature-1"));
        let (known, _) = used.beyond(0).expect("something was used");
        assert!(used.beyond(known).is_none(), "nothing is new");
        // The next request: the same key, and another signature.
        assert!(used.add(&name, b"the-key-itself") && used.add_made(&name, "signature-2"));
        let (known, redactor) = used.beyond(known).expect("another signature");
        assert!(["the-key-itself", "signature-1", "signature-2"].iter().all(|text| finds(&redactor, text)));
        assert!(used.beyond(known).is_none());
    }

    #[test]
    fn the_latest_signatures_are_looked_for_and_one_that_is_made_again_is_the_latest() {
        let used = Used::default();
        let name: CredentialName = "KEY".parse().expect("a name");
        let made = |number: usize| format!("signature-{number:02}");
        assert!((0..LATEST).all(|number| used.add_made(&name, &made(number))));
        assert!(used.add_made(&name, &made(0)) && used.add_made(&name, &made(LATEST)));
        let redactor = used.redactor().expect("something was made");
        assert!(finds(&redactor, &made(0)) && !finds(&redactor, &made(1)));
        assert!((2..=LATEST).all(|number| finds(&redactor, &made(number))));
    }
}
