//! One case: what is there before the call, the call, and what is there after it.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhost_core::ErrorCode;
use packhost_tests::host::Setup;
use packhost_tests::web::{Asked, Web, response};
use serde::Deserialize;
use serde_json::Value;

use crate::check::{self, Expected};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    files: BTreeMap<String, Content>,
    #[serde(default)]
    http: Vec<Exchange>,
    input: Value,
    expect: Option<Value>,
    #[serde(default)]
    contains: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    excludes: BTreeMap<String, Vec<String>>,
    error: Option<ErrorCode>,
    after: Option<BTreeMap<String, Content>>,
}

/// A file's bytes, as a case writes them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Base64 { base64: String },
    File { file: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Response {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_base64: Option<String>,
    body_file: Option<String>,
}

impl Content {
    fn bytes(&self, beside: &Path) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Base64 { base64 } => STANDARD.decode(base64).expect("the case has base64"),
            Self::File { file } => std::fs::read(beside.join(file)).expect("the case's file is there"),
        }
    }
}

impl Response {
    fn bytes(&self, beside: &Path) -> Vec<u8> {
        let file = self.body_file.as_ref().map(|file| Content::File { file: file.clone() }.bytes(beside));
        let base64 = self.body_base64.as_ref().map(|text| STANDARD.decode(text).expect("base64"));
        let body = file.or(base64).or(self.body.clone().map(String::into_bytes)).unwrap_or_default();
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        response(self.status, &headers, &body)
    }
}

/// Runs the case in a file; the error says what is not as expected.
pub(crate) fn run(file: &Path) -> Result<(), String> {
    let beside = file.parent().expect("a case is in a folder");
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let web = Web::answering(answers(&text, beside)?);
    let case: Case = parse(&text.replace("${server}", &web.origin()))?;
    let pack = pack_of(beside);
    let setup = Setup::new();
    let files = setup.root().join("files");
    put(&files, &case.files, beside);
    // What programs may do in a sandbox is as it ships.
    let programs = matches!(pack.split('.').next(), Some("cmd" | "node" | "python"));
    let setup = if programs { setup } else { setup.policy(&manifest(&pack, &files, &web.origin())) };
    let setup = setup.warmed();
    let ran = setup.run(["--json", "call", &pack, &case.input.to_string()]);
    let Case { expect, contains, excludes, error, http, after, .. } = case;
    check::answer(&ran, &Expected { expect, contains, excludes, error })?;
    asked_for(&http, &web.asked())?;
    after.map_or(Ok(()), |after| left(&files, &after, beside))
}

fn parse(text: &str) -> Result<Case, String> {
    serde_saphyr::from_str(text).map_err(|error| format!("not a case: {error}"))
}

fn answers(text: &str, beside: &Path) -> Result<Vec<Vec<u8>>, String> {
    Ok(parse(text)?.http.iter().map(|exchange| exchange.response.bytes(beside)).collect())
}

/// `http-fetch` is the pack `http.fetch`, `github-list-issues` is `github.list_issues`.
fn pack_of(cases: &Path) -> String {
    let folder = cases.parent().and_then(Path::file_name).expect("cases are in a pack's folder");
    folder.to_string_lossy().replacen('-', ".", 1).replace('-', "_")
}

/// What the shipped manifest grants, with a directory of the case in place of the host's, loopback opened and every
/// method: what the cases are about is the pack.
fn manifest(pack: &str, files: &Path, origin: &str) -> String {
    let family = pack.split('.').next();
    // These read from their config where the API is.
    let api = matches!(family, Some("github" | "email"));
    let http = match pack {
        _ if api => &format!("[{{url: '{origin}', methods: [GET, POST]}}]"),
        "http.fetch" | "web.scrape" => {
            "[{url: '${input.url}', methods: [GET, HEAD, POST, PUT, PATCH, DELETE], addresses: ['127.0.0.1/32']}]"
        }
        _ => "[]",
    };
    let config = if api { format!("{{api: '{origin}', credential: ''}}") } else { "{}".into() };
    let fs = match family {
        Some("fs" | "archive" | "doc") => {
            format!("[{{host: '{}', guest: /files, mode: read-write}}]", files.display())
        }
        _ => "[]".into(),
    };
    format!(
        "version: 1\npacks:\n  {pack}:\n    http: {http}\n    fs: {fs}\n    config: {config}\n    limits: {{memory: 256MiB, time: 60s}}\n"
    )
}

fn put(root: &Path, files: &BTreeMap<String, Content>, beside: &Path) {
    std::fs::create_dir_all(root).expect("the directory is the test's");
    for (name, content) in files {
        let file = root.join(name);
        std::fs::create_dir_all(file.parent().expect("below the root")).expect("the directory is the test's");
        std::fs::write(file, content.bytes(beside)).expect("the directory is the test's");
    }
}

fn asked_for(expected: &[Exchange], asked: &[Asked]) -> Result<(), String> {
    if expected.len() != asked.len() {
        return Err(format!("{} requests were expected, not {asked:?}", expected.len()));
    }
    for (Exchange { request, .. }, asked) in expected.iter().zip(asked) {
        let line = format!("{} {}", request.method, request.path);
        if asked.line != line {
            return Err(format!("expected {line}, got {}", asked.line));
        }
        for (name, value) in &request.headers {
            if asked.header(name) != Some(value) {
                return Err(format!("expected the header {name}: {value}, got {:?}", asked.header(name)));
            }
        }
        if request.body.as_ref().is_some_and(|body| body.as_bytes() != asked.body) {
            return Err(format!("expected the body {:?}, got {:?}", request.body, asked.body));
        }
    }
    Ok(())
}

/// All files of the directory, by their names in it.
fn left(root: &Path, after: &BTreeMap<String, Content>, beside: &Path) -> Result<(), String> {
    let mut found = BTreeMap::new();
    collect(root, root, &mut found);
    let expected: BTreeMap<_, _> =
        after.iter().map(|(name, content)| (name.clone(), content.bytes(beside))).collect();
    if found == expected {
        return Ok(());
    }
    let show = |files: &BTreeMap<String, Vec<u8>>| -> Vec<String> {
        files.iter().map(|(name, bytes)| format!("{name}: {:.80}", String::from_utf8_lossy(bytes))).collect()
    };
    Err(format!("expected these files: {:#?}\nfound: {:#?}", show(&expected), show(&found)))
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("the directory is the test's") {
        let path = entry.expect("readable").path();
        if path.is_dir() && !path.is_symlink() {
            collect(root, &path, found);
        } else {
            let name = path.strip_prefix(root).expect("below the root").display().to_string();
            found.insert(name, std::fs::read(&path).unwrap_or_default());
        }
    }
}
