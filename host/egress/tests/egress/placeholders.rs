//! What a pack writes that is, or only looks like, a secret or a placeholder.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use packhost_core::ErrorCode;
use packhost_egress::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use url::Url;
use zeroize::Zeroizing;

use super::credentials::{VALUE, everywhere, request};
use super::support::*;

/// The one credential that there is, for every place.
struct One(String);

impl Credentials for One {
    fn open(&self, _: &CredentialUse) -> Result<Opened, CredentialError> {
        Ok(Opened { value: Zeroizing::new(self.0.clone().into()), version: 1, form: Form::Text })
    }
}

impl Rules for One {
    fn decide(&self, _: &Method, _: &Url) -> Verdict {
        let addresses = vec!["127.0.0.0/8".parse().unwrap()];
        Verdict::Allowed { addresses, credentials: vec!["TOKEN".parse().unwrap()] }
    }
}

fn holding(value: &str) -> CallEgress {
    let one = Arc::new(One(value.to_owned()));
    let holding = Holding { credentials: one.clone(), used: Used::default() };
    CallEgress::with(one, Allowance::default(), holding, Ending::default())
}

#[tokio::test]
async fn what_the_host_itself_sends_is_sent_as_it_is() {
    let mut server = Server::answering(OK).await;
    let call = CallEgress::own(
        Account::apart(1, Duration::ZERO),
        Arc::new(One(VALUE.to_owned())),
        Allowance { requests: 1, bytes: 1 << 20, open: 1 },
    );
    let signature = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261128/eu-west-1/s3/aws4_request";
    let fields = [("authorization", signature), ("x-note", "${vault:TOKEN}"), ("content-type", "text/plain")];
    let sent = request(&server.url("127.0.0.1"), &fields, "a file about ${vault:TOKEN}");
    egress(&Names::new(&[])).send(sent, &call, Waits::default()).await.expect("nobody reads it");
    let heads = server.heads();
    assert!(heads[0].contains(signature) && heads[0].contains("x-note: ${vault:TOKEN}"), "{heads:?}");
}

#[tokio::test]
async fn a_key_that_a_pack_holds_is_found_before_anything_is_resolved_or_opened() {
    let mut server = Server::answering(OK).await;
    let names = Names::new(&[("granted.test", &[&["127.0.0.1"]])]);
    let origin = format!("http://granted.test:{}", server.port());
    let key = format!("ghp_{}", "a1B2".repeat(9));
    let spelled = key.replace('_', "%5F").replace('g', "%67");
    let basic = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(format!("{key}:x"))
    };
    for (path, name, value) in [
        (format!("/?key={key}"), "x-note", "fine".to_owned()),
        (format!("/?key={spelled}"), "x-note", "fine".to_owned()),
        (format!("/a/{key}/b"), "x-note", "fine".to_owned()),
        (format!("/a/{spelled}"), "x-note", "fine".to_owned()),
        ("/".into(), "cookie", format!("session={key}; a=b")),
        ("/".into(), "private-token", key.clone()),
        ("/".into(), "x-api-key", format!("token {key}")),
    ] {
        let (call, holder, used) = everywhere();
        let fields = [("authorization", "Bearer ${vault:TOKEN}"), (name, value.as_str())];
        let sent = request(&format!("{origin}{path}"), &fields, "");
        let error = egress(&names).send(sent, &call, Waits::default()).await.unwrap_err();
        assert!(
            matches!(error, EgressError::Misplaced { why: Misplaced::Literal(_), .. }),
            "{path} {name}: {error:?}"
        );
        assert!(!format!("{error} {error:?}").contains(&key[..12]), "{error}");
        assert!(holder.uses.lock().unwrap().is_empty() && used.redactor().is_none(), "{path} {name}");
    }
    let sent = request(&origin, &[("authorization", &format!("Basic {basic}"))], "");
    let error = egress(&names).send(sent, &loopback(), Waits::default()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::CredentialDenied);
    assert!(names.asked().is_empty() && server.heads().is_empty());
}

#[tokio::test]
async fn a_credential_that_looks_like_a_key_is_no_key_that_a_pack_holds() {
    let mut server = Server::answering(OK).await;
    let key = format!("ghp_{}", "a1B2".repeat(9));
    for (path, fields) in [
        ("/", &[("authorization", "Bearer ${vault:TOKEN}")][..]),
        ("/?key=${vault:TOKEN}", &[]),
        ("/a/${vault:TOKEN}", &[]),
    ] {
        let url = format!("http://127.0.0.1:{}{path}", server.port());
        let response = plain().send(request(&url, fields, ""), &holding(&key), Waits::default()).await;
        assert_eq!(text(response.unwrap()).await.unwrap(), "hello", "{path}");
        assert!(server.heads().concat().contains(&key), "{path}");
    }
}

#[tokio::test]
async fn what_is_only_random_or_only_resembles_a_placeholder_passes() {
    let mut server = Server::answering(OK).await;
    for text in [
        "550e8400-e29b-41d4-a716-446655440000",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo",
        "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
        "AKIA-is-how-they-begin-but-not-all-that-does-is-a-key",
        "re_opening_of_the_museum_after_the_restoration",
        "npm_and_yarn_and_what_else_there_is_for_packages",
        "hf_and_a_name_that_is_long_enough_for_a_model",
        "ghp_is_how_a_token_begins_and_this_is_none_of_them",
        "${VAULT:TOKEN}",
        "$vault:TOKEN",
        "{vault:TOKEN}",
        "$ {vault:TOKEN}",
        "${ vault:TOKEN}",
        "${vaults:TOKEN}",
        "${env:TOKEN}",
        "vault:TOKEN",
        "${{vault:TOKEN}}",
        "%24",
    ] {
        let json = serde_json::json!({ "text": text }).to_string();
        let value: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let bearer = format!("Bearer {text}");
        let fields = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let url = format!("{}?q={value}", server.url("127.0.0.1"));
        let response = plain().send(request(&url, &fields, &json), &holding(VALUE), Waits::default()).await;
        assert!(response.is_ok(), "{text}: {response:?}");
        assert!(server.heads().concat().contains(&format!("authorization: {bearer}\r\n")), "{text}");
    }
}

/// Such as one in the history of a conversation, which is sent with every request from then on.
#[tokio::test]
async fn a_placeholder_in_a_text_is_refused_by_name_and_the_next_request_is_sent() {
    let mut server = Server::answering(OK).await;
    let history = r#"{"messages": [{"role": "user", "content": "why does ${vault:TOKEN} not work?"}]}"#;
    let json = [("content-type", "application/json")];
    let bound_elsewhere = r#"{"text": "hello"}"#;
    // Not granted at all, and granted but for a header alone.
    let (granted, holder, _) = everywhere();
    for (call, name) in [(&loopback(), "TOKEN"), (&granted, "OTHER")] {
        let text = history.replace("TOKEN", name);
        for _ in 0..2 {
            let sent = request(&server.url("127.0.0.1"), &json, &text);
            let error = plain().send(sent, call, Waits::default()).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::CredentialDenied, "{error:?}");
            assert!(error.to_string().contains("credential") && error.fix().is_some(), "{error}");
            let sent = request(&server.url("127.0.0.1"), &json, bound_elsewhere);
            let answer = plain().send(sent, call, Waits::default()).await.unwrap();
            assert_eq!(text_of(answer).await, "hello");
        }
    }
    assert!(holder.uses.lock().unwrap().is_empty());
    assert!(!server.heads().concat().contains("vault"));
}

async fn text_of(response: http::Response<ResponseBody>) -> String {
    text(response).await.unwrap()
}

/// Which quote what they did not understand.
#[tokio::test]
async fn a_value_in_a_body_does_not_come_back_in_an_error_of_the_server() {
    let (seen, mut bodies) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream, head| {
        let seen = seen.clone();
        async move {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            stream.read_exact(&mut body).await.ok();
            let body = String::from_utf8(body).unwrap();
            let error = serde_json::json!({ "error": format!("cannot read: {body}"), "input": body });
            let page = format!("{error}\n<pre>{}</pre>", body.replace('&', "&amp;").replace('"', "&#34;"));
            let head = format!("HTTP/1.1 422 No\r\ncontent-length: {}\r\n\r\n", page.len());
            stream.write_all(format!("{head}{page}").as_bytes()).await.ok();
            seen.send(body).ok();
        }
    })
    .await;
    // Of signs that nothing escapes, as tokens are: the server quotes what is quoted already.
    let value = "tok_1234-ABCD.xyz";
    for (media, body) in [
        ("text/plain", "a ${vault:TOKEN} b"),
        ("application/json", r#"{"a": "${vault:TOKEN}"}"#),
        ("application/x-www-form-urlencoded", "a=${vault:TOKEN}"),
    ] {
        let length = body.len().to_string();
        let fields = [("content-type", media), ("content-length", length.as_str())];
        let asked = request(&server.url("127.0.0.1"), &fields, body);
        let answer = plain().send(asked, &holding(value), Waits::default()).await.unwrap();
        assert_eq!(answer.status(), 422);
        let said = text_of(answer).await;
        assert!(bodies.recv().await.unwrap().contains(value), "{media}: the server has no value to quote");
        assert!(!said.contains(value), "{media}: {said}");
        assert_eq!(said.matches("[redacted:TOKEN]").count(), 3, "{media}: {said}");
    }
}

#[tokio::test]
async fn a_second_request_that_a_pack_writes_behind_the_first_is_none() {
    let mut server = Server::start(|mut stream, _| async move {
        // What would be read as the next request.
        let mut all = vec![0; 5];
        stream.read_exact(&mut all).await.ok();
        stream.write_all(OK).await.ok();
        stream.read_to_end(&mut all).await.ok();
        assert_eq!(String::from_utf8_lossy(&all), "hello");
    })
    .await;
    let evil = "GET /evil HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${vault:TOKEN}\r\n\r\n";
    for pieces in [vec!["hello", evil], vec!["hel", "lo", &evil[..9], &evil[9..]]] {
        let (feed, body) = mpsc::channel(8);
        for piece in pieces {
            feed.send(Bytes::copy_from_slice(piece.as_bytes())).await.unwrap();
        }
        drop(feed);
        let sent =
            Request::post(server.url("127.0.0.1")).header("content-length", "5").body(Fed(body)).unwrap();
        // Whether it is refused or cut off where the length ends.
        if let Ok(answer) = plain().send(sent, &everywhere().0, Waits::default()).await {
            text(answer).await.ok();
        }
    }
    assert!(server.heads().iter().all(|head| head.starts_with("POST / ")));
}

#[tokio::test]
async fn no_error_shows_a_value_that_was_on_its_way() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut urls = vec![format!("http://{closed}"), format!("https://{closed}")];
    let mut servers = Vec::new();
    for answer in [
        "",
        "12345678",
        "HTTP/1.1 200 OK\r\n12345678\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-encoding: x12345678\r\n\r\nx",
        "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n12345678",
        "HTTP/1.1 101 12345678\r\nupgrade: 12345678\r\nconnection: upgrade\r\n\r\n",
    ] {
        servers.push(Server::answering(answer).await);
        urls.push(format!("http://127.0.0.1:{}", servers.last().unwrap().port()));
    }
    // Whose greeting is not the head of a request, so that the server never answers.
    urls.push(format!("https://127.0.0.1:{}", servers[0].port()));
    let impatient = Waits { connect: Some(SHORT), ..Waits::default() };
    for url in urls {
        let call = holding("12345678");
        let sent = Request::get(format!("{url}/a/${{vault:TOKEN}}?key=${{vault:TOKEN}}"))
            .header("authorization", "Bearer ${vault:TOKEN}")
            .body(Full::<Bytes>::default())
            .unwrap();
        let error = match plain().send(sent, &call, impatient).await {
            Ok(response) => text(response).await.unwrap_err(),
            Err(error) => error,
        };
        let failure = packhost_core::Failure::from(error.clone());
        let shown = format!("{error} {error:?} {failure:?} {call:?} {:?}", call.contacts());
        assert!(!shown.contains("12345678"), "{url}: {shown}");
    }
}
