//! What is generated from `wit/`.

#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "packhost:pack/pack",
    imports: { default: async | trappable },
    exports: { default: async },
    require_store_data_send: true,
});
