//! `packhost demo`: a host, a real MCP client, and calls that are answered, mended and denied.

mod host;
mod page;
mod rules;
mod step;

use packhost_manifest::Manifest;
use rmcp::model::Tool;
use serde_json::{Value, json};

use crate::args::Global;
use crate::binary::{self, quote};
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::host::{Clients, Prepared};
use crate::output::{BOLD, DIM, Output, println};
use host::Host;
use page::ARTICLE;
use rules::Rules;
use step::{Asked, Step};

pub(crate) fn run(global: &Global, output: Output) -> Result<(), Error> {
    let runtime = Prepared::runtime(Clients::Many)?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = demo(global, output) => done,
            _ = tokio::signal::ctrl_c() => Err(Error::Interrupted),
        }
    });
    runtime.shutdown_background();
    done
}

async fn demo(global: &Global, output: Output) -> Result<(), Error> {
    let dirs = Dirs::of(global)?;
    let page = page::serve().await.map_err(|error| Error::failed(format!("the demo's own page: {error}")))?;
    let rules = Rules::write(global, &dirs, page)?;
    let calls = calls(&format!("http://{page}/article"));
    let starting = output.progress("starting the host; the first start compiles packs");
    let (walls, host, tools) = starting.watch(start(global, &rules, &calls)).await?;
    if !output.is_json() {
        greet(&tools, walls.as_deref(), &dirs);
    }
    let mut steps = Vec::new();
    for asked in calls {
        let step = if has(&tools, asked.tool) { host.call(asked).await? } else { Step::not_served(asked) };
        if !output.is_json() {
            step.print(&rules.manifest, &dirs);
        }
        steps.push(step.to_json());
    }
    host.stop().await;
    output.answer(&steps, || part(global, &rules.manifest));
    Ok(())
}

/// Starts the host and calls every pack once: a pack that was never called may have to be compiled first, and the calls
/// that are shown are to show what a call takes.
async fn start(
    global: &Global,
    rules: &Rules,
    calls: &[Asked],
) -> Result<(Option<String>, Host, Vec<Tool>), Error> {
    let walls = host::walls(global, rules).await;
    let host = Host::start(global, rules).await?;
    let tools = host.tools().await?;
    for asked in calls.iter().filter(|asked| has(&tools, asked.tool)) {
        host.call(asked.clone()).await?;
    }
    Ok((walls, host, tools))
}

fn has(tools: &[Tool], name: &str) -> bool {
    tools.iter().any(|tool| tool.name == name)
}

fn greet(tools: &[Tool], walls: Option<&str>, dirs: &Dirs) {
    let (version, state) = (env!("CARGO_PKG_VERSION"), dirs.show(&dirs.state));
    let packs = match tools.len() {
        1 => "1 pack".to_owned(),
        n => format!("{n} packs"),
    };
    println!("  {BOLD}packhost {version}{BOLD:#} · {packs} · deny by default · state in {state}");
    if let Some(walls) = walls {
        println!("  {DIM}walls: {walls}{DIM:#}");
    }
    println!("  {DIM}a host of its own, connected over stdio as any MCP client would{DIM:#}");
}

/// What to do next, as it can be typed here.
fn part(global: &Global, manifest: &Manifest) {
    let command = binary::command();
    let again: Vec<String> = global.again().iter().map(|word| quote(&word.to_string_lossy())).collect();
    let again = again.iter().map(|word| format!(" {word}")).collect::<String>();
    let agents = "(or: cursor, vscode, codex, gemini, opencode, generic)";
    println!(
        "\n  Connect an agent:     {BOLD}{command} connect claude-code{again}{BOLD:#}   {DIM}{agents}{DIM:#}"
    );
    let http = manifest.entries().find(|entry| entry.pack.as_str() == "http.fetch");
    if let Some(entry) = http.or_else(|| manifest.entries().next()) {
        println!("  See what may happen:  {BOLD}{command} policy explain {}{again}{BOLD:#}", entry.pack);
    }
    if command != "packhost"
        && let Ok(own) = binary::path()
    {
        println!(
            "  {DIM}{} is all there is to install: alone on another machine, it serves the same packs{DIM:#}",
            own.display()
        );
    }
}

/// The calls of the demo.
fn calls(url: &str) -> Vec<Asked> {
    let paragraphs = ARTICLE.split("<p>").skip(1).filter_map(|rest| rest.split("</p>").next());
    let text = paragraphs.collect::<Vec<_>>().join("\n\n");
    let bytes = text.len();
    let asked = |pack, tool, input: Value| Asked { pack, tool, shown: input.to_string(), input };
    let long = Asked {
        shown: format!("{{\"text\":\"…\"}}, {bytes} bytes"),
        ..asked("text.stats", "text_stats", json!({ "text": text }))
    };
    vec![
        long,
        asked("web.scrape", "web_scrape", json!({ "url": url })),
        asked("http.fetch", "http_fetch", json!({ "url": "http://169.254.169.254/latest/meta-data" })),
        asked("text.stats", "text_stats", json!({ "text": 5 })),
        asked("text.stats", "text_stats", json!({})),
    ]
}
