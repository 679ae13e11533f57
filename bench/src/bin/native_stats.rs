//! The native twin of the pack `text.stats`, as a process: JSON on stdin, JSON on stdout.

#[path = "../../../packs-wasm/text-stats/src/count.rs"]
mod count;

use std::io;

fn main() -> io::Result<()> {
    let input: count::Input = serde_json::from_reader(io::stdin().lock())?;
    serde_json::to_writer(io::stdout().lock(), &count::count(&input))?;
    Ok(())
}
