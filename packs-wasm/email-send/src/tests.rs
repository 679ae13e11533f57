//! What is sent for an input, and what an agent reads where it is not taken.

use std::cell::RefCell;

use packhost_sdk::http::{Reply, Request};
use packhost_sdk::{Code, json};

use super::*;

/// Answers the same to every request and keeps them.
struct Provider {
    reply: Reply,
    asked: RefCell<Vec<Request>>,
}

impl Provider {
    fn answering(status: u16, headers: &[(&str, &str)], body: &packhost_sdk::Value) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let reply = Reply { status, headers, body: body.to_string().into_bytes() };
        Self { reply, asked: RefCell::default() }
    }
}

impl Transport for Provider {
    fn exchange(&self, request: &Request, _: usize) -> Result<Reply, Error> {
        self.asked.borrow_mut().push(request.clone());
        Ok(self.reply.clone())
    }
}

fn message(input: packhost_sdk::Value) -> Result<Message, Error> {
    let input: Input = packhost_sdk::serde_json::from_value(input).expect("an input");
    Message::read(input, &Operator::new(Some("Packs <packs@example.org>".into()), None))
}

fn api() -> Api {
    Api::new(BASE, CREDENTIAL).expect("an API")
}

fn pointer(error: Error) -> Option<String> {
    packhost_sdk::macro_support::bindings::packhost::pack::types::PackError::from(error).pointer
}

#[test]
fn a_message_is_sent_as_the_provider_takes_it() {
    let provider = Provider::answering(200, &[], &json!({ "id": "49a3999c" }));
    let message = message(json!({
        "to": "ada@example.com", "subject": " Hi ", "text": "Hello", "cc": ["Bob <bob@example.com>"],
        "bcc": "carol@example.com", "reply_to": "dora@example.com"
    }))
    .expect("a message");
    let output = deliver(&api(), &provider, &message).expect("sent");
    assert_eq!((output.id.as_str(), output.recipients), ("49a3999c", 3));
    let asked = provider.asked.borrow();
    let request = asked.first().expect("a request");
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://api.resend.com/emails"));
    let header =
        |name: &str| request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(header("authorization"), Some("Bearer ${vault:EMAIL_API_KEY}"));
    assert_eq!(header("content-type"), Some("application/json"));
    let body: packhost_sdk::Value = packhost_sdk::serde_json::from_slice(&request.body).expect("JSON");
    let expected = json!({
        "from": "Packs <packs@example.org>", "to": ["ada@example.com"], "subject": "Hi", "text": "Hello",
        "cc": ["Bob <bob@example.com>"], "bcc": ["carol@example.com"], "reply_to": ["dora@example.com"]
    });
    assert_eq!(body, expected);
}

#[test]
fn the_same_message_has_the_same_idempotency_key_and_another_one_another() {
    let key = |text: &str| {
        let message =
            message(json!({ "to": "a@example.com", "subject": "s", "text": text })).expect("a message");
        let request = message.request(&api()).expect("a request");
        let found = request.headers.into_iter().find(|(name, _)| name == "idempotency-key");
        found.expect("a key").1
    };
    assert_eq!(key("one"), key("one"));
    assert_ne!(key("one"), key("two"));
    assert!(key("one").len() <= 256 && key("one").is_ascii());
}

#[test]
fn addresses_that_could_mean_something_else_are_refused() {
    let long = format!("{}@example.com", "a".repeat(65));
    for bad in [
        "ada",
        "ada@",
        "@example.com",
        "a@b@example.com",
        "ada@example",
        "ada@.com",
        "ada@example..com",
        "a@example.com,b@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "a\n@example.com",
        "Ada <ada@example.com> x",
        "<ada@example.com>, b <b@example.com>",
        "a b@example.com",
        "Ada <ada@example.com",
        "x@y.z <ada@example.com>",
        "ada@-example.com",
        "ada@example.com:25",
        "\"a\"@example.com",
        &long,
        "",
        "<>",
    ] {
        let error = message(json!({ "to": bad, "subject": "s", "text": "t" })).expect_err(bad);
        assert_eq!(error.code(), Code::InvalidInput, "{bad}");
        assert!(!error.message().contains(['\r', '\n']), "{bad}");
        assert_eq!(pointer(error).as_deref(), Some("/to"), "{bad}");
    }
    for good in [
        "ada@example.com",
        " ada+tag@mail.example.co.uk ",
        "Ada L. <ada@example.com>",
        "<a@b.example>",
        "jürgen@münchen.example",
    ] {
        assert!(message(json!({ "to": good, "subject": "s", "text": "t" })).is_ok(), "{good}");
    }
}

#[test]
fn what_is_wrong_with_an_input_is_pointed_at() {
    let many: Vec<String> = (0..51).map(|n| format!("a{n}@example.com")).collect();
    let long = "x".repeat((1 << 20) + 1);
    for (input, expected) in [
        (json!({ "to": ["a@example.com", "b"], "subject": "s", "text": "t" }), "/to/1"),
        (json!({ "to": [], "subject": "s", "text": "t" }), "/to"),
        (json!({ "to": many, "subject": "s", "text": "t" }), "/to"),
        (json!({ "to": "a@example.com", "subject": "s\nBcc: b@example.com", "text": "t" }), "/subject"),
        (json!({ "to": "a@example.com", "subject": " ", "text": "t" }), "/subject"),
        (json!({ "to": "a@example.com", "subject": "s" }), "/text"),
        (json!({ "to": "a@example.com", "subject": "s", "text": " ", "html": "" }), "/text"),
        (json!({ "to": "a@example.com", "subject": "s", "html": long }), "/html"),
        (json!({ "to": "a@example.com", "subject": "s", "text": "t", "from": "me" }), "/from"),
        (
            json!({ "to": "a@example.com", "subject": "s", "text": "t", "bcc": ["b@example.com", ""] }),
            "/bcc/1",
        ),
    ] {
        let error = message(input).expect_err(expected);
        assert_eq!((error.code(), pointer(error).as_deref()), (Code::InvalidInput, Some(expected)));
    }
}

#[test]
fn without_a_sender_of_the_input_or_the_operator_nothing_is_sent() {
    let input = || {
        packhost_sdk::serde_json::from_value(json!({ "to": "a@example.com", "subject": "s", "text": "t" }))
    };
    for from in [None, Some(String::new())] {
        let error =
            Message::read(input().expect("an input"), &Operator::new(from, None)).expect_err("no sender");
        assert_eq!(pointer(error).as_deref(), Some("/from"));
    }
}

#[test]
fn what_the_provider_says_is_told_as_what_to_change() {
    let name = |name: &str, message: &str| json!({ "name": name, "message": message });
    let cases = [
        (401, name("missing_api_key", "Missing API key"), Code::AuthFailed, None),
        (403, name("invalid_api_key", "API key is invalid"), Code::AuthFailed, None),
        (
            403,
            name("validation_error", "The example.org domain is not verified"),
            Code::InvalidInput,
            Some("/from"),
        ),
        (
            403,
            name("validation_error", "You can only send testing emails to your own address"),
            Code::AuthFailed,
            None,
        ),
        (409, name("concurrent_idempotent_requests", "Same key"), Code::Failed, None),
        (422, name("validation_error", "Invalid `to` field."), Code::InvalidInput, Some("/to")),
        (422, name("validation_error", "Invalid `attachments` field."), Code::InvalidInput, None),
        (429, name("rate_limit_exceeded", "Too many requests"), Code::RateLimited, None),
        (500, json!("<html>"), Code::Failed, None),
        (404, json!({}), Code::Failed, None),
        (302, json!({}), Code::Failed, None),
    ];
    let message = message(json!({ "to": "a@example.com", "subject": "s", "text": "t" })).expect("a message");
    for (status, body, code, at) in cases {
        let provider = Provider::answering(status, &[("retry-after", "7")], &body);
        let Err(error) = deliver(&api(), &provider, &message) else { panic!("{status} {body} was taken") };
        assert_eq!(error.code(), code, "{status} {body}");
        assert_eq!(pointer(error).as_deref(), at, "{status} {body}");
    }
}

#[test]
fn a_wait_is_the_providers_own_or_a_guess() {
    let message = message(json!({ "to": "a@example.com", "subject": "s", "text": "t" })).expect("a message");
    let wait = |headers: &[(&str, &str)], name: &str| {
        let provider = Provider::answering(429, headers, &json!({ "name": name }));
        let error = deliver(&api(), &provider, &message).err().expect("too many");
        packhost_sdk::macro_support::bindings::packhost::pack::types::PackError::from(error).retry_after_ms
    };
    assert_eq!(wait(&[("retry-after", "7")], "rate_limit_exceeded"), Some(7_000));
    assert_eq!(wait(&[], "rate_limit_exceeded"), Some(10_000));
    assert_eq!(wait(&[], "daily_quota_exceeded"), Some(86_400_000));
}

#[test]
fn the_operators_sender_is_the_only_one() {
    let message =
        |from: &str| message(json!({ "to": "a@example.com", "subject": "s", "text": "t", "from": from }));
    for same in ["packs@example.org", "Another name <Packs@Example.org>"] {
        assert!(message(same).is_ok(), "{same}");
    }
    let error = message("ceo@example.org").expect_err("another sender");
    assert_eq!(error.code(), Code::Denied);
    assert_eq!(pointer(error).as_deref(), Some("/from"));
}

#[test]
fn nobody_gets_mail_whom_the_operator_does_not_name() {
    let recipients = |listed: &str, field: &str, address: &str| {
        let mut input =
            json!({ "to": "ada@example.com", "subject": "s", "text": "t", "from": "p@example.org" });
        input[field] = address.into();
        let input = packhost_sdk::serde_json::from_value(input).expect("an input");
        Message::read(input, &Operator::new(None, Some(listed.into())))
    };
    let listed = "ada@example.com, @example.net";
    for (field, address) in [
        ("to", "Ada <ADA@example.com>"),
        ("cc", "whoever@example.net"),
        ("bcc", "whoever@EXAMPLE.net"),
        ("reply_to", "a@elsewhere.example"),
    ] {
        assert!(recipients(listed, field, address).is_ok(), "{field} {address}");
    }
    for address in
        ["bob@example.com", "a@sub.example.net", "a@evilexample.net", "@example.net <a@elsewhere.example>"]
    {
        for field in ["to", "cc", "bcc"] {
            assert!(recipients(listed, field, address).is_err(), "{field} {address}");
        }
    }
    let error = recipients(listed, "bcc", "bob@example.com").expect_err("not listed");
    assert_eq!((error.code(), pointer(error).as_deref()), (Code::Denied, Some("/bcc")));
    assert!(recipients("", "to", "ada@example.com").is_err(), "an empty list is nobody");
}
