//! What is generated from `wit/`: one module per served version of the contract.

#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "packhost:pack/pack",
    imports: { default: async | trappable },
    exports: { default: async },
    with: { "packhost:pack/artifacts.writer": super::artifacts::Writing },
    require_store_data_send: true,
});

pub use self::packhost::pack::{artifacts, ask, progress, session, types};
pub use self::wasi::logging::logging;
