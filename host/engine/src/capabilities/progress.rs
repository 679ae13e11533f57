//! `packhost:pack/progress`: how far a call has come, handed on at a bounded rate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{HasSelf, Linker};

use super::Granted;
use super::bindings::progress::{self, Host};
use crate::call::{Client, Progress};
use crate::runtime::Guest;

/// Reports that may come at once before the rate holds.
const BURST: u32 = 16;
/// Time that earns one more report.
const REFILL: Duration = Duration::from_millis(50);
/// The longest message, in characters.
const MESSAGE: usize = 500;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    progress::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

pub(super) fn build(granted: &Granted<'_>) -> Reporter {
    Reporter {
        client: Arc::clone(granted.client),
        tokens: BURST,
        refilled: Instant::now(),
        done: f64::NEG_INFINITY,
    }
}

/// Hands progress to the client: only what grows, and no more often than the rate allows.
pub(crate) struct Reporter {
    client: Arc<dyn Client>,
    tokens: u32,
    refilled: Instant,
    done: f64,
}

impl Reporter {
    fn report(&mut self, progress: Progress) {
        let sane = progress.done.is_finite() && progress.total.is_none_or(f64::is_finite);
        if !sane || progress.done <= self.done || !self.allowed() {
            return;
        }
        self.done = progress.done;
        self.client.progress(progress);
    }

    fn allowed(&mut self) -> bool {
        let earned = self.refilled.elapsed().as_millis() / REFILL.as_millis();
        if earned > 0 {
            self.tokens = self.tokens.saturating_add(u32::try_from(earned).unwrap_or(BURST)).min(BURST);
            self.refilled = Instant::now();
        }
        let allowed = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        allowed
    }
}

impl Host for Guest {
    async fn report(
        &mut self,
        done: f64,
        total: Option<f64>,
        message: Option<String>,
    ) -> wasmtime::Result<()> {
        let message = message.map(|text| text.chars().take(MESSAGE).collect());
        self.progress.report(Progress { done, total, message });
        Ok(())
    }
}
