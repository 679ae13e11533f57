//! `packhost demo`: a host, a real MCP client, and calls that are answered, mended and denied.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use anstream::println;
use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::TokioChildProcess;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::args::Demo as Args;
use crate::exit::Error;
use crate::output::{BOLD, DIM, GOOD, NOTE, Output};

const ARTICLE: &str = include_str!("demo/article.html");

type Client = RunningService<RoleClient, ()>;

pub(crate) fn run(_: &Args, output: Output) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("no threads: {error}")))?;
    runtime.block_on(demo(output))
}

async fn demo(output: Output) -> Result<(), Error> {
    let page =
        serve_article().await.map_err(|error| Error::failed(format!("the demo's own page: {error}")))?;
    let policy = Policy::write(page)?;
    let spinner = output.spinner("starting the host; the first start compiles the packs");
    let client = connect(&policy).await?;
    let mut steps = Vec::new();
    let calls = calls(page);
    if !output.is_json() {
        spinner.finish_and_clear();
        greet(&client).await?;
    }
    for (tool, input, shown) in calls {
        let since = Instant::now();
        let mut request = CallToolRequestParams::new(tool);
        if let Value::Object(arguments) = input {
            request = request.with_arguments(arguments);
        }
        let result = client.call_tool(request).await.map_err(|error| Error::failed(error.to_string()))?;
        let step = Step { tool, shown, ms: since.elapsed().as_secs_f64() * 1e3, result };
        if !output.is_json() {
            step.print();
        }
        steps.push(step.to_json());
    }
    // The host ends with its stdin.
    let _ = client.cancel().await;
    if output.is_json() {
        output.answer(&steps, || {});
    } else {
        println!();
        println!(
            "  Connect an agent:    {BOLD}packhost connect claude-code{BOLD:#}   (or: cursor, vscode, codex, gemini, opencode)"
        );
        println!("  See what may happen: {BOLD}packhost policy explain http.fetch{BOLD:#}");
        if let Ok(binary) = std::env::current_exe() {
            println!(
                "  {DIM}packhost is {}; copied alone to another machine it serves the same packs{DIM:#}",
                binary.display()
            );
        }
    }
    Ok(())
}

/// The calls of the demo: tool, input, and the input as it is shown.
fn calls(page: SocketAddr) -> Vec<(&'static str, Value, String)> {
    let text = ARTICLE
        .split("<p>")
        .skip(1)
        .filter_map(|rest| rest.split("</p>").next())
        .collect::<Vec<_>>()
        .join("\n\n");
    let url = format!("http://{page}/article");
    let metadata = "http://169.254.169.254/latest/meta-data";
    vec![
        ("text_stats", json!({ "text": text }), format!("{{\"text\": \"…\", {} bytes}}", text.len())),
        ("web_scrape", json!({ "url": url }), format!("{{\"url\": \"{url}\"}}")),
        ("http_fetch", json!({ "url": metadata }), format!("{{\"url\": \"{metadata}\"}}")),
        ("text_stats", json!({ "text": 5 }), "{\"text\": 5}".into()),
        ("text_stats", json!({}), "{}".into()),
    ]
}

struct Step {
    tool: &'static str,
    shown: String,
    ms: f64,
    result: CallToolResult,
}

impl Step {
    fn failed(&self) -> bool {
        self.result.is_error == Some(true)
    }

    fn text(&self) -> String {
        let text = self.result.content.first().and_then(|block| block.as_text());
        text.map(|text| text.text.clone()).unwrap_or_default()
    }

    fn mends(&self) -> Vec<String> {
        let meta = self.result.meta.as_ref().and_then(|meta| meta.get("packhost/mends"));
        let mends = meta.and_then(Value::as_array).cloned().unwrap_or_default();
        mends.iter().filter_map(|mend| mend["message"].as_str().map(str::to_owned)).collect()
    }

    fn print(&self) {
        let verdict = match (self.failed(), self.mends().is_empty()) {
            (true, _) => format!("{NOTE}refused{NOTE:#}"),
            (false, false) => format!("{GOOD}mended{GOOD:#}"),
            (false, true) => format!("{GOOD}{:.1} ms{GOOD:#}", self.ms),
        };
        println!("\n  → tools/call {BOLD}{}{BOLD:#}  {}  {verdict}", self.tool, self.shown);
        for mend in self.mends() {
            println!("    {mend}; the call went through and says so");
        }
        println!("    {}", self.summary());
    }

    /// One line of what came back.
    fn summary(&self) -> String {
        if self.failed() {
            return self.text();
        }
        let answer = self.result.structured_content.clone().unwrap_or_default();
        match self.tool {
            "text_stats" => format!(
                "words {} · lines {} · characters {}",
                answer["words"], answer["lines"], answer["characters"]
            ),
            "web_scrape" => {
                let markdown = answer["markdown"].as_str().map_or(0, |text| text.chars().count());
                format!("title {} · {markdown} characters of Markdown", answer["title"])
            }
            _ => answer.to_string(),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "tool": self.tool, "input": self.shown, "ms": self.ms, "is_error": self.failed(),
            "text": self.text(), "mends": self.mends(), "structured": self.result.structured_content,
        })
    }
}

async fn greet(client: &Client) -> Result<(), Error> {
    let tools = client.list_all_tools().await.map_err(|error| Error::failed(error.to_string()))?;
    println!(
        "  {BOLD}packhost {}{BOLD:#} · {} tools · deny by default",
        env!("CARGO_PKG_VERSION"),
        tools.len()
    );
    println!(
        "  {DIM}connected over stdio as an MCP client; `packhost doctor` shows the walls around the host{DIM:#}"
    );
    Ok(())
}

/// This binary as the host, connected as any MCP client would.
async fn connect(policy: &Policy) -> Result<Client, Error> {
    let binary =
        std::env::current_exe().map_err(|error| Error::failed(format!("where this binary is: {error}")))?;
    let mut command = tokio::process::Command::new(binary);
    command.arg("--policy").arg(&policy.0).arg("mcp");
    let (transport, _) = TokioChildProcess::builder(command)
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| Error::failed(format!("the host did not start: {error}")))?;
    ().serve(transport).await.map_err(|error| Error::failed(format!("no MCP connection: {error}")))
}

/// The directory with the operator's file of the demo: the shipped rules, and this machine's own page for `web.scrape`. Gone with the
/// demo.
struct Policy(PathBuf);

impl Policy {
    fn write(page: SocketAddr) -> Result<Self, Error> {
        let text = format!(
            "version: 1\nextends: shipped\npacks:\n  web.scrape:\n    http:\n      - {{url: \"${{input.url}}\", methods: [GET], addresses: [\"{}/32\"]}}\n",
            page.ip()
        );
        let dir = std::env::temp_dir().join(format!("packhost-demo-{}", std::process::id()));
        std::fs::create_dir(&dir).map_err(|source| Error::file(&dir, source))?;
        let policy = Self(dir);
        let file = policy.0.join("demo.yaml");
        std::fs::write(&file, text).map_err(|source| Error::file(&file, source))?;
        Ok(policy)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        // Nothing can be done about a temporary directory that does not go away.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A page to scrape, on loopback.
async fn serve_article() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever asked went away; the next one is served.
            let _ = answer_with_article(stream).await;
        }
    });
    Ok(address)
}

/// Reads the request's head, whatever it asks for, and answers.
async fn answer_with_article(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while (&mut stream).take(8192).read_line(&mut line).await? > 0 && line.trim() != "" {
        line.clear();
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close";
    let response = format!("{head}\r\ncontent-length: {}\r\n\r\n{ARTICLE}", ARTICLE.len());
    stream.write_all(response.as_bytes()).await
}
