//! Credentials that sign: what a server gets is what it can check, and never the key.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use packhost_core::{ErrorCode, Placement};
use packhost_egress::*;
use packhost_signing::kept;
use proptest::prelude::*;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::credentials::{echo, request};
use super::support::*;
use super::tls::{Authority, trusting};

/// A key that was made for these tests, and opens nothing.
const RSA: &str = include_str!("../../../signing/tests/signing/keys/rsa-pkcs8.pem");
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const TEXT: &str = "a-secret-that-is-text";

/// One credential, which signs so. Another, TEXT, is text. BROKEN holds what is no key of RSA.
struct Signs(Value);

impl Credentials for Signs {
    fn open(&self, of: &CredentialUse) -> Result<Opened, CredentialError> {
        if of.name.as_str() == "TEXT" {
            return Ok(Opened { value: Zeroizing::new(TEXT.into()), version: 1, form: Form::Text });
        }
        let signing: Signing = serde_json::from_value(self.0.clone()).unwrap();
        let private = matches!(&signing, Signing::Jwt(jwt) if jwt.algorithm.name() == "RS256");
        let value = match of.name.as_str() {
            "BROKEN" => "pkcs8:bm90aGluZw==".into(),
            _ if private => kept(RSA.as_bytes()).unwrap().as_bytes().to_vec(),
            _ => SECRET.as_bytes().to_vec(),
        };
        Ok(Opened { value: Zeroizing::new(value), version: 1, form: Form::Signing(Box::new(signing)) })
    }
}

struct Granting;

impl Rules for Granting {
    fn decide(&self, _: &Method, _: &Url) -> Verdict {
        let credentials = ["KEY", "OTHER", "TEXT", "BROKEN"].map(|name| name.parse().unwrap()).into();
        Verdict::Allowed { addresses: vec!["127.0.0.0/8".parse().unwrap()], credentials }
    }
}

pub(crate) fn with(sign: &Value) -> CallEgress {
    let holding = Holding { credentials: Arc::new(Signs(sign.clone())), used: Used::default() };
    CallEgress::with(Arc::new(Granting), Allowance::default(), holding, Ending::default())
}

/// What arrives of a request that is signed so, and what comes back where the server echoes it.
async fn exchanged(sign: &Value, url: &str, fields: &[(&str, &str)], body: &str) -> (Arrived, String) {
    let (server, mut requests) = echo().await;
    let length = body.len().to_string();
    let mut fields = fields.to_vec();
    // A placeholder in the body is longer than what it stands for, or shorter; the host sees to that.
    if !body.is_empty() {
        fields.push(("content-length", &length));
    }
    let url = format!("http://127.0.0.1:{}{url}", server.port());
    let sent = plain().send(request(&url, &fields, body), &with(sign), Waits::default()).await;
    let answer = text(sent.unwrap_or_else(|error| panic!("{url}: {error}"))).await.unwrap();
    let arrived = requests.recv().await.unwrap();
    let key: String = RSA.lines().filter(|line| !line.starts_with("-----")).collect();
    for text in [&arrived, &answer] {
        assert!(!text.contains(SECRET) && !text.contains(&key) && !text.contains("vault:"), "{text}");
    }
    (Arrived::read(&arrived), answer)
}

async fn refused(sign: &Value, url: &str, fields: &[(&str, &str)], body: &str) -> EgressError {
    let mut server = Server::answering(OK).await;
    let url = format!("http://127.0.0.1:{}{url}", server.port());
    let sent = plain().send(request(&url, fields, body), &with(sign), Waits::default()).await;
    assert!(server.heads().is_empty(), "nothing was sent");
    sent.err().unwrap_or_else(|| panic!("{url} {fields:?} was sent"))
}

/// A request as the server read it.
struct Arrived {
    method: String,
    target: String,
    fields: Vec<(String, String)>,
    body: String,
}

impl Arrived {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let (line, fields) = head.split_once("\r\n").unwrap();
        let mut words = line.split(' ').map(str::to_owned);
        let field =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            method: words.next().unwrap(),
            target: words.next().unwrap(),
            fields: fields.lines().filter_map(field).collect(),
            body: body.to_owned(),
        }
    }

    fn field(&self, name: &str) -> &str {
        let mut all = self.fields.iter().filter(|(field, _)| field == name);
        let (Some((_, value)), None) = (all.next(), all.next()) else { panic!("{name} is not there once") };
        value
    }
}

fn mac(key: &[u8], text: impl AsRef<[u8]>) -> Vec<u8> {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    ring::hmac::sign(&key, text.as_ref()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signature(text: impl AsRef<[u8]>) -> String {
    hex(&mac(SECRET.as_bytes(), text))
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn a_webhook_is_signed_over_the_body_that_arrives() {
    let hook = json!({ "hmac": { "over": ["body"], "prefix": "sha256=" } });
    let fields = [("content-type", "application/json"), ("x-hub-signature-256", "${vault:KEY}")];
    let (arrived, answer) = exchanged(&hook, "/hook", &fields, r#"{"a": "${vault:TEXT}"}"#).await;
    assert_eq!(arrived.body, format!(r#"{{"a": "{TEXT}"}}"#), "first the text, then the signature");
    let signature = signature(&arrived.body);
    assert_eq!(arrived.field("x-hub-signature-256"), format!("sha256={signature}"));
    assert!(answer.contains("sha256=[redacted:KEY]"), "{answer}");
    assert!(!answer.contains(&signature) && !answer.contains(TEXT), "{answer}");
    // A body of any other kind too.
    let fields = [("content-type", "image/png"), ("x-hub-signature-256", "${vault:KEY}")];
    let (arrived, _) = exchanged(&hook, "/hook", &fields, "not text").await;
    assert_eq!(arrived.field("x-hub-signature-256"), format!("sha256={}", self::signature("not text")));
}

#[tokio::test]
async fn the_time_that_is_signed_is_the_hosts() {
    let slack = json!({ "hmac": { "over": [{ "text": "v0:" }, "timestamp", { "text": ":" }, "body"],
        "prefix": "v0=", "timestamp": { "header": "x-slack-request-timestamp" } } });
    let before = seconds();
    let fields = [("x-slack-signature", "${vault:KEY}"), ("x-slack-request-timestamp", "9999999999")];
    let (arrived, _) = exchanged(&slack, "/", &fields, "a=b").await;
    let time = arrived.field("x-slack-request-timestamp");
    assert!((before..=seconds()).contains(&time.parse().unwrap()), "{time}");
    assert_eq!(arrived.field("x-slack-signature"), format!("v0={}", signature(format!("v0:{time}:a=b"))));
}

#[tokio::test]
async fn a_signature_in_the_query_is_over_the_rest_of_it() {
    let binance = json!({ "hmac": { "over": ["query", "body"] } });
    for (url, signed, query) in [
        ("/o?a=1&signature=${vault:KEY}", "a=1", "a=1&signature="),
        ("/o?signature=%24%7Bvault:KEY%7D&a=1&b=%2f", "a=1&b=%2f", "signature="),
        ("/o?a=1&signature=${vault:KEY}&key=${vault:TEXT}", &format!("a=1&key={TEXT}"), "a=1&signature="),
        ("/o?signature=${vault:KEY}", "", "signature="),
    ] {
        let (arrived, _) = exchanged(&binance, url, &[], "q=1").await;
        let expected = format!("/o?{query}{}", signature(format!("{signed}q=1")));
        assert!(arrived.target.starts_with(&expected), "{} {expected}", arrived.target);
    }
}

#[tokio::test]
async fn method_target_and_host_are_those_of_the_request_line() {
    let coinbase = json!({ "hmac": { "over": [{ "header": "cb-access-timestamp" }, "method", "target", "body",
        { "header": "host" }], "encoding": "base64" } });
    let fields =
        [("cb-access-sign", "${vault:KEY}"), ("cb-access-timestamp", "17"), ("host", "elsewhere.example")];
    for (url, target) in [("/orders", "/orders"), ("/a/../orders?b=c d", "/orders?b=c%20d")] {
        let url = url.replace(' ', "%20");
        let (arrived, answer) = exchanged(&coinbase, &url, &fields, "{}").await;
        assert_eq!(arrived.target, target);
        let text = format!("17POST{target}{{}}{}", arrived.field("host"));
        assert!(text.ends_with(&format!(":{}", arrived.field("host").rsplit_once(':').unwrap().1)));
        let signature = STANDARD.encode(mac(SECRET.as_bytes(), text));
        assert_eq!(arrived.field("cb-access-sign"), signature);
        assert!(!answer.contains(&signature), "{answer}");
    }
}

#[tokio::test]
async fn a_jwt_is_fresh_and_verified_and_does_not_come_back() {
    let app = json!({ "jwt": { "algorithm": "RS256", "claims": { "iss": "123456" }, "key_id": "k" } });
    let before = seconds();
    let fields = [("authorization", "Bearer ${vault:KEY}")];
    let (arrived, answer) = exchanged(&app, "/app", &fields, "").await;
    let token = arrived.field("authorization").strip_prefix("Bearer ").unwrap();
    let (said, signature) = token.rsplit_once('.').unwrap();
    let pem: String = RSA.lines().filter(|line| !line.starts_with("-----")).collect();
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(pem).unwrap()).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(public.verify(said.as_bytes(), &signature).is_ok());
    let parts: Vec<Value> = said
        .split('.')
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts[0], json!({ "alg": "RS256", "typ": "JWT", "kid": "k" }));
    let issued = parts[1]["iat"].as_u64().unwrap();
    assert!((before - 60..=seconds() - 60).contains(&issued), "{issued}");
    assert_eq!(parts[1], json!({ "iss": "123456", "iat": issued, "exp": issued + 300 }));
    assert!(answer.contains("Bearer [redacted:KEY]") && !answer.contains(token), "{answer}");
}

#[tokio::test]
async fn a_jwt_is_text_that_stands_in_a_form_too() {
    let grant = json!({ "jwt": { "algorithm": "HS256", "claims": { "aud": "a" } } });
    let fields = [("content-type", "application/x-www-form-urlencoded")];
    let (arrived, answer) = exchanged(&grant, "/token", &fields, "a=b&assertion=${vault:KEY}").await;
    let token = arrived.body.strip_prefix("a=b&assertion=").unwrap();
    let (said, mac) = token.rsplit_once('.').unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(mac).unwrap(), self::mac(SECRET.as_bytes(), said));
    assert!(answer.ends_with("a=b&assertion=[redacted:KEY]"), "{answer}");
}

/// The signature that AWS expects of this request: written once more, from the description alone.
fn expected_of_aws(arrived: &Arrived, signed: &str, path: &str, query: &str, scope: &str) -> String {
    let fields: String = signed.split(';').map(|name| format!("{name}:{}\n", arrived.field(name))).collect();
    let hash = |text: &str| hex(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref());
    let (method, body) = (&arrived.method, hash(&arrived.body));
    let request = hash(&format!("{method}\n{path}\n{query}\n{fields}\n{signed}\n{body}"));
    let time = arrived.field("x-amz-date");
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{request}");
    let key = scope.split('/').fold(format!("AWS4{SECRET}").into_bytes(), |key, word| mac(&key, word));
    hex(&mac(&key, text))
}

#[tokio::test]
async fn a_request_to_aws_is_signed_as_it_arrives() {
    let aws =
        |service| json!({ "sigv4": { "key_id": "AKIDEXAMPLE", "region": "eu-west-1", "service": service } });
    let fields = [
        ("authorization", "${vault:KEY}"),
        ("x-amz-meta-note", "mine"),
        ("x-amz-security-token", "${vault:TEXT}"),
        ("x-amz-date", "20000101T000000Z"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("user-agent", "a pack"),
    ];
    for (service, path) in [("s3", "/a%2Bb%281%29/%C3%A9"), ("execute-api", "/a%252Bb%25281%2529/%25C3%25A9")]
    {
        let (arrived, answer) = exchanged(&aws(service), "/a+b(1)/%c3%a9?z=1+2&a", &fields, "hello").await;
        assert_eq!(arrived.target, "/a%2Bb%281%29/%C3%A9?z=1%202&a");
        let time = arrived.field("x-amz-date");
        assert!(!time.starts_with("2000"), "the time is the host's");
        let scope = format!("{}/eu-west-1/{service}/aws4_request", &time[..8]);
        let signed = "host;x-amz-content-sha256;x-amz-date;x-amz-meta-note;x-amz-security-token";
        let signature = expected_of_aws(&arrived, signed, path, "a=&z=1%202", &scope);
        assert_eq!(
            arrived.field("authorization"),
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={signed}, Signature={signature}"
            )
        );
        assert_eq!(arrived.field("x-amz-security-token"), TEXT);
        assert!(answer.contains("Signature=[redacted:KEY]") && !answer.contains(&signature), "{answer}");
    }
}

const LARGE: usize = (1 << 20) + 1;

#[tokio::test]
async fn a_body_that_is_signed_is_held_and_so_is_bounded() {
    let (hook, whole) = (json!({ "hmac": { "over": ["body"] } }), "a".repeat(LARGE - 1));
    let (arrived, _) = exchanged(&hook, "/", &[("x-signature", "${vault:KEY}")], &whole).await;
    assert_eq!(arrived.field("x-signature"), signature(&whole));
    let large = "a".repeat(LARGE);
    let aws =
        |service| json!({ "sigv4": { "key_id": "AKIDEXAMPLE", "region": "eu-west-1", "service": service } });
    for (sign, header) in
        [(hook, "x-signature"), (aws("execute-api"), "authorization"), (aws("s3"), "authorization")]
    {
        let error = refused(&sign, "/", &[(header, "${vault:KEY}")], &large).await;
        assert!(matches!(error, EgressError::Unsigned { why: Unsigned::Body, .. }), "{error:?}");
        assert_eq!(error.code(), ErrorCode::CredentialDenied);
        assert!(error.to_string().contains("1 MiB") && error.fix().is_some(), "{error}");
    }
    // What is not signed is not held.
    let target = json!({ "hmac": { "over": ["target"] } });
    let (arrived, _) = exchanged(&target, "/x", &[("x-signature", "${vault:KEY}")], &large).await;
    assert_eq!((arrived.field("x-signature"), arrived.body.len()), (&*signature("/x"), LARGE));
}

#[tokio::test]
async fn over_tls_s3_takes_a_large_body_that_is_not_signed() {
    let authority = Authority::new("ours");
    let port = authority.serve(&["granted.test"], |_| {}).await;
    let s3 = json!({ "sigv4": { "key_id": "AKIDEXAMPLE", "region": "eu-west-1", "service": "s3" } });
    for (length, expected) in [(LARGE, "UNSIGNED-PAYLOAD"), (0, "e3b0c442")] {
        let put = Request::put(format!("https://granted.test:{port}/object"))
            .header("authorization", "${vault:KEY}")
            .body(Full::from(Bytes::from(vec![b'a'; length])))
            .unwrap();
        let egress = trusting(vec![authority.root()]);
        let response = egress.send(put, &with(&s3), Waits::default()).await.unwrap();
        let seen = response.headers()["x-seen"].to_str().unwrap();
        assert!(seen.starts_with(expected), "{seen}");
    }
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent() {
    let hook = json!({ "hmac": { "over": [{ "header": "x-time" }, "body"] } });
    let time = ("x-time", "1");
    let error = refused(&hook, "/", &[("x-signature", "${vault:KEY}")], "").await;
    assert_eq!(
        error.to_string(),
        "the request to 127.0.0.1 cannot be signed with the credential KEY: its header x-time is signed, and is absent or \
         there more than once"
    );
    let error = refused(&hook, "/", &[("a", "${vault:KEY}"), ("b", "${vault:OTHER}"), time], "").await;
    assert!(matches!(error, EgressError::Unsigned { why: Unsigned::Twice, .. }), "{error:?}");
    let error = refused(&hook, "/?s=${vault:KEY}", &[("a", "${vault:KEY}"), time], "").await;
    assert!(matches!(error, EgressError::Unsigned { why: Unsigned::Twice, .. }), "{error:?}");
    let json = ("content-type", "application/json");
    let aws = json!({ "sigv4": { "key_id": "AKIDEXAMPLE", "region": "eu-west-1", "service": "s3" } });
    for (sign, url, fields, body) in [
        (&hook, "/", vec![json, time], r#"{"a": "${vault:KEY}"}"#),
        (&hook, "/${vault:KEY}", vec![time], ""),
        (&aws, "/?a=${vault:KEY}", vec![], ""),
        (&aws, "/", vec![("authorization", "Bearer ${vault:KEY}")], ""),
        (&aws, "/", vec![("x-other", "${vault:KEY}")], ""),
    ] {
        let error = refused(sign, url, &fields, body).await;
        let unbound = matches!(error, EgressError::Credential { error: CredentialError::Unbound(_), .. });
        assert!(unbound, "{url} {fields:?} {body}: {error:?}");
    }
    let app = json!({ "jwt": { "algorithm": "RS256", "claims": {} } });
    let error = refused(&app, "/", &[("authorization", "Bearer ${vault:BROKEN}")], "").await;
    assert_eq!(error.code(), ErrorCode::CredentialInvalid);
    assert_eq!(error.to_string(), "the credential BROKEN cannot be opened");
    for sign in [hook, aws] {
        let error = refused(&sign, "/", &[("authorization", "${vault:BROKEN}"), time], "").await;
        assert_eq!(error.code(), ErrorCode::CredentialInvalid, "a private key is no shared secret");
    }
}

#[tokio::test]
async fn a_call_signs_as_many_requests_as_it_may_send() {
    let (server, mut requests) = echo().await;
    let call = with(&json!({ "hmac": { "over": ["target"] } }));
    let mut signatures = Vec::new();
    for number in 0..60 {
        let url = format!("http://127.0.0.1:{}/{number}", server.port());
        let sent = request(&url, &[("x-signature", "${vault:KEY}")], "");
        let answer = text(plain().send(sent, &call, Waits::default()).await.unwrap()).await.unwrap();
        assert!(answer.contains("x-signature: [redacted:KEY]"), "{answer}");
        signatures.push(Arrived::read(&requests.recv().await.unwrap()).field("x-signature").to_owned());
    }
    signatures.dedup();
    assert_eq!(signatures.len(), 60);
}

#[test]
fn what_was_opened_does_not_show_itself() {
    let value = Zeroizing::new(SECRET.into());
    let form =
        Form::Signing(Box::new(serde_json::from_value(json!({ "hmac": { "over": ["body"] } })).unwrap()));
    assert!(!format!("{:?}", Opened { value, version: 1, form }).contains(SECRET));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever the URL and the body, a server that puts the parts together again comes to the same signature.
    #[test]
    fn what_the_server_reads_is_what_was_signed(
        path in "(/[!-~]{0,12}){1,4}",
        query in proptest::option::of("[!-~]{1,40}"),
        body in "[ -~\r\n]{0,200}",
        in_query in any::<bool>(),
    ) {
        let bad = |text: &str| text.contains(['#', '?', '"', '<', '>', '\\', '^', '`', '{', '|', '}']);
        prop_assume!(!bad(&path) && !query.as_deref().is_some_and(|query| bad(query) || query.contains("s=")));
        let mut url = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        let mut fields = Vec::new();
        if in_query {
            let mark = if url.contains('?') { "&" } else { "?" };
            url.push_str(&format!("{mark}s=${{vault:KEY}}"));
        } else {
            fields.push(("x-signature", "${vault:KEY}"));
        }
        let sign = json!({ "hmac": { "over": ["method", "path", "target", "query", "body"] } });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (arrived, _) = runtime.block_on(exchanged(&sign, &url, &fields, &body));
        let (path, query) = arrived.target.split_once('?').map_or((&*arrived.target, None), |(a, b)| (a, Some(b)));
        let (found, rest) = if in_query {
            let (rest, found) = query.unwrap().rsplit_once("s=").unwrap();
            (found, rest.strip_suffix('&'))
        } else {
            (arrived.field("x-signature"), query)
        };
        let target = rest.map_or(path.to_owned(), |rest| format!("{path}?{rest}"));
        let text = format!("POST{path}{target}{}{}", rest.unwrap_or_default(), arrived.body);
        prop_assert_eq!(found, signature(text));
    }
}

#[test]
fn a_place_is_what_a_signature_may_have() {
    let signing: Signing = serde_json::from_value(json!({ "hmac": { "over": ["body"] } })).unwrap();
    assert!(
        !signing.may_stand(&Placement::Body) && signing.may_stand(&Placement::Query { name: "s".into() })
    );
}
