//! Access tokens of an authorization server: those that are good, and those that attack. The keys are real, and are served on
//! loopback.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use packhost_tests::host::{Served, Setup};
use packhost_tests::http::{self, Response};
use packhost_tests::rpc::result;
use packhost_tests::web::{Web, response};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use crate::wire::{self, call};

/// How clients know the host.
pub(crate) const US: &str = "https://packs.example.com/mcp";
const METADATA: &str = "https://packs.example.com/.well-known/oauth-protected-resource/mcp";

struct Key(EcdsaKeyPair);

impl Key {
    fn new() -> Self {
        let (random, way) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(way, &random).expect("a key");
        Self(EcdsaKeyPair::from_pkcs8(way, document.as_ref(), &random).expect("a key"))
    }

    fn jwk(&self, kid: &str) -> Value {
        let point = self.0.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig" })
    }

    fn sign(&self, header: &Value, claims: &str) -> String {
        let text = format!("{}.{}", part(&header.to_string()), part(claims));
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).expect("signed");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// An issuer, and a host that accepts its tokens.
struct Scene {
    key: Key,
    issuer: Web,
    served: Served,
    _setup: Setup,
}

impl Scene {
    fn with(options: &[&str]) -> Self {
        let key = Key::new();
        let keys = json!({ "keys": [key.jwk("1")] }).to_string();
        let issuer = Web::with(move |asked| match asked.line.as_str() {
            "GET /keys" => response(200, &[], keys.as_bytes()),
            line if line.starts_with("GET /.well-known/openid-configuration") => {
                let host = asked.header("host").expect("a host").to_owned();
                let about =
                    json!({ "issuer": format!("http://{host}"), "jwks_uri": format!("http://{host}/keys") });
                response(200, &[], about.to_string().as_bytes())
            }
            _ => response(404, &[], b""),
        });
        let setup = Setup::new().warmed();
        let origin = issuer.origin();
        let mut words =
            vec!["--oauth-issuer", &origin, "--oauth-audience", US, "--oauth-network", "127.0.0.0/8"];
        words.extend(options);
        let served = setup.serve(&words);
        Self { key, issuer, served, _setup: setup }
    }

    fn new() -> Self {
        Self::with(&[])
    }

    fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": "1" })
    }

    fn claims(&self) -> Value {
        json!({ "iss": self.issuer.origin(), "aud": US, "sub": "ada", "exp": now() + 600, "scope": "packs:call" })
    }

    fn token(&self, claims: &Value) -> String {
        self.key.sign(&self.header(), &claims.to_string())
    }

    /// A token with one claim that is another.
    fn but(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        claims[name] = value;
        self.token(&claims)
    }

    fn asked(&self, token: &str, message: &Value) -> Response {
        wire::send(self.served.address, &[("authorization", &format!("Bearer {token}"))], message)
    }

    fn calls(&self, token: &str) -> Response {
        self.asked(token, &call("text_stats", &json!({ "text": "a" })))
    }

    fn refuses(&self, what: &str, token: &str) {
        let refused = self.calls(token);
        let challenge = refused.header("www-authenticate").unwrap_or_default().to_owned();
        assert!(
            refused.status == 401 && challenge.contains("error=\"invalid_token\""),
            "{what}: {refused:?}"
        );
        assert!(challenge.contains(&format!("resource_metadata=\"{METADATA}\"")), "{what}: {challenge}");
    }
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

#[test]
fn a_good_token_calls_as_its_subject() {
    let scene = Scene::new();
    let token = scene.token(&scene.claims());
    for _ in 0..2 {
        let called = scene.calls(&token);
        assert_eq!(called.status, 200, "{}", called.text());
        assert_eq!(result(called.message())["structuredContent"]["words"], 1);
    }
    let list = scene.asked(&token, &wire::message("tools/list", json!({})));
    assert!(result(list.message())["tools"].as_array().is_some_and(|tools| tools.len() > 10));
    let keys = scene.issuer.asked().iter().filter(|asked| asked.line == "GET /keys").count();
    assert_eq!(keys, 1, "the keys were fetched once");
    let caller = format!("oauth:http%3A//127.0.0.1%3A{}:ada", scene.issuer.address.port());
    let (exit, log) = scene.served.terminate();
    assert_eq!(exit, 0, "{log}");
    assert!(log.contains(&caller) && !log.contains(&token), "{log}");
}

#[test]
fn a_stranger_learns_where_to_get_a_token() {
    let scene = Scene::with(&["--oauth-scope", "packs:list", "--oauth-scope", "packs:call"]);
    let stranger = wire::send(scene.served.address, &[], &wire::message("tools/list", json!({})));
    let challenge = stranger.header("www-authenticate").expect("a challenge");
    let expected =
        format!("Bearer realm=\"packhost\", resource_metadata=\"{METADATA}\", scope=\"packs:list\"");
    assert_eq!((stranger.status, challenge), (401, expected.as_str()));
    for place in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let about = http::send(scene.served.address, &[], "GET", place, b"").message();
        assert_eq!(
            (&about["resource"], &about["bearer_methods_supported"]),
            (&json!(US), &json!(["header"]))
        );
        assert_eq!(about["authorization_servers"], json!([scene.issuer.origin()]));
        assert_eq!(about["scopes_supported"], json!(["packs:list", "packs:call"]));
    }
    assert!(scene.issuer.asked().is_empty(), "nothing is asked of the issuer before a token comes");
}

#[test]
fn a_small_token_is_told_which_one_would_do() {
    let scene = Scene::with(&[
        "--oauth-scope",
        "packs:list",
        "--oauth-scope",
        "packs:call:text.*",
        "--oauth-scope",
        "packs:call",
    ]);
    let small = scene.but("scope", json!("openid packs:list"));
    let listed = result(scene.asked(&small, &wire::message("tools/list", json!({}))).message());
    assert!(listed["tools"].as_array().is_some_and(|tools| tools.len() > 10), "{listed}");
    let refused = scene.calls(&small);
    let challenge = refused.header("www-authenticate").expect("a challenge");
    assert_eq!(refused.status, 403);
    for word in [
        "error=\"insufficient_scope\"",
        "scope=\"packs:list packs:call:text.*\"",
        &format!("resource_metadata=\"{METADATA}\""),
    ] {
        assert!(challenge.contains(word), "{word} is not in {challenge}");
    }
    assert_eq!(scene.calls(&scene.but("scope", json!("packs:list packs:call:text.*"))).status, 200);
    let unknown = scene.asked(&small, &call("no_such_tool", &json!({})));
    assert_eq!((unknown.status, &unknown.message()["error"]["code"]), (200, &json!(-32602)));
    let nothing = scene.calls(&scene.but("scope", json!("openid email")));
    let challenge = nothing.header("www-authenticate").expect("a challenge");
    assert!(nothing.status == 403 && challenge.contains("scope=\"packs:list\""), "{challenge}");
}

#[test]
fn a_subject_sees_only_what_its_scopes_and_the_manifest_allow() {
    let scene = Scene::with(&["--oauth-scope-prefix", "pk.", "--oauth-groups", "groups"]);
    let listed = |scope: &str| {
        let token = scene.but("scope", json!(scope));
        let listed = result(scene.asked(&token, &wire::message("tools/list", json!({}))).message());
        let tools = listed["tools"].as_array().expect("a list").clone();
        tools.iter().filter_map(|tool| tool["name"].as_str().map(String::from)).collect::<Vec<_>>()
    };
    assert!(listed("pk.packs:call:text.* packs:call").iter().all(|name| name.starts_with("text_")));
    assert_eq!(listed("pk.packs:call:json.query"), ["json_query"]);
}

#[test]
fn a_smaller_token_of_a_subject_has_nothing_of_the_calls_that_it_could_not_make() {
    let scene = Scene::new();
    let (whole, small) = (
        scene.but("scope", json!("packs:call:text.*")),
        scene.but("scope", json!("packs:list artifacts:read")),
    );
    let send = |token: &str, method: &str, path: &str, more: &[(&str, &str)]| {
        let authorization = format!("Bearer {token}");
        let usual = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let body = if method == "POST" { r#"{"input": {"text": "a"}}"# } else { "" };
        http::send(scene.served.address, &[&usual, more].concat(), method, path, body.as_bytes())
    };
    let key = ("idempotency-key", "\"one\"");
    let begun = send(&whole, "POST", "/v1/packs/text.stats/calls", &[key, ("prefer", "respond-async")]);
    let place = begun.header("location").expect("a place").to_owned();
    let result = format!("{place}/result?wait=60");
    assert_eq!(send(&whole, "GET", &result, &[]).status, 200);
    let guessed = send(&small, "GET", "/v1/calls/01890a5d-ac96-774b-bcce-b302099a8057", &[]);
    for (method, path) in [("GET", &place), ("GET", &result), ("DELETE", &place)] {
        let refused = send(&small, method, path, &[]);
        assert_eq!((refused.status, refused.text()), (404, guessed.text()), "{method} {path}");
    }
    assert_eq!(send(&small, "GET", "/v1/calls", &[]).message(), json!({ "calls": [] }));
    for more in [&[key][..], &[key, ("prefer", "respond-async")]] {
        let replayed = send(&small, "POST", "/v1/packs/text.stats/calls", more);
        assert_eq!((replayed.status, replayed.header("idempotency-replayed")), (403, None), "{replayed:?}");
    }
    let own = send(&whole, "GET", "/v1/calls", &[]).message();
    assert_eq!(own["calls"].as_array().map(Vec::len), Some(1), "{own}");
}

#[test]
fn a_token_for_somebody_else_is_refused() {
    let scene = Scene::new();
    for (name, value) in [
        ("iss", json!("http://127.0.0.1:1")),
        ("iss", json!(format!("{}/", scene.issuer.origin()))),
        ("iss", json!([scene.issuer.origin()])),
        ("aud", json!("https://packs.example.com")),
        ("aud", json!(["https://other.example.com/mcp"])),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("exp", json!(now() - 61)),
        ("exp", Value::Null),
        ("exp", json!((now() + 600).to_string())),
        ("nbf", json!(now() + 600)),
        ("sub", json!("")),
        ("sub", json!("x".repeat(256))),
        ("cnf", json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" })),
    ] {
        scene.refuses(&format!("{name}: {value}"), &scene.but(name, value));
    }
    assert_eq!(
        scene.calls(&scene.but("exp", json!(now() - 30))).status,
        200,
        "clocks may differ by a minute"
    );
}

#[test]
fn a_forged_token_is_refused() {
    let scene = Scene::new();
    let (good, stranger) = (scene.token(&scene.claims()), Key::new());
    let claims = scene.claims().to_string();
    let with = |name: &str, value: Value| {
        let mut header = scene.header();
        header[name] = value;
        header
    };
    let (text, signature) = good.rsplit_once('.').expect("three parts");
    scene.refuses("another key", &stranger.sign(&scene.header(), &claims));
    scene.refuses("no signature", &format!("{text}."));
    scene.refuses("two parts", text);
    scene.refuses("a part more", &format!("{good}.{signature}"));
    scene.refuses("zeros for a signature", &format!("{text}.{}", URL_SAFE_NO_PAD.encode([0; 64])));
    let none = part(&json!({ "alg": "none", "typ": "at+jwt" }).to_string());
    scene.refuses("alg: none", &format!("{none}.{}.", part(&claims)));
    scene.refuses("alg: none, and a signature", &format!("{none}.{}.{signature}", part(&claims)));
    for typ in ["JWT", "id+jwt", ""] {
        scene.refuses(&format!("typ: {typ}"), &scene.key.sign(&with("typ", json!(typ)), &claims));
    }
    for kid in ["2", "", "../keys", "1\0", "http://127.0.0.1/keys"] {
        scene.refuses(&format!("kid: {kid}"), &scene.key.sign(&with("kid", json!(kid)), &claims));
    }
    for (name, value) in [
        ("jwk", stranger.jwk("1")),
        ("jku", json!(format!("{}/keys", scene.issuer.origin()))),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["AAAA"])),
        ("crit", json!(["exp"])),
    ] {
        scene.refuses(name, &stranger.sign(&with(name, value.clone()), &claims));
        scene.refuses(name, &scene.key.sign(&with(name, value), &claims));
    }
    let twice = claims.replacen('{', "{\"sub\":\"root\",", 1);
    scene.refuses("a claim twice", &scene.key.sign(&scene.header(), &twice));
    let long = scene.but("padding", json!("x".repeat(20_000)));
    scene.refuses("a huge token", &long);
    assert_eq!(scene.calls(&good).status, 200);
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let scene = Scene::new();
    assert_eq!(scene.calls(&scene.token(&scene.claims())).status, 200, "the keys are known");
    let public = json!({ "keys": [scene.key.jwk("1")] }).to_string();
    for secret in
        [scene.key.0.public_key().as_ref(), public.as_bytes(), scene.key.jwk("1").to_string().as_bytes()]
    {
        let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": "1" });
        let text = format!("{}.{}", part(&header.to_string()), part(&scene.claims().to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
        scene.refuses("HS256", &format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag)));
    }
}

#[test]
fn invented_keys_make_few_requests_of_the_issuer() {
    let scene = Scene::new();
    for n in 0..100 {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": format!("invented {n}") });
        scene.refuses("an invented key", &scene.key.sign(&header, &scene.claims().to_string()));
    }
    let asked = scene.issuer.asked().len();
    assert!(asked <= 3 * 6, "{asked} requests; one look takes three, and there is one in ten seconds");
}

#[test]
fn an_issuer_that_is_away_is_no_way_in() {
    let setup = Setup::new().warmed();
    let closed =
        std::net::TcpListener::bind("127.0.0.1:0").expect("loopback").local_addr().expect("an address");
    let issuer = format!("http://{closed}");
    let words = ["--oauth-issuer", &issuer, "--oauth-audience", US, "--oauth-network", "127.0.0.0/8"];
    let served = setup.serve(&words);
    let claims = json!({ "iss": issuer, "aud": US, "sub": "ada", "exp": now() + 600, "scope": "packs:call" });
    let token = Key::new().sign(&json!({ "alg": "ES256", "typ": "at+jwt", "kid": "1" }), &claims.to_string());
    let head = [("authorization", &*format!("Bearer {token}"))];
    let later = wire::send(served.address, &head, &call("text_stats", &json!({ "text": "a" })));
    assert_eq!((later.status, later.header("retry-after")), (503, Some("10")));
    assert_eq!(wire::send(served.address, &[], &wire::message("tools/list", json!({}))).status, 401);
}

#[test]
fn metadata_that_leads_elsewhere_is_not_followed() {
    let elsewhere = Web::with(|_| response(200, &[], b"{\"keys\": []}"));
    let there = elsewhere.origin();
    let issuer = Web::with(move |asked| {
        let host = asked.header("host").expect("a host").to_owned();
        let about = json!({ "issuer": format!("http://{host}"), "jwks_uri": format!("{there}/keys") });
        response(200, &[], about.to_string().as_bytes())
    });
    let setup = Setup::new().warmed();
    let origin = issuer.origin();
    let words = ["--oauth-issuer", &origin, "--oauth-audience", US, "--oauth-network", "127.0.0.0/8"];
    let served = setup.serve(&words);
    let claims = json!({ "iss": origin, "aud": US, "sub": "ada", "exp": now() + 600, "scope": "packs:call" });
    let token = Key::new().sign(&json!({ "alg": "ES256", "typ": "at+jwt", "kid": "1" }), &claims.to_string());
    let head = [("authorization", &*format!("Bearer {token}"))];
    assert_eq!(wire::send(served.address, &head, &call("text_stats", &json!({ "text": "a" }))).status, 503);
    assert!(!issuer.asked().is_empty() && elsewhere.asked().is_empty());
    assert!(served.log().contains("another origin"), "the log says what to do");
}

#[test]
fn an_issuer_without_tls_is_refused_unless_it_is_on_this_machine() {
    let setup = Setup::new();
    let listen = ["serve", "--listen", "127.0.0.1:0"];
    for (words, told) in [
        (&["--oauth-issuer", "http://login.example.com", "--oauth-audience", US][..], "https"),
        (&["--oauth-issuer", "http://127.0.0.1:9", "--oauth-audience", US], "https"),
        (&["--oauth-issuer", "https://login.example.com", "--oauth-audience", "packs"], "URL"),
        (
            &["--oauth-issuer", "https://login.example.com", "--oauth-audience", "http://packs.example.com"],
            "https",
        ),
        (
            &[
                "--oauth-issuer",
                "https://login.example.com",
                "--oauth-audience",
                US,
                "--oauth-jwks",
                "http://10.0.0.1/",
            ],
            "https",
        ),
    ] {
        let refused = setup.run(listen.iter().chain(words));
        assert_eq!(refused.code, 1, "{words:?}: {refused:?}");
        assert!(refused.stderr.contains(told), "{words:?}: {}", refused.stderr);
    }
    let alone = setup.run(listen.iter().chain(&["--oauth-issuer", "https://login.example.com"]));
    assert_eq!(alone.code, 2, "{alone:?}");
}
