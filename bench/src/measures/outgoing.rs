//! One request that leaves: through egress, with rules, checked addresses and a budget, against a hyper client that asks
//! nobody. Both keep their connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use packhost_core::{Caller, PackName};
use packhost_egress::{
    Allowance, CallEgress, Egress, Ending, Holding, Quota, Rules, Settings, Verdict, Waits,
};
use packhost_manifest::{Decision, Grants, HostVars, Manifest, Origin, Source};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use super::Bench;
use crate::Outcome;
use crate::report::{Goal, Report, Row};
use crate::rounds::{Pair, Sample, rounds};

pub(crate) const GROUP: &str = "A request through egress";

/// A request may take this many times what it takes hyper alone.
const MOST: f64 = 1.15;
/// Beyond this it is not the machine.
const FAR_OFF: f64 = 4.0;
/// What the server answers, in bytes.
const ANSWER: usize = 4096;
const PACK: &str = "bench.fetch";

pub(super) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    // One thread on each side: between two of them a task is handed over now and then, which has nothing to do with egress.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let server = server()?;
    let (times, requests) = (bench.effort.rounds, bench.effort.calls);
    let egress = Egress::new(Settings::default())?;
    let host = || sample(&runtime, through_egress(egress.clone(), server, requests));
    let bare = || sample(&runtime, bare(server, requests));
    let pairs = rounds("one after the other", times, host, bare)?;
    let pairs: Vec<_> = pairs.iter().map(|pair| pair.map(|sample| sample.p50)).collect::<Vec<Pair<f64>>>();
    let row = Row::new(GROUP, "a request on loopback, p50", "µs", "a bare hyper client", &pairs);
    report.rows.push(row.goal(Goal::AtMost(MOST)).guard(FAR_OFF));
    Ok(())
}

/// A server on loopback, on a thread of its own until the process ends.
fn server() -> Outcome<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let router = Router::new().route("/page", get(async || "x".repeat(ANSWER)));
            axum::serve(TcpListener::from_std(listener)?, router).await
        })
    });
    Ok(address)
}

fn sample<F>(runtime: &Runtime, requests: F) -> Outcome<Sample>
where
    F: Future<Output = Outcome<Vec<Duration>>> + Send + 'static,
{
    let since = Instant::now();
    let took = runtime.block_on(async { tokio::spawn(requests).await? })?;
    Ok(Sample::of(&took, since))
}

async fn through_egress(egress: Egress, server: SocketAddr, requests: usize) -> Outcome<Vec<Duration>> {
    let pack: PackName = PACK.parse()?;
    let quota = Quota { requests_per_minute: 1_000_000, connections: 8 };
    let account = egress.account(&pack, &Caller::local(), quota);
    let rules = Arc::new(Granted(grants(server)?));
    let allowance = Allowance { requests: u64::MAX, bytes: u64::MAX, ..Allowance::default() };
    let call = CallEgress::of(account, rules, allowance, Holding::default(), Ending::default());
    let url = format!("http://{server}/page");
    let mut took = Vec::with_capacity(requests);
    for _ in 0..requests {
        let since = Instant::now();
        let request = hyper::Request::get(&url).header("accept", "*/*").body(Empty::<Bytes>::new())?;
        let response = egress.send(request, &call, Waits::default()).await?;
        let body = response.into_body().collect().await?.to_bytes();
        took.push(since.elapsed());
        complete(body.len())?;
    }
    Ok(took)
}

async fn bare(server: SocketAddr, requests: usize) -> Outcome<Vec<Duration>> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut took = Vec::with_capacity(requests);
    for _ in 0..requests {
        let since = Instant::now();
        let request = hyper::Request::get("/page").header("host", server.to_string());
        let request = request.header("accept", "*/*").body(Empty::<Bytes>::new())?;
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let body = response.into_body().collect().await?.to_bytes();
        took.push(since.elapsed());
        complete(body.len())?;
    }
    Ok(took)
}

fn complete(bytes: usize) -> Outcome<()> {
    if bytes == ANSWER { Ok(()) } else { Err(format!("an answer of {bytes} bytes").into()) }
}

/// What a manifest grants a pack that fetches from the server.
fn grants(server: SocketAddr) -> Outcome<Grants> {
    let text = format!(
        "version: 1\npacks:\n  {PACK}:\n    http:\n      - host: 127.0.0.1\n        scheme: http\n        ports: [{}]\n        methods: [GET]\n        paths: [/page]\n        addresses: [127.0.0.1/32]\n",
        server.port()
    );
    let manifest = Manifest::parse(&[Source { name: "bench.yaml".into(), text, origin: Origin::Operator }])?;
    let entry = manifest.entry(&PACK.parse()?).ok_or("the manifest has no such entry")?;
    Ok(entry.narrow(&json!({}), &HostVars { state: "/nowhere".into(), home: None }))
}

struct Granted(Grants);

impl Rules for Granted {
    fn decide(&self, method: &hyper::Method, url: &url::Url) -> Verdict {
        match self.0.http.decide(method.as_str(), url) {
            Decision::Allowed(allowed) | Decision::Reported(allowed, _) => {
                Verdict::Allowed { addresses: allowed.addresses, credentials: allowed.credentials }
            }
            Decision::Denied(denial) => Verdict::Denied { message: denial.what, fix: denial.missing },
        }
    }
}
