//! The value of a program, which its runner leaves beside the code.

use packhost_sdk::session::{self, Finished};
use packhost_sdk::{Value, serde_json};

/// Where a runner writes the value, outside of the workspace.
pub const VALUE: &str = "/tmp/.packhost/value.json";
/// The longest value that is answered as JSON, in bytes.
const LONGEST: u32 = 256 << 10;

/// What the last line or expression of a program was worth, where it ended well and was worth something.
pub fn value(finished: &Finished) -> Option<Value> {
    if finished.exit_code != Some(0) {
        return None;
    }
    let file = session::read(VALUE, LONGEST).ok()?;
    if file.total > file.bytes.len() as u64 {
        return Some(Value::String(format!("[a value of {} bytes; write it to a file]", file.total)));
    }
    serde_json::from_slice(&file.bytes).ok()
}
