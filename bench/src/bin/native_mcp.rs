//! The native twin of the pack `text.stats`, as a tool of a bare rmcp server: `native-mcp stdio`, or `native-mcp http`,
//! which prints its URL. The settings of both doors are those of the host's.

#[path = "../../../packs-wasm/text-stats/src/count.rs"]
mod count;

use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, JsonObject, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::stdio_pipes;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::Value;
use tokio::net::TcpListener;

/// The largest request body, in bytes.
const BODY: usize = 4 << 20;

/// One tool, nothing around it.
struct Stats;

impl ServerHandler for Stats {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = Arc::new(schemars::schema_for!(count::Input).as_object().cloned().unwrap_or_default());
        let output = Arc::new(schemars::schema_for!(count::Output).as_object().cloned().unwrap_or_default());
        let tool =
            Tool::new("text_stats", "Counts what is in a text.", schema).with_raw_output_schema(output);
        Ok(ListToolsResult::with_all_items(vec![tool]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let answer = stats(request.arguments.unwrap_or_default());
        let answer = answer.map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        Ok(CallToolResult::structured(answer).into())
    }
}

fn stats(arguments: JsonObject) -> serde_json::Result<Value> {
    let input: count::Input = serde_json::from_value(Value::Object(arguments))?;
    serde_json::to_value(count::count(&input))
}

async fn stdio() -> Result<(), Box<dyn Error>> {
    Stats.serve(stdio_pipes()).await?.waiting().await?;
    Ok(())
}

async fn http() -> Result<(), Box<dyn Error>> {
    let config = StreamableHttpServerConfig::default()
        .with_json_response(true)
        .with_allowed_origins(["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"])
        .enforce_origin_validation()
        .with_max_request_body_bytes(BODY);
    let mcp = StreamableHttpService::new(|| Ok(Stats), Arc::<LocalSessionManager>::default(), config);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let started = serde_json::json!({ "listening": format!("http://{}/mcp", listener.local_addr()?) });
    writeln!(io::stdout(), "{started}")?;
    let listener = listener.tap_io(|stream| {
        // A socket without it would only be slower.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, Router::new().route_service("/mcp", mcp)).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1).as_deref() {
        Some("stdio") => stdio().await,
        Some("http") => http().await,
        _ => Err("usage: native-mcp stdio|http".into()),
    }
}
