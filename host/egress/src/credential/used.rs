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
}

impl Used {
    /// Takes every value that was used so far out of a text or a stream. `None` as long as none was used.
    pub fn redactor(&self) -> Option<Redactor> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).redactor.clone()
    }

    /// The same with the number of values, if there are more than this by now.
    pub(crate) fn beyond(&self, known: usize) -> Option<(usize, Redactor)> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let redactor = inner.redactor.clone().filter(|_| inner.values.len() > known)?;
        Some((inner.values.len(), redactor))
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
        inner.redactor = Some(redactor);
        inner.values.push(added);
        true
    }

    /// The same for what was signed with it. The earliest of more than [`LATEST`] is forgotten.
    pub(crate) fn add_made(&self, name: &CredentialName, made: &str) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.all().any(|(_, known)| **known == made.as_bytes()) {
            return true;
        }
        let added = (name.to_string(), Zeroizing::new(made.as_bytes().to_vec()));
        if inner.made.len() == LATEST {
            inner.made.pop_front();
        }
        let Some(redactor) = inner.with(&added) else { return false };
        inner.redactor = Some(redactor);
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
