//! The values that a call has used, so that they can be taken out of what comes back.

use std::sync::{Arc, Mutex, PoisonError};

use packhost_core::CredentialName;
use packhost_redact::Redactor;
use zeroize::Zeroizing;

/// What one call has put into its requests. Cheap to clone; all clones are the same call's.
#[derive(Clone, Default)]
pub struct Used {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    values: Vec<(String, Zeroizing<Vec<u8>>)>,
    redactor: Option<Redactor>,
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
        inner.values.iter().any(|(_, value)| {
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
        let known = inner.values.iter().chain(std::iter::once(&added));
        let redactor = Redactor::new(known.map(|(name, value)| (name.as_str(), value.as_slice())));
        let Ok(redactor) = redactor else { return false };
        inner.redactor = Some(redactor);
        inner.values.push(added);
        true
    }
}

impl std::fmt::Debug for Used {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_list().entries(inner.values.iter().map(|(name, _)| name)).finish()
    }
}
