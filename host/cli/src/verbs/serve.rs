//! `packhost serve`: MCP over HTTP.

use std::sync::Arc;
use std::time::Duration;

use packhost_engine::Engine;
use packhost_http::{BindError, Settings, TlsFiles};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::args::{Global, Serve as Args};
use crate::callers;
use crate::desk::OfThisHost;
use crate::dirs::Dirs;
use crate::exit::{Error, INTERRUPTED};
use crate::host::{Clients, Files, Prepared, Purpose, prepare};
use crate::output::{BOLD, DIM, Output, eprintln};
use crate::record;
use crate::walls::make_dirs;

/// Stopped calls get this long to hand in their answers.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let settings = settings(global, args)?;
    let listener = packhost_http::bind(&settings).map_err(refused)?;
    let address = listener.local_addr().map_err(|error| Error::failed(error.to_string()))?;
    let files = Files {
        tokens: args.who.tokens.as_deref(),
        certificate: args.tls_cert.as_deref(),
        key: args.tls_key.as_deref(),
    };
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let prepared = prepare(global, Purpose::Http { bounds: &args.bounds, address, files })?;
    let (dirs, in_force) = (prepared.dirs.clone(), prepared.in_force.clone());
    let record = prepared.record();
    let runtime = Prepared::runtime(Clients::Many)?;
    let served = runtime.block_on(async {
        let (engine, reload, sending) = prepared.start(output).await?;
        let tools = engine.catalog().tools().count();
        let url = format!("{scheme}://{address}/mcp");
        // Whoever reads, here or on record, that it serves may tell it to stop.
        let leaving = shutdown();
        let serving = record.serving("host.serve", &url, &engine)?;
        if output.is_json() {
            let started = serde_json::json!({ "listening": url, "tools": tools, "walls": in_force });
            crate::output::println!("{started}");
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
        let (drain, notice) = (Duration::from_secs(args.drain), Duration::from_secs(args.notice));
        let served = serve(listener, settings, engine, (leaving, notice), drain).await;
        sending.end().await;
        serving.end(served.map_err(|error| {
            // stdout has had its document.
            Output::to_stderr(output.is_json()).error("command_failed", &error.to_string());
            Error::Said
        }))
    });
    runtime.shutdown_background();
    served
}

/// The listener knows what is unsafe; which option helps is known here.
fn refused(error: BindError) -> Error {
    match error {
        BindError::Exposed(_) => Error::failed(format!(
            "{error}.\n  A token: packhost tokens create laptop\n  Or, from a file: echo \"laptop $(openssl rand -hex 32)\" > tokens, then serve with --tokens tokens"
        )),
        BindError::Proxied => Error::failed(format!("{error}.\n  A token: packhost tokens create laptop")),
        error => Error::failed(error.to_string()),
    }
}

async fn serve(
    listener: std::net::TcpListener,
    mut settings: Settings,
    engine: Engine,
    (leaving, notice): (CancellationToken, Duration),
    drain: Duration,
) -> Result<(), BindError> {
    let shutdown = CancellationToken::new();
    settings.leaving = leaving.clone();
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            leaving.cancelled().await;
            tokio::time::sleep(notice).await;
            shutdown.cancel();
        }
    });
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

/// Fires on SIGTERM and on the first Ctrl-C, from now on; a second one ends the process as it always does.
pub(crate) fn shutdown() -> CancellationToken {
    let token = CancellationToken::new();
    // Both are caught before this returns, and not when the task first runs: until then they would end the process at once.
    let (fired, caught) = (token.clone(), [SignalKind::terminate(), SignalKind::interrupt()].map(signal));
    tokio::spawn(async move {
        let [Ok(mut terminate), Ok(mut interrupt)] = caught else { return };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        fired.cancel();
        interrupt.recv().await;
        std::process::exit(INTERRUPTED.into());
    });
    token
}

fn settings(global: &Global, args: &Args) -> Result<Settings, Error> {
    let dirs = Dirs::of(global)?;
    make_dirs(global, &dirs)?;
    let mut settings = Settings::new(args.listen);
    settings.callers = callers::of(global, &dirs, &args.who)?;
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    settings.record = Some(record::log_dir(&dirs));
    settings.desk = Some(Arc::new(OfThisHost { global: global.clone(), dirs: dirs.clone() }));
    settings.tls = tls.map(|(certificate, key)| TlsFiles { certificate, key });
    settings.drain = Duration::from_secs(args.drain).saturating_add(LAST_WORDS);
    settings.allowed_hosts.extend(args.allow_host.iter().cloned());
    settings.allowed_origins.extend(args.allow_origin.iter().cloned());
    settings.trusted_proxies.clone_from(&args.trusted_proxy);
    Ok(settings)
}
