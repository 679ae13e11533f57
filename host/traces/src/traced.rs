//! A recorder that also traces what it records.

use std::sync::Arc;

use packhost_audit::{AuditError, Event, Recorder, Written};

use crate::collector::Traces;

/// A recorder whose calls become spans, once they are on record.
pub struct Traced {
    recorder: Arc<dyn Recorder>,
    traces: Arc<Traces>,
}

impl Traced {
    /// Over this recorder.
    pub fn new(recorder: Arc<dyn Recorder>, traces: Arc<Traces>) -> Self {
        Self { recorder, traces }
    }

    fn trace(&self, event: &Event) {
        if let Event::Call(call) = event {
            self.traces.add(call);
        }
    }
}

impl Recorder for Traced {
    fn record(&self, event: &Event) -> Result<(), AuditError> {
        self.recorder.record(event)?;
        self.trace(event);
        Ok(())
    }

    fn try_record(&self, event: &Event) -> Result<Written, AuditError> {
        let written = self.recorder.try_record(event)?;
        if matches!(written, Written::At(_)) {
            self.trace(event);
        }
        Ok(written)
    }
}
