//! What is hostile, or just wrong, is refused as a problem and costs nothing.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use packhost_callers::{Callers, NamedToken};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::host::{ALICE, BOB, request, start, start_with};

#[tokio::test]
async fn nobody_is_let_in_without_a_token() {
    let host = start(|_| {}).await;
    for token in ["", "guess", "secret-of-bob-23"] {
        for path in
            ["/v1/packs", "/v1/packs/math.add", "/v1/calls", "/v1/health", "/v1/nothing", "/v1", "/metrics"]
        {
            let refused = host.get(path, token).await;
            refused.problem(401, "auth_failed");
            assert!(refused.header("www-authenticate").is_some_and(|how| how.starts_with("Bearer ")));
        }
        host.call("math.add", token, json!({"a": 1, "b": 2}), &[]).await.problem(401, "auth_failed");
    }
}

#[tokio::test]
async fn a_page_from_elsewhere_reaches_nothing() {
    let host = start_with(|_| {}).await;
    for (header, value, status) in
        [("host", "evil.example", 403), ("host", "", 400), ("origin", "https://evil.example", 403)]
    {
        for path in ["/v1/packs", "/metrics", "/v1/nothing"] {
            let request = Request::builder().uri(path).header(header, value);
            let request = if header == "host" { request } else { request.header("host", "localhost") };
            let refused = host.send(request.body(Body::empty()).expect("a request")).await;
            assert_eq!(refused.status.as_u16(), status, "{header}: {value}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn a_caller_has_so_many_requests_a_minute() {
    let one = NonZeroU32::new(1).expect("not zero");
    let named = || NamedToken::new("alice", ALICE).expect("a good token");
    let host = start(|s| s.callers = Callers::named(vec![named()]).expect("one name").at_most(one)).await;
    assert_eq!(host.get("/v1/packs", ALICE).await.status, 200);
    let refused = host.get("/v1/packs", ALICE).await;
    let problem = refused.problem(429, "rate_limited");
    assert!(refused.header("retry-after").is_some() && problem["retry_after_ms"].is_u64(), "{refused:?}");
}

#[tokio::test]
async fn a_body_that_is_no_call_is_refused() {
    let host = start(|settings| settings.max_body = 200_000).await;
    let send = async |kind: &str, body: Vec<u8>| {
        let request = request("POST", "/v1/packs/math.add/calls", BOB).header("content-type", kind);
        host.send(request.body(Body::from(body)).expect("a request")).await
    };
    for body in ["", "{", "null", "[]", "7", "{\"input\": {}, \"input2\": 1}", "\u{0}", "{\"a\": 1}"] {
        send("application/json", body.into()).await.problem(400, "invalid_input");
    }
    send("application/json", b"{\"input\": \"\xff\"}".to_vec()).await.problem(400, "invalid_input");
    send("application/json", "[".repeat(150_000).into()).await.problem(400, "invalid_input");
    send("text/plain", b"{}".to_vec()).await.problem(415, "invalid_input");
    send("application/json", vec![b' '; 200_001]).await.problem(413, "invalid_input");
    for input in [
        json!(null),
        json!(7),
        json!([1]),
        json!("x"),
        json!({"a": {}, "b": []}),
        json!({"a": 1e300, "b": 1}),
    ] {
        host.call("math.add", BOB, input, &[]).await.problem(400, "invalid_input");
    }
}

#[tokio::test]
async fn a_path_that_is_none_is_a_problem_too() {
    let host = start(|_| {}).await;
    for path in [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/packs/",
        "/v1/packs/..%2f..%2fetc%2fpasswd",
        "/v1/packs/%ff",
        "/v1/packs/%00",
        "/v1/calls/1",
        "/v1/calls/%ff/result",
        "/v1/calls/01890A5D-AC96-774B-BCCE-B302099A8057",
    ] {
        host.get(path, BOB).await.problem(404, "not_found");
    }
    let place = host.begin("math.add", BOB, json!({"a": 1, "b": 1})).await;
    for query in ["wait=61", "wait=-1", "wait=", "other=1", "wait=1&wait=1"] {
        host.get(&format!("{place}/result?{query}"), BOB).await.problem(400, "invalid_input");
    }
}

#[tokio::test]
async fn a_query_is_refused_where_none_is_known() {
    let host = start(|_| {}).await;
    for path in ["/v1/health", "/v1/packs", "/v1/packs/math.add", "/v1/calls"] {
        assert_eq!(host.get(&format!("{path}?"), BOB).await.status, 200, "{path}");
        host.get(&format!("{path}?all=true"), BOB).await.problem(400, "invalid_input");
    }
    host.get("/v1/nothing?all=true", BOB).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_slow_body_is_not_waited_for() {
    let host = start(|settings| settings.body_timeout = Duration::from_millis(50)).await;
    let mut stream = TcpStream::connect(host.at).await.expect("it listens");
    let head = format!(
        "POST /v1/packs/math.add/calls HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {BOB}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"code\":\"timeout\""), "{answer}");
}

#[tokio::test]
async fn what_a_caller_keeps_is_bounded() {
    let host = start(|_| {}).await;
    let first = host.begin("math.add", BOB, json!({"a": 1, "b": 1})).await;
    assert_eq!(host.get(&format!("{first}/result?wait=60"), BOB).await.status, 200);
    let others = host.begin("math.add", ALICE, json!({"a": 1, "b": 1})).await;
    for n in 0..256 {
        let place = host.begin("math.add", BOB, json!({"a": n, "b": 1})).await;
        assert_eq!(host.get(&format!("{place}/result?wait=60"), BOB).await.status, 200);
    }
    host.get(&first, BOB).await.problem(404, "not_found");
    let kept = host.get("/v1/calls", BOB).await.json();
    assert_eq!(kept["calls"].as_array().map(Vec::len), Some(256));
    assert_eq!(host.get(&others, ALICE).await.status, 200, "one caller's calls do not push out another's");
}

#[tokio::test]
async fn a_body_of_a_request_that_has_none_is_not_kept() {
    let host = start(|settings| settings.max_body = 1000).await;
    let large = request("GET", "/v1/packs", BOB).body(Body::from(vec![b' '; 1001])).expect("a request");
    host.send(large).await.problem(413, "invalid_input");
}
