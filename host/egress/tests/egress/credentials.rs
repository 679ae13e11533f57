//! Placeholders on their way out, and values on their way back.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use packhost_core::{ErrorCode, Placement};
use packhost_egress::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use url::Url;
use zeroize::Zeroizing;

use super::support::*;

pub(crate) const VALUE: &str = "s3cret/Value+with=\"signs\"&more";

/// Holds one credential, for these places.
#[derive(Default)]
pub(crate) struct Holder {
    pub(crate) places: Vec<Placement>,
    pub(crate) uses: Mutex<Vec<CredentialUse>>,
}

impl Credentials for Holder {
    fn open(&self, of: &CredentialUse) -> Result<Opened, CredentialError> {
        self.uses.lock().unwrap().push(of.clone());
        let value = match of.name.as_str() {
            "TOKEN" if self.places.iter().any(|bound| of.place.is_at(bound)) => {
                Ok(Zeroizing::new(VALUE.into()))
            }
            "TOKEN" => Err(CredentialError::Unbound("at this place in a request".into())),
            "PLAIN" => Ok(Zeroizing::new(b"12345678".to_vec())),
            "BROKEN" => Err(CredentialError::Unavailable),
            _ => Err(CredentialError::NotFound),
        };
        value.map(|value| Opened { value, version: 1, form: Form::Text })
    }
}

/// The path, fields and body of a request.
type Asked<'a> = (&'a str, Vec<(&'a str, &'a str)>, &'a str);
/// The same, and what arrives.
type Expecting<'a> = (&'a str, Vec<(&'a str, &'a str)>, &'a str, String);

struct Granting;

impl Rules for Granting {
    fn decide(&self, _: &Method, _: &Url) -> Verdict {
        Verdict::Allowed {
            addresses: vec!["127.0.0.0/8".parse().unwrap()],
            credentials: ["TOKEN", "PLAIN", "BROKEN", "MISSING"].map(|name| name.parse().unwrap()).into(),
        }
    }
}

fn header(name: &str, scheme: Option<&str>) -> Placement {
    Placement::Header { name: name.into(), scheme: scheme.map(str::to_owned) }
}

pub(crate) fn everywhere() -> (CallEgress, Arc<Holder>, Used) {
    let places = vec![
        header("authorization", Some("Bearer")),
        header("authorization", Some("Basic")),
        header("x-api-key", None),
        Placement::Query { name: "key".into() },
        Placement::Body,
    ];
    let holder = Arc::new(Holder { places, ..Holder::default() });
    let used = Used::default();
    let holding = Holding { credentials: holder.clone(), used: used.clone() };
    let call = CallEgress::with(Arc::new(Granting), Allowance::default(), holding, Ending::default());
    (call, holder, used)
}

/// Sends back the whole request as the body, and says what it was.
pub(crate) async fn echo() -> (Server, mpsc::UnboundedReceiver<String>) {
    let (seen, requests) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream, head| {
        let seen = seen.clone();
        async move {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            stream.read_exact(&mut body).await.ok();
            let request = format!("{head}{}", String::from_utf8_lossy(&body));
            seen.send(request.clone()).ok();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{request}", request.len());
            stream.write_all(answer.as_bytes()).await.ok();
        }
    })
    .await;
    (server, requests)
}

pub(crate) fn request(url: &str, fields: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::post(url);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Full::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn a_value_goes_out_where_it_may_stand_and_does_not_come_back() {
    let (server, mut requests) = echo().await;
    let origin = format!("http://127.0.0.1:{}", server.port());
    let query: String = url::form_urlencoded::byte_serialize(VALUE.as_bytes()).collect();
    let quoted = serde_json::Value::from(VALUE).to_string();
    let json = ("content-type", "application/json");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
    let secret_basic = basic(format!("me:{VALUE}"));
    let written = basic("me:${vault:TOKEN}".into());
    let (user, secret_user) = (basic("${vault:TOKEN}:x".into()), basic(format!("{VALUE}:x")));
    let cases: Vec<Expecting<'_>> = vec![
        (
            "/",
            vec![("authorization", "Bearer ${vault:TOKEN}")],
            "",
            format!("authorization: Bearer {VALUE}\r\n"),
        ),
        (
            "/",
            vec![("authorization", "bearer  ${vault:TOKEN}")],
            "",
            format!("authorization: bearer {VALUE}\r\n"),
        ),
        ("/", vec![("x-api-key", "${vault:TOKEN}")], "", format!("x-api-key: {VALUE}\r\n")),
        ("/", vec![("authorization", &written)], "", format!("authorization: {secret_basic}\r\n")),
        ("/", vec![("authorization", &user)], "", format!("authorization: {secret_user}\r\n")),
        ("/?a=1&key=${vault:TOKEN}&b=%2f", vec![], "", format!("POST /?a=1&key={query}&b=%2f HTTP")),
        ("/?key=%24%7Bvault%3aTOKEN%7D", vec![], "", format!("POST /?key={query} HTTP")),
        (
            "/",
            vec![json],
            r#"{"a": 1.0, "key": "x ${vault:TOKEN}"}"#,
            format!("{{\"a\": 1.0, \"key\": \"x {}}}", &quoted[1..]),
        ),
        ("/", vec![form], "a=1&key=%24%7Bvault:TOKEN%7D", format!("\r\n\r\na=1&key={query}")),
        (
            "/",
            vec![("content-type", "text/plain; charset=utf-8")],
            "it is ${vault:TOKEN}.",
            format!("it is {VALUE}."),
        ),
        ("/bot${vault:PLAIN}/send", vec![], "", "POST /bot12345678/send HTTP".into()),
    ];
    for (path, fields, body, expected) in cases {
        let (call, _, used) = everywhere();
        assert!(used.redactor().is_none());
        let url = format!("{origin}{path}");
        let mut fields = fields;
        let length = body.len().to_string();
        if !body.is_empty() {
            fields.push(("content-length", &length));
        }
        let sent = plain().send(request(&url, &fields, body), &call, Waits::default()).await;
        let answer = text(sent.unwrap_or_else(|error| panic!("{path} {body}: {error}"))).await.unwrap();
        let arrived = requests.recv().await.unwrap();
        assert!(arrived.contains(&expected), "{arrived} has no {expected}");
        assert!(answer.contains("[redacted:"), "{answer}");
        for part in [VALUE, &quoted, &query, &secret_basic, "12345678"] {
            assert!(!answer.contains(part), "{answer} has {part}");
        }
        assert!(used.redactor().is_some());
    }
}

#[tokio::test]
async fn a_placeholder_that_stands_elsewhere_never_leaves() {
    let (mut server, _) = echo().await;
    let origin = format!("http://127.0.0.1:{}", server.port());
    let hidden = STANDARD.encode("xx${vault:TOKEN}");
    let basic = format!("Basic {}", STANDARD.encode("me:x${vault:TOKEN}"));
    let scheme = format!("{hidden} ${{vault:TOKEN}}");
    // Its own colon is the one that ends the user.
    let across = ["${vault:K", "x${vault:TOKEN}", "x${vault:TOKEN}:y"]
        .map(|pair| format!("Basic {}", STANDARD.encode(pair)));
    let json = ("content-type", "application/json");
    let cases: Vec<Asked<'_>> = vec![
        ("/", vec![("user-agent", "x ${vault:TOKEN} y")], ""),
        ("/", vec![("authorization", "Bearer x${vault:TOKEN}")], ""),
        ("/", vec![("authorization", "Bearer ${vault:TOKEN}, ${vault:TOKEN}")], ""),
        ("/", vec![("authorization", "Bearer ${vault:TOKEN"), ("x-rest", "}")], ""),
        ("/", vec![("authorization", "Bearer %24%7Bvault:TOKEN%7D")], ""),
        ("/", vec![("authorization", "Bearer %2524%257Bvault:TOKEN%257D")], ""),
        ("/", vec![("x-a", "${vault%%324{vault:TOKEN}")], ""),
        ("/", vec![("authorization", "Bearer ${vault:${vault:TOKEN}}")], ""),
        ("/", vec![("authorization", "Bearer ${vault:}")], ""),
        ("/", vec![("authorization", &basic)], ""),
        ("/", vec![("authorization", &across[0])], ""),
        ("/", vec![("authorization", &across[1])], ""),
        ("/", vec![("authorization", &across[2])], ""),
        ("/", vec![("x-api-key", &hidden)], ""),
        ("/", vec![("x-api-key", &scheme)], ""),
        ("/", vec![("x-api-key", "${vault:TOKEN}"), ("x-api-key", "${vault:TOKEN}")], ""),
        ("/?${vault:TOKEN}=1", vec![], ""),
        ("/?${vault:TOKEN}", vec![], ""),
        ("/?key=a${vault:TOKEN}", vec![], ""),
        ("/?key=%2524%257Bvault:TOKEN%257D", vec![], ""),
        ("/%2524%257Bvault:PLAIN%257D", vec![], ""),
        ("/a${vault:PLAIN", vec![], ""),
        ("/", vec![json], r#"{"a": "\u0024{vault:TOKEN}"}"#),
        ("/", vec![json], r#"{"a": "${vault:TOKEN"}"#),
        ("/", vec![("content-type", "application/octet-stream")], "${vault:TOKEN}"),
        ("/", vec![], "${vault:TOKEN}"),
        ("/", vec![("content-type", "image/png")], &hidden),
    ];
    for (path, fields, body) in cases {
        let (call, holder, _) = everywhere();
        let url = format!("{origin}{path}");
        let sent = plain().send(request(&url, &fields, body), &call, Waits::default()).await;
        let error = sent.expect_err(&format!("{path} {fields:?} {body}"));
        assert!(matches!(error, EgressError::Misplaced { .. }), "{path} {fields:?} {body}: {error:?}");
        assert_eq!(error.code(), ErrorCode::CredentialDenied);
        assert!(holder.uses.lock().unwrap().is_empty(), "{path} {fields:?} {body}");
    }
    let arrived = server.heads().concat();
    assert!(!arrived.contains("vault"), "{arrived}");
}

#[tokio::test]
async fn each_side_alone_denies() {
    let (server, _) = echo().await;
    let url = server.url("127.0.0.1");
    let send = async |name: &str, value: &str| {
        let (call, ..) = everywhere();
        let sent = plain().send(request(&url, &[(name, value)], ""), &call, Waits::default()).await;
        sent.expect_err(value)
    };
    let error = send("authorization", "Bearer ${vault:OTHER}").await;
    assert_eq!(error.code(), ErrorCode::CredentialDenied);
    assert_eq!(error.to_string(), "no rule grants this request to 127.0.0.1 the credential OTHER");
    let error = send("x-other", "${vault:TOKEN}").await;
    assert_eq!(error.code(), ErrorCode::CredentialDenied);
    let fix = error.fix().unwrap().into_owned();
    assert!(fix.contains("header x-other") && fix.contains("packhost vault bind TOKEN"), "{fix}");
    let error = send("authorization", "Bearer ${vault:MISSING}").await;
    assert_eq!(error.code(), ErrorCode::CredentialInvalid);
    assert!(error.fix().unwrap().contains("packhost vault set MISSING"));
    let error = send("authorization", "Bearer ${vault:BROKEN}").await;
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (ErrorCode::CredentialInvalid, "the credential BROKEN cannot be opened")
    );
}

#[tokio::test]
async fn a_value_that_is_more_than_a_segment_stays_out_of_a_path() {
    let (server, _) = echo().await;
    let holder = Arc::new(Holder { places: vec![Placement::Path], ..Holder::default() });
    let holding = Holding { credentials: holder, used: Used::default() };
    let call = CallEgress::with(Arc::new(Granting), Allowance::default(), holding, Ending::default());
    let url = format!("http://127.0.0.1:{}/a/${{vault:TOKEN}}", server.port());
    let error = get(&plain(), &call, &url).await.unwrap_err();
    assert!(matches!(error, EgressError::Misplaced { why: Misplaced::Value, .. }), "{error:?}");
}

#[tokio::test]
async fn a_secret_that_a_pack_holds_itself_is_refused_with_advice() {
    let (server, _) = echo().await;
    let token = format!("Bearer ghp_{}", "a1B2".repeat(9));
    let sent = request(&server.url("127.0.0.1"), &[("authorization", &token)], "");
    let error = plain().send(sent, &loopback(), Waits::default()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the request's header authorization holds what looks like a personal access token of GitHub"
    );
    assert!(error.fix().unwrap().contains("packhost vault set"));
}

#[tokio::test]
async fn a_placeholder_that_arrives_in_pieces_ends_the_request() {
    let server = Server::start(|mut stream, _| async move {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.ok();
        assert!(!String::from_utf8_lossy(&all).contains("vault:"));
    })
    .await;
    let (feed, body) = mpsc::channel(8);
    for piece in ["a ${", "vau", "lt:TOKEN} b"] {
        feed.send(Bytes::from(piece)).await.unwrap();
    }
    drop(feed);
    let (call, ..) = everywhere();
    let request = Request::post(server.url("127.0.0.1")).body(Fed(body)).unwrap();
    let error = plain().send(request, &call, Waits::default()).await.unwrap_err();
    assert!(matches!(error, EgressError::Misplaced { why: Misplaced::Body, .. }), "{error:?}");
}

/// What a server sends that was asked with the credential, head and body.
pub(crate) async fn answered(
    head: &str,
    body: &[u8],
    settings: Settings,
) -> Result<(http::HeaderMap, Vec<u8>), EgressError> {
    let mut answer = format!("HTTP/1.1 200 OK\r\n{head}content-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    let server = Server::answering(answer).await;
    let (call, ..) = everywhere();
    let fields = [("authorization", "Bearer ${vault:TOKEN}"), ("accept-encoding", "gzip, br, lzma")];
    let sent = request(&server.url("127.0.0.1"), &fields, "");
    let response = Egress::new(settings).unwrap().send(sent, &call, Waits::default()).await?;
    let headers = response.headers().clone();
    Ok((headers, response.into_body().collect().await?.to_bytes().to_vec()))
}

#[tokio::test]
async fn headers_come_back_without_the_value() {
    let head = format!("x-echo: <{VALUE}>\r\nset-cookie: a={VALUE}; path=/\r\nx-fine: fine\r\n");
    let (headers, body) = answered(&head, b"fine", Settings::default()).await.unwrap();
    assert_eq!(headers["x-echo"], "<[redacted:TOKEN]>");
    assert_eq!(headers["set-cookie"], "a=[redacted:TOKEN]; path=/");
    assert_eq!((headers["x-fine"].as_bytes(), &body[..]), (&b"fine"[..], &b"fine"[..]));
}
