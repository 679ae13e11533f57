//! Everything a pack needs: one macro, typed input and output, errors that an agent can act on.
//!
//! Owns: the guest side of the contract in `wit/pack.wit`, and the description that a build writes into the component.
//! Refuses: what WASI and the Rust standard library already have (files, clocks, randomness).
//!
//! ```ignore
//! use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize};
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Input {
//!     /// Whom to greet.
//!     name: String,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Output {
//!     /// The greeting.
//!     greeting: String,
//! }
//!
//! packhost_sdk::pack! {
//!     name: "hello.world",
//!     title: "Hello",
//!     description: "Greets somebody by name.",
//!     effects: [read_only, idempotent],
//!     examples: [{ "name": "Ada" }],
//!     run: greet,
//! }
//!
//! fn greet(input: Input) -> Result<Output, Error> {
//!     Ok(Output { greeting: format!("Hello, {}!", input.name) })
//! }
//! ```

mod answer;
#[cfg(feature = "api")]
pub mod api;
pub mod artifacts;
pub mod ask;
#[cfg(feature = "config")]
pub mod config;
mod describe;
mod error;
#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "http")]
pub mod http;
pub mod log;
mod one_or_many;
mod pack;
pub mod progress;
pub mod session;
pub mod text;

pub use answer::{Answer, Block, Reply};
pub use error::{Code, Error};
pub use one_or_many::OneOrMany;
pub use schemars::JsonSchema;
pub use serde::{Deserialize, Serialize};
pub use serde_json::{self, Value, json};

/// What `pack!` expands to names these; a pack does not.
#[doc(hidden)]
pub mod macro_support {
    pub use crate::bindings;
    pub use crate::describe::{Effects, Pack, Wants, describe};
    pub use crate::pack::run;
}

#[doc(hidden)]
#[allow(missing_docs, reason = "generated from wit/pack.wit, which has the documentation")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "pack",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "packhost_sdk::macro_support::bindings",
    });
}
