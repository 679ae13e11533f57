//! Where the traffic of a sandbox goes: to the call that has the session now, and nowhere while nobody has it.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use packhost_session_protocol::Stream;

use crate::link::Leaves;

/// Hands connections that leave to the call in charge.
#[derive(Default)]
pub(super) struct Gate(Mutex<Option<Arc<dyn Leaves>>>);

impl Gate {
    /// From now on this call answers for what leaves.
    pub(super) fn open(&self, to: Option<Arc<dyn Leaves>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

#[async_trait]
impl Leaves for Gate {
    async fn leave(&self, stream: Stream) {
        let to = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(to) = to {
            to.leave(stream).await;
        }
    }
}
