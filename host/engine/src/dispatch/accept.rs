//! Steps 3 and 4: the input against its schema, and what this call is granted.

use std::sync::Arc;

use packhost_core::{ErrorCode, Failure};
use packhost_manifest::Grants;
use serde_json::Value;

use super::Progressed;
use crate::call::Call;
use crate::catalog::Tool;
use crate::engine::Inner;

/// The input as the pack will see it: valid, after what could be mended was mended.
pub(super) fn accept(
    engine: &Inner,
    call: &mut Call,
    tool: &Tool,
    so_far: &mut Progressed,
) -> Result<Value, Failure> {
    so_far.input = tool.entry.record_input.then(|| call.input.clone());
    let accepted = tool.input.accept(std::mem::take(&mut call.input))?;
    so_far.mends = accepted.mends;
    let limit = engine.settings.input;
    if size(&accepted.value) > limit {
        let message = format!("The input is larger than {limit} bytes.");
        return Err(Failure::new(ErrorCode::InvalidInput, message).fix("Send less in one call."));
    }
    Ok(accepted.value)
}

/// A lower bound of the JSON text's size: strings are what makes an input large.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum::<usize>() + items.len(),
        Value::Object(fields) => fields.iter().map(|(key, value)| key.len() + size(value)).sum(),
        _ => 1,
    }
}

/// The manifest's entry, narrowed by this call's input.
pub(super) fn grants(engine: &Inner, tool: &Tool, input: &Value) -> Arc<Grants> {
    Arc::new(tool.entry.narrow(input, &engine.settings.vars()))
}
