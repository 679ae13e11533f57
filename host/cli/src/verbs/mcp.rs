//! `packhost mcp`: MCP over stdin and stdout.

use std::time::Duration;

use crate::args::{Global, Mcp as Args};
use crate::exit::Error;
use crate::host::{Clients, Prepared, Purpose, prepare};
use crate::output::Output;

/// How long running calls get after stdin has ended.
const DRAIN: Duration = Duration::from_secs(2);

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let prepared = prepare(global, Purpose::Stdio(&args.bounds))?;
    let record = prepared.record();
    let runtime = Prepared::runtime(Clients::One)?;
    let served = runtime.block_on(async {
        let (engine, reload, sending) = prepared.start(output).await?;
        let serving = record.serving("host.mcp", "stdio", &engine)?;
        reload.watch();
        let served = packhost_mcp::serve_stdio(
            engine.clone(),
            packhost_mcp::StdioSettings::default(),
            super::serve::shutdown(),
        )
        .await;
        engine.drain(DRAIN).await;
        sending.end().await;
        serving.end(served.map_err(|error| Error::failed(error.to_string())))
    });
    // A read of stdin may be under way for ever.
    runtime.shutdown_background();
    served
}
