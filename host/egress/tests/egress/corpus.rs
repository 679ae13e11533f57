//! The URL tests of WHATWG: what the rules decide on is what the resolver is asked and what the server reads. What the
//! standard calls a failure goes nowhere, and a host that is an address is one, however it is spelled.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::support::*;
use http::{Method, Uri};
use packhost_egress::*;
use packhost_manifest::reachable;
use serde_json::Value;
use url::{Host, Url};

/// A case of the corpus: a text, the URL that it stands in, and the URL that the two make.
struct Case {
    input: String,
    base: Option<String>,
    href: Option<String>,
}

/// The cases. The corpus is kept beside the repository; where it is not, there is nothing to run.
fn corpus() -> Option<Vec<Case>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/url/urltestdata.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        assert!(std::env::var_os("CI").is_none(), "the corpus is not there: {}", file.display());
        eprintln!("not run: the URL corpus is not there ({})", file.display());
        return None;
    };
    let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
    let text = |entry: &Value, key: &str| entry[key].as_str().map(String::from);
    let cases = entries.iter().filter(|entry| entry.is_object()).map(|entry| Case {
        input: text(entry, "input").unwrap(),
        base: text(entry, "base"),
        href: text(entry, "href"),
    });
    let cases: Vec<Case> = cases.collect();
    let failures = cases.iter().filter(|case| case.href.is_none()).count();
    assert!(cases.len() > 800 && failures > 200, "the corpus is not whole");
    Some(cases)
}

/// Grants everything but public addresses, which a test must not send to, and opens these networks. Remembers what it saw.
struct Witness {
    granted: Hosts,
    seen: Mutex<Vec<Url>>,
}

impl Rules for Witness {
    fn decide(&self, method: &Method, url: &Url) -> Verdict {
        self.seen.lock().unwrap().push(url.clone());
        match address(url) {
            Some(ip) if reachable(ip, &[]).is_ok() => {
                Verdict::Denied { message: "a public address".into(), fix: String::new() }
            }
            _ => self.granted.decide(method, url),
        }
    }
}

fn address(url: &Url) -> Option<IpAddr> {
    match url.host() {
        Some(Host::Ipv4(ip)) => Some(ip.into()),
        Some(Host::Ipv6(ip)) => Some(ip.into()),
        _ => None,
    }
}

/// A resolver that knows every name. Remembers what it was asked.
struct Everywhere {
    addresses: Vec<IpAddr>,
    asked: Mutex<Vec<String>>,
}

impl Resolve for Everywhere {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        self.asked.lock().unwrap().push(host.to_owned());
        let addresses = self.addresses.clone();
        Box::pin(async move { Ok(addresses) })
    }
}

/// A way out on which everything is written down.
struct Watched {
    egress: Egress,
    names: Arc<Everywhere>,
    opened: Vec<&'static str>,
}

/// What became of one request.
struct Trace {
    /// What the rules decided on.
    decided: Option<Url>,
    /// What the resolver was asked.
    resolved: Vec<String>,
    answer: Answer,
}

impl Watched {
    /// Every name is at these addresses, and the rules open these networks.
    fn new(addresses: &[&str], opened: &[&'static str]) -> Self {
        let addresses = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        let names = Arc::new(Everywhere { addresses, asked: Mutex::default() });
        let settings = Settings { resolver: names.clone(), ..Settings::default() };
        Self { egress: Egress::new(settings).unwrap(), names, opened: opened.to_vec() }
    }

    /// Sends a request to a URL that the `http` crate takes; `None` where it does not.
    async fn trace(&self, uri: &str) -> Option<Trace> {
        uri.parse::<Uri>().ok()?;
        let witness =
            Arc::new(Witness { granted: Hosts(vec!["*"], self.opened.clone()), seen: Mutex::default() });
        let call = CallEgress::new(witness.clone(), Allowance::default());
        let answer = get(&self.egress, &call, uri).await;
        let mut seen = std::mem::take(&mut *witness.seen.lock().unwrap());
        assert!(seen.len() <= 1, "{uri}: the rules are asked once");
        let resolved = std::mem::take(&mut *self.names.asked.lock().unwrap());
        Some(Trace { decided: seen.pop(), resolved, answer })
    }
}

/// The URL without its fragment, which is never sent (RFC 9110 section 7.1).
fn without_fragment(href: &str) -> &str {
    href.split('#').next().unwrap_or(href)
}

fn is_web(href: &str) -> bool {
    href.starts_with("http://") || href.starts_with("https://")
}

/// Of a request for which nothing was opened: a name was looked up as it was decided on; an address was refused as what it
/// is, and never looked up.
fn agrees(shown: &str, trace: &Trace) {
    let url = trace.decided.as_ref().unwrap();
    let error = trace.answer.as_ref().unwrap_err();
    match address(url) {
        None => {
            assert_eq!(trace.resolved, [url.host_str().unwrap()], "{shown}");
            assert!(matches!(error, EgressError::Dns { .. }), "{shown}: {error:?}");
        }
        Some(ip) => {
            assert_eq!(trace.resolved, [""; 0], "{shown}: an address was looked up");
            match error {
                EgressError::Denied { .. } => assert!(reachable(ip, &[]).is_ok(), "{shown}"),
                EgressError::Address { address, .. } => assert_eq!(ip, *address, "{shown}"),
                _ => panic!("{shown}: {error:?}"),
            }
        }
    }
}

/// A request that the rules were not asked about: nothing else was either. Why it was refused.
fn refused(shown: &str, trace: &Trace) -> String {
    let error = trace.answer.as_ref().unwrap_err();
    assert!(matches!(error, EgressError::Url(_)), "{shown}: {error:?}");
    assert_eq!(trace.resolved, [""; 0], "{shown}: looked up before it was refused");
    error.to_string()
}

/// Every text of the corpus as a pack may write it into a request: what gets through to the rules is what the standard
/// makes of it, and no failure gets through.
#[tokio::test]
async fn a_text_is_decided_on_as_the_standard_reads_it_or_not_at_all() {
    let Some(cases) = corpus() else { return };
    let watched = Watched::new(&[], &[]);
    let mut classes = BTreeMap::<String, usize>::new();
    for Case { input, base, href } in &cases {
        let mut count = |class: &str| *classes.entry(class.to_owned()).or_default() += 1;
        let Some(trace) = watched.trace(input).await else {
            count("refused by http::Uri");
            continue;
        };
        let shown = format!("{input:?} in {base:?}");
        let Some(decided) = &trace.decided else {
            count(&refused(&shown, &trace));
            continue;
        };
        let href =
            href.as_deref().unwrap_or_else(|| panic!("{shown}: a failure was decided on as {decided}"));
        assert_eq!(decided.as_str(), without_fragment(href), "{shown}");
        agrees(&shown, &trace);
        count("decided on");
    }
    eprintln!("{} texts: {classes:#?}", cases.len());
    assert!(classes["decided on"] > 80, "{classes:?}");
}

/// Every URL of the corpus in its normal form: it is decided on as it is, unless it holds a user or is no web URL.
#[tokio::test]
async fn a_url_in_its_normal_form_is_decided_on_as_it_is() {
    let Some(cases) = corpus() else { return };
    let watched = Watched::new(&[], &[]);
    let mut classes = BTreeMap::<String, usize>::new();
    for href in cases.iter().filter_map(|case| case.href.as_deref()) {
        let mut count = |class: &str| *classes.entry(class.to_owned()).or_default() += 1;
        let Some(trace) = watched.trace(href).await else {
            count("refused by http::Uri");
            continue;
        };
        let Some(decided) = &trace.decided else {
            count(&refused(href, &trace));
            continue;
        };
        assert!(is_web(href), "{href} is no web URL");
        assert_eq!(decided.as_str(), without_fragment(href));
        agrees(href, &trace);
        count("decided on");
    }
    eprintln!("{classes:#?}");
    assert!(classes["decided on"] > 180, "{classes:?}");
}

/// The same URLs with the port of a server, and every name at its address: the server reads the host and the target that
/// were decided on, and the name that was looked up.
#[tokio::test]
async fn the_server_reads_the_url_that_was_decided_on() {
    let Some(cases) = corpus() else { return };
    let mut server = Server::answering(OK).await;
    let watched = Watched::new(&["127.0.0.1"], &["127.0.0.1/32"]);
    let mut arrived = 0;
    for href in cases.iter().filter_map(|case| case.href.as_deref()).filter(|href| is_web(href)) {
        let mut url = Url::parse(href).unwrap();
        url.set_scheme("http").unwrap();
        url.set_port(Some(server.port())).unwrap();
        let Some(trace) = watched.trace(url.as_str()).await else { continue };
        let Some(decided) = trace.decided else { continue };
        let loopback = address(&decided).is_none_or(|ip| ip == IpAddr::from([127, 0, 0, 1]));
        if !loopback {
            assert!(trace.answer.is_err(), "{url}");
            continue;
        }
        assert_eq!(text(trace.answer.unwrap()).await.unwrap(), "hello", "{url}");
        let target = &decided[url::Position::BeforePath..url::Position::AfterQuery];
        let host = decided.host_str().unwrap();
        let head = server.heads();
        let [head] = head.as_slice() else { panic!("{url}: {head:?}") };
        assert!(head.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{url}: {head}");
        let host_header = format!("\r\nhost: {host}:{}\r\n", server.port());
        assert_eq!(head.to_lowercase().matches("\r\nhost:").count(), 1, "{url}: {head}");
        assert!(head.contains(&host_header), "{url}: {head}");
        let is_address = address(&decided).is_some();
        assert_eq!(trace.resolved, if is_address { vec![] } else { vec![host] }, "{url}");
        arrived += 1;
    }
    assert!(arrived > 150, "{arrived} arrived");
}

/// Spellings of addresses that the corpus, and what the standard takes for a number besides. Those that are no ASCII are
/// refused where a URI is read.
#[tokio::test]
async fn every_spelling_of_an_address_is_that_address() {
    let watched = Watched::new(&[], &[]);
    for (host, ip) in [
        ("0x7f.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7F000001", "127.0.0.1"),
        ("017700000001.", "127.0.0.1"),
        ("0xA9FEA9FE", "169.254.169.254"),
        ("169.254.43518", "169.254.169.254"),
        ("0251.0376.0251.0376", "169.254.169.254"),
        ("0xa.1", "10.0.0.1"),
        ("192.0x00A80001", "192.168.0.1"),
        ("0x", "0.0.0.0"),
        ("0x.0x.0", "0.0.0.0"),
        ("[::ffff:a9fe:a9fe]", "::ffff:169.254.169.254"),
        ("[::FFFF:127.0.0.1]", "::ffff:127.0.0.1"),
        ("[0:0::0.0.0.1]", "::1"),
        ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1"),
    ] {
        let trace = watched.trace(&format!("http://{host}/")).await.unwrap();
        assert_eq!(trace.decided.as_ref().and_then(address), ip.parse().ok(), "{host}");
        agrees(host, &trace);
    }
    for host in [
        "\u{ff11}\u{ff12}\u{ff17}.\u{ff10}.\u{ff10}.\u{ff11}",
        "127\u{3002}1",
        "\u{2460}\u{2461}\u{2466}.1",
        "%31%32%37.1",
        "%EF%BC%91%EF%BC%92%EF%BC%97.1",
        "127.0.0.1%00",
        "[fe80::1%25eth0]",
        "[v1.a]",
    ] {
        let trace = watched.trace(&format!("http://{host}/")).await;
        assert!(trace.is_none_or(|trace| trace.decided.is_none() && trace.resolved.is_empty()), "{host}");
    }
}
