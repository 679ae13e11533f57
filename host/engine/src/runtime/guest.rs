//! What a store holds for one call: the state behind every host function.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_config::WasiConfigVariables;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::{Limiter, Logs, Stop};
use crate::capabilities::{Ask, Keeping, Outgoing, Reporter};
use crate::session::CallSession;

/// The state of one call.
pub(crate) struct Guest {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    pub(crate) limiter: Limiter,
    pub(crate) outgoing: Outgoing,
    pub(crate) config: WasiConfigVariables,
    pub(crate) progress: Reporter,
    pub(crate) ask: Ask,
    pub(crate) logs: Arc<Logs>,
    pub(crate) session: Box<CallSession>,
    pub(crate) keeping: Keeping,
}

/// What the capabilities built for this call.
pub(crate) struct GuestParts {
    pub(crate) wasi: WasiCtx,
    pub(crate) outgoing: Outgoing,
    pub(crate) config: WasiConfigVariables,
    pub(crate) progress: Reporter,
    pub(crate) ask: Ask,
    pub(crate) logs: Arc<Logs>,
    pub(crate) session: Box<CallSession>,
    pub(crate) keeping: Keeping,
}

/// Bytes of header fields that one message may hold.
const FIELDS: usize = 128 << 10;

impl Guest {
    /// A store with the limits of this call: memory, handles, bytes per host call, and the epoch check that stops
    /// it or lets others run.
    pub(crate) fn store(
        engine: &wasmtime::Engine,
        parts: GuestParts,
        limits: &packhost_manifest::Limits,
        stop: Arc<Stop>,
    ) -> Store<Self> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles as usize);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS);
        let GuestParts { wasi, outgoing, config, progress, ask, logs, session, keeping } = parts;
        let limiter = Limiter::new(limits.memory);
        let guest =
            Self { table, wasi, http, limiter, outgoing, config, progress, ask, logs, session, keeping };
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.limiter);
        store.set_hostcall_fuel(usize::try_from(limits.hostcall).unwrap_or(usize::MAX));
        store.set_max_component_handles(limits.handles as usize);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| match stop.check() {
            Some(reason) => Err(Stopped(reason).into()),
            None => Ok(UpdateDeadline::Yield(1)),
        });
        store
    }
}

/// The epoch check found that the call has to stop. Only for the operator's log: dispatch asks [`Stop`] itself.
#[derive(Debug, thiserror::Error)]
#[error("stopped: {0:?}")]
struct Stopped(super::StopReason);

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}
