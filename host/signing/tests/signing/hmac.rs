//! HMACs over requests, as services describe them.

use http::Method;
use packhost_core::Placement;
use packhost_signing::{Hash, Hmac, Signing, SigningError};
use proptest::prelude::*;

use super::{Sent, at, headers, signing};

fn hmac(json: &str) -> Hmac {
    match signing(&format!(r#"{{"hmac": {json}}}"#)) {
        Signing::Hmac(hmac) => hmac,
        other => panic!("{other}"),
    }
}

fn post(fields: &[(&str, &str)], body: &'static [u8]) -> Sent {
    let (path, query) = ("/api/v3/order", Some("symbol=A&side=BUY"));
    Sent { method: Method::POST, path, query, headers: headers(fields), body }
}

fn made(json: &str, key: &str, sent: &Sent) -> String {
    hmac(json).sign(key.as_bytes(), &sent.message()).expect("signed").text.to_string()
}

/// The example of GitHub's documentation, "Validating webhook deliveries".
#[test]
fn github_has_its_prefix() {
    let json = r#"{"over": ["body"], "prefix": "sha256="}"#;
    assert_eq!(
        made(json, "It's a Secret to Everybody", &post(&[], b"Hello, World!")),
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    );
}

/// The example of Slack's documentation, "Verifying requests from Slack".
#[test]
fn slack_signs_a_version_and_the_time() {
    let json = r#"{"over": [{"text": "v0:"}, "timestamp", {"text": ":"}, "body"], "prefix": "v0=",
        "timestamp": {"header": "x-slack-request-timestamp"}}"#;
    let body =
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&\
trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let mut sent = post(&[("x-slack-request-timestamp", "1")], body);
    let slack = hmac(json);
    slack.stamp(&mut sent.headers, at(1_531_420_618)).expect("a good time");
    let made = slack.sign(b"8f742231b10e8888abcd99yyyzzz85a5", &sent.message()).expect("signed");
    assert_eq!(*made.text, "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
    assert_eq!(format!("v0={}", *made.proof), *made.text);
}

/// The example of Binance's documentation, "SIGNED endpoint examples".
#[test]
fn binance_signs_query_and_body() {
    let sent = Sent {
        query: Some("symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC"),
        ..post(&[], b"quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559")
    };
    assert_eq!(
        made(
            r#"{"over": ["query", "body"]}"#,
            "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
            &sent
        ),
        "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"
    );
}

#[test]
fn the_key_can_be_written_in_base64_or_hexadecimal() {
    let sent = post(&[("x-time", "12")], b"{}");
    let over = r#""over": [{"header": "x-time"}, "method", "target", "body"]"#;
    let text = made(&format!(r#"{{{over}, "encoding": "base64"}}"#), "0123456789abcdef", &sent);
    for (written, key) in [
        ("base64", "MDEyMzQ1Njc4OWFiY2RlZg=="),
        ("base64", "MDEyMzQ1Njc4OWFiY2RlZg"),
        ("hex", "30313233343536373839616263646566"),
    ] {
        let json = format!(r#"{{{over}, "encoding": "base64", "key": "{written}"}}"#);
        assert_eq!(made(&json, key, &sent), text);
        let refused = hmac(&json).sign(b"not so!!", &sent.message()).expect_err("not written so");
        assert!(matches!(refused, SigningError::Key(_)), "{refused}");
    }
    let text = made(&format!("{{{over}}}"), "abc???abc>>>abc!", &sent);
    for key in ["YWJjPz8/YWJjPj4+YWJjIQ==", "YWJjPz8_YWJjPj4-YWJjIQ==", "YWJjPz8_YWJjPj4-YWJjIQ"] {
        let json = format!(r#"{{{over}, "key": "base64"}}"#);
        assert_eq!(made(&json, key, &sent), text, "{key}: in either alphabet");
    }
}

#[test]
fn a_signature_can_be_written_in_base64url() {
    let sent = post(&[("x-time", "12")], b"{}");
    let over = r#""over": [{"header": "x-time"}, "method", "target", "body"]"#;
    let text = made(&format!(r#"{{{over}, "encoding": "base64"}}"#), "0123456789abcdef", &sent);
    let url = made(&format!(r#"{{{over}, "encoding": "base64url"}}"#), "0123456789abcdef", &sent);
    assert_eq!(url, text.trim_end_matches('=').replace('+', "-").replace('/', "_"));
}

#[test]
fn a_header_that_is_signed_is_there_once() {
    let json = r#"{"over": [{"header": "x-time"}]}"#;
    for fields in [&[][..], &[("x-time", "1"), ("x-time", "2")]] {
        let refused = hmac(json).sign(b"12345678", &post(fields, b"").message()).expect_err("not once");
        assert_eq!(refused, SigningError::Header("x-time".into()));
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let header = |name: &str| Placement::Header { name: name.into(), scheme: None };
    let places = [header("x-signature"), Placement::Query { name: "s".into() }];
    let check = |json: &str, places: &[Placement]| signing(&format!(r#"{{"hmac": {json}}}"#)).check(places);
    let good = r#"{"over": ["timestamp", "body"], "timestamp": {"header": "x-time", "unit": "ms"}}"#;
    assert_eq!(check(good, &places), Ok(()));
    for place in [Placement::Body, Placement::Path] {
        assert!(check(good, &[place]).is_err());
    }
    for json in [
        r#"{"over": []}"#.to_owned(),
        format!(r#"{{"over": [{}]}}"#, vec![r#""body""#; 17].join(",")),
        format!(r#"{{"over": [{{"text": "{}"}}]}}"#, "a".repeat(257)),
        r#"{"over": [{"header": "X-Time"}]}"#.into(),
        r#"{"over": [{"header": "x-signature"}]}"#.into(),
        r#"{"over": ["timestamp"]}"#.into(),
        r#"{"over": ["body"], "timestamp": {"header": "x-time"}}"#.into(),
        r#"{"over": ["timestamp"], "timestamp": {"header": "x-signature"}}"#.into(),
        r#"{"over": ["timestamp"], "timestamp": {"header": "a b"}}"#.into(),
        r#"{"over": ["body"], "prefix": "a b"}"#.into(),
    ] {
        assert!(check(&json, &places).is_err(), "{json}");
    }
    for json in [
        r#"{"hmac": {"over": ["everything"]}}"#,
        r#"{"hmac": {"over": ["body"], "hash": "md5"}}"#,
        r#"{"hmac": {"over": ["body"], "surprise": 1}}"#,
        r#"{"rot13": {}}"#,
    ] {
        assert!(serde_json::from_str::<Signing>(json).is_err(), "{json}");
    }
}

proptest! {
    /// What a server concatenates of the request that it sees is what was signed.
    #[test]
    fn the_parts_are_what_the_server_sees(
        key in "[ -~]{8,80}",
        body in proptest::collection::vec(any::<u8>(), 0..300),
        parts in proptest::collection::vec(0..7_usize, 1..16),
        text in "[ -~]{0,40}",
        hash in prop_oneof![Just(Hash::Sha256), Just(Hash::Sha512), Just(Hash::Sha1)],
    ) {
        let sent = post(&[("x-time", "1700000000")], b"");
        let (mut over, mut expected) = (Vec::new(), Vec::new());
        for part in parts {
            let (json, bytes) = match part {
                0 => (serde_json::json!("method"), "POST".as_bytes()),
                1 => (serde_json::json!("path"), "/api/v3/order".as_bytes()),
                2 => (serde_json::json!("query"), "symbol=A&side=BUY".as_bytes()),
                3 => (serde_json::json!("target"), "/api/v3/order?symbol=A&side=BUY".as_bytes()),
                4 => (serde_json::json!("body"), &body[..]),
                5 => (serde_json::json!({ "header": "x-time" }), "1700000000".as_bytes()),
                _ => (serde_json::json!({ "text": text }), text.as_bytes()),
            };
            over.push(json);
            expected.extend_from_slice(bytes);
        }
        let hmac = hmac(&serde_json::json!({ "over": over, "hash": hash }).to_string());
        let message = packhost_signing::Message { body: &body, ..sent.message() };
        let made = hmac.sign(key.as_bytes(), &message).expect("signed");
        let algorithm = match hash {
            Hash::Sha256 => ring::hmac::HMAC_SHA256,
            Hash::Sha512 => ring::hmac::HMAC_SHA512,
            Hash::Sha1 => ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        };
        let tag = ring::hmac::sign(&ring::hmac::Key::new(algorithm, key.as_bytes()), &expected);
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        prop_assert_eq!(&*made.text, &hex);
    }
}
