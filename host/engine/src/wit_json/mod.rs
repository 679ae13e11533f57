//! Components that know nothing of packhost: their exported functions as tools, and values both ways.
//!
//! | WIT | JSON |
//! |---|---|
//! | `bool`, `string` | the same |
//! | `u8` … `s32` | integer |
//! | `u64`, `s64` | integer; beyond ±(2^53 - 1) given as a decimal string, and a decimal string is always taken |
//! | `f32`, `f64` | number, or `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | `char` | string of one Unicode scalar value |
//! | `list<u8>` | base64 string (RFC 4648 section 4) |
//! | `list<T>`, `list<T, N>`, `tuple` | array |
//! | `record` | object; an option that is none is left out, null is taken for none |
//! | `option<T>` | `T` or null |
//! | `option<option<T>>` | null, `{"some": null}` or `{"some": T}`: the outer option wraps, the innermost does not |
//! | `enum`; `flags` | string; array of strings, each once |
//! | `variant`, `result` | `{"tag": case, "val": payload}`, without `val` where the case has none |
//! | `map<string, V>`; `map<K, V>` | object; array of `[key, value]` |
//!
//! A function's input is an object with a property for each parameter. A result that is a record or a map of strings
//! is the output itself, anything else its property `result`. Where the result is a `result<T, E>`, `T` is the output
//! and an `err` is the call's failure. Handles, streams, futures and error contexts are not values: a function that has
//! one is not a tool.

mod call;
mod discover;
mod lift;
mod lower;
mod schema;
mod shape;
#[cfg(test)]
mod tests;

pub(crate) use discover::signatures;
pub(crate) use lift::Lifted;

use shape::{Member, Shape};
use wasmtime::component::ComponentExportIndex;

/// An exported function that can be a tool.
#[derive(Debug)]
pub(crate) struct Signature {
    /// Its name without package and version, such as `count.words`; a [`PackName`](packhost_core::PackName) in form.
    pub(crate) name: String,
    export: ComponentExportIndex,
    params: Vec<Member>,
    result: Option<Shape>,
}

impl Signature {
    /// What the function gives when it does not fail.
    fn answer(&self) -> Option<&Shape> {
        match self.result.as_ref()? {
            Shape::Result([ok, _]) => ok.payload.as_deref(),
            shape => Some(shape),
        }
    }
}
