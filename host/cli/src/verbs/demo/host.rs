//! The demo's host: this binary, started and spoken to as any MCP client would.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Instant;

use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, Tool};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::TokioChildProcess;
use serde_json::Value;
use tokio::process::Command;

use super::rules::Rules;
use super::step::{Asked, Step};
use crate::args::Global;
use crate::binary;
use crate::exit::Error;

/// A host and the connection to it.
pub(super) struct Host(RunningService<RoleClient, ()>);

impl Host {
    pub(super) async fn start(global: &Global, rules: &Rules) -> Result<Self, Error> {
        let mut command = command(rules.options(global))?;
        // What is denied is the demo's to show.
        command.arg("--log").arg(global.log.as_deref().unwrap_or("error")).arg("mcp");
        let (transport, _) = TokioChildProcess::builder(command)
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| Error::failed(format!("the host did not start: {error}")))?;
        let client = ().serve(transport).await;
        client.map(Self).map_err(|error| Error::failed(format!("no MCP connection: {error}")))
    }

    pub(super) async fn tools(&self) -> Result<Vec<Tool>, Error> {
        self.0.list_all_tools().await.map_err(|error| Error::failed(error.to_string()))
    }

    pub(super) async fn call(&self, asked: Asked) -> Result<Step, Error> {
        let mut request = CallToolRequestParams::new(asked.tool);
        if let Value::Object(arguments) = &asked.input {
            request = request.with_arguments(arguments.clone());
        }
        let since = Instant::now();
        let result = self.0.call_tool(request).await.map_err(|error| Error::failed(error.to_string()))?;
        Ok(Step::answered(asked, since.elapsed(), &result))
    }

    /// The host ends with its stdin.
    pub(super) async fn stop(self) {
        // One that has ended already is as good.
        let _ = self.0.cancel().await;
    }
}

fn command(options: Vec<OsString>) -> Result<Command, Error> {
    let mut command = Command::new(binary::path()?);
    command.args(options).kill_on_drop(true);
    Ok(command)
}

/// What stands around a host that is started with these options, in a line. A client cannot see it, so `doctor` is asked.
pub(super) async fn walls(global: &Global, rules: &Rules) -> Option<String> {
    let mut command = command(rules.options(global)).ok()?;
    let output = command.args(["--json", "doctor"]).stdin(Stdio::null()).output().await.ok()?;
    let report: Value = serde_json::from_slice(&output.stdout).ok()?;
    let walls = report["checks"].as_array()?.iter().find(|check| check["what"] == "walls")?;
    walls["found"].as_str().map(str::to_owned)
}
