//! `packhost serve`: MCP over HTTP.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anstream::eprintln;
use packhost_engine::Engine;
use packhost_http::{BindError, Settings, Token};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::args::{Global, Serve as Args};
use crate::exit::{Error, INTERRUPTED};
use crate::host::{Clients, Prepared, Purpose, prepare};
use crate::output::{BOLD, DIM, Output};

/// Stopped calls get this long to hand in their answers.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let settings = settings(args)?;
    let listener = packhost_http::bind(&settings).map_err(refused)?;
    let address = listener.local_addr().map_err(|error| Error::failed(error.to_string()))?;
    let tokens = args.tokens.as_deref();
    let prepared = prepare(global, Purpose::Http { bounds: &args.bounds, address, tokens })?;
    let (dirs, in_force) = (prepared.dirs.clone(), prepared.in_force.clone());
    let runtime = Prepared::runtime(Clients::Many)?;
    let served = runtime.block_on(async {
        let (engine, reload) = prepared.start(output).await?;
        let tools = engine.catalog().tools().count();
        let url = format!("http://{address}/mcp");
        if output.is_json() {
            let started = serde_json::json!({ "listening": url, "tools": tools, "walls": in_force });
            anstream::println!("{started}");
        } else {
            let state = dirs.show(&dirs.state);
            eprintln!(
                "{BOLD}packhost {}{BOLD:#} · {tools} {} · deny by default · state in {state}",
                env!("CARGO_PKG_VERSION"),
                if tools == 1 { "tool" } else { "tools" }
            );
            eprintln!("{DIM}{in_force}{DIM:#}");
            eprintln!("listening on {BOLD}{url}{BOLD:#}");
        }
        reload.watch();
        let served = serve(listener, settings, engine, Duration::from_secs(args.drain)).await;
        served.map_err(|error| {
            // stdout has had its document.
            Output::to_stderr(output.is_json()).error("command_failed", &error.to_string());
            Error::Said
        })
    });
    runtime.shutdown_background();
    served
}

/// The listener knows what is unsafe; which option helps is known here.
fn refused(error: BindError) -> Error {
    match error {
        BindError::Exposed(_) => Error::failed(format!(
            "{error}.\n  A token: echo \"laptop $(openssl rand -hex 32)\" > tokens, then serve with --tokens tokens"
        )),
        error => Error::failed(error.to_string()),
    }
}

async fn serve(
    listener: std::net::TcpListener,
    settings: Settings,
    engine: Engine,
    drain: Duration,
) -> Result<(), BindError> {
    let shutdown = shutdown();
    let draining = tokio::spawn({
        let (engine, shutdown) = (engine.clone(), shutdown.clone());
        async move {
            shutdown.cancelled().await;
            engine.drain(drain).await;
        }
    });
    let served = packhost_http::serve(listener, settings, engine, shutdown).await;
    // Only a shutdown ends serving without an error, and then draining has begun.
    if served.is_ok() {
        let _ = draining.await;
    }
    served
}

/// Fires on SIGTERM and on the first Ctrl-C; a second one ends the process as it always does.
pub(crate) fn shutdown() -> CancellationToken {
    let token = CancellationToken::new();
    let fired = token.clone();
    tokio::spawn(async move {
        let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        fired.cancel();
        let _ = tokio::signal::ctrl_c().await;
        std::process::exit(INTERRUPTED.into());
    });
    token
}

fn settings(args: &Args) -> Result<Settings, Error> {
    let tokens = args.tokens.as_deref().map(tokens).transpose()?.unwrap_or_default();
    let mut settings = Settings::new(args.listen);
    settings.tokens = tokens;
    settings.drain = Duration::from_secs(args.drain).saturating_add(LAST_WORDS);
    settings.allowed_hosts.extend(args.allow_host.iter().cloned());
    settings.allowed_origins.extend(args.allow_origin.iter().cloned());
    Ok(settings)
}

/// `name token` a line; empty lines and those that start with # are skipped.
fn tokens(file: &Path) -> Result<Vec<Token>, Error> {
    let text = fs::read_to_string(file).map_err(|source| Error::file(file, source))?;
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            let wrong = |why: &str| Error::failed(format!("{}:{}: {why}", file.display(), number + 1));
            let (name, token) =
                line.trim().split_once(char::is_whitespace).ok_or_else(|| wrong("expected `name token`"))?;
            Token::new(name, token.trim()).map_err(|error| wrong(&error.to_string()))
        })
        .collect()
}
