//! `packhost mcp`: MCP over stdin and stdout.

use std::time::Duration;

use crate::args::{Global, Mcp as Args};
use crate::exit::Error;
use crate::host::{Prepared, prepare};
use crate::reload;

/// How long running calls get after stdin has ended.
const DRAIN: Duration = Duration::from_secs(2);

pub(crate) fn run(global: &Global, args: &Args) -> Result<(), Error> {
    let prepared = prepare(global, Some(&args.bounds), None)?;
    let dirs = prepared.dirs.clone();
    let runtime = Prepared::runtime()?;
    let served = runtime.block_on(async {
        let engine = prepared.start().await?;
        reload::watch(global.clone(), dirs, engine.clone());
        let served = packhost_mcp::serve_stdio(
            engine.clone(),
            packhost_mcp::StdioSettings::default(),
            super::serve::shutdown(),
        )
        .await;
        engine.drain(DRAIN).await;
        served.map_err(|error| Error::failed(error.to_string()))
    });
    // A read of stdin may be under way for ever.
    runtime.shutdown_background();
    served
}
