//! What an operator asks, and the document that describes the API.

use axum::body::Body;
use serde_json::json;

use crate::host::{BOB, request, start, start_with};

#[tokio::test]
async fn health_and_readiness_need_no_token() {
    let host = start(|_| {}).await;
    assert_eq!(host.get("/healthz", "").await.body, "ok\n");
    assert_eq!(host.get("/readyz", "").await.body, "ready\n");
    host.get("/v1/health", "").await.problem(401, "auth_failed");
    let health = host.get("/v1/health", BOB).await.json();
    assert_eq!((&health["status"], &health["packs"]), (&json!("ok"), &json!(4)), "{health}");
}

#[tokio::test]
async fn metrics_are_for_whoever_may_read_the_record() {
    let host = start(|_| {}).await;
    host.get("/metrics", "").await.problem(401, "auth_failed");
    let refused = host.get("/metrics", BOB).await.problem(403, "capability_denied");
    assert!(refused["fix"].as_str().is_some_and(|fix| fix.contains("audit:read")), "{refused}");

    let host = start_with(|_| {}).await;
    host.call("math.add", "", json!({"a": 1, "b": 2}), &[]).await;
    host.call("math.add", "", json!({"a": 1}), &[]).await;
    host.call("evil%22%7D%207%0A", "", json!({}), &[]).await;
    let metrics = host.get("/metrics", "").await;
    assert!(
        metrics.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text"))
    );
    for line in [
        "packhost_calls_total{pack=\"math.add\",outcome=\"ok\"} 1",
        "packhost_calls_total{pack=\"math.add\",outcome=\"invalid_input\"} 1",
        "packhost_calls_in_flight 0",
    ] {
        assert!(metrics.body.lines().any(|own| own == line), "{line} in {}", metrics.body);
    }
    assert!(!metrics.body.contains("evil"), "nothing that a caller sends is a label");
}

#[tokio::test]
async fn the_document_describes_what_is_served() {
    let host = start(|settings| settings.max_body = 1000).await;
    let document = host.get("/v1/openapi.json", "").await.json();
    assert_eq!(document["openapi"], "3.1.1");
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() >= 6, "{paths:?}");
    for (path, methods) in paths {
        let path =
            path.replace("{name}", "math.add").replace("{run}", "01890a5d-ac96-774b-bcce-b302099a8057");
        for (method, operation) in methods.as_object().expect("methods") {
            for size in [0, 1001] {
                let asked = request(&method.to_uppercase(), &path, BOB).body(Body::from(vec![b' '; size]));
                let answer = host.send(asked.expect("a request")).await;
                let status = answer.status.as_u16().to_string();
                assert!(operation["responses"][&status].is_object(), "{method} {path}: {answer:?}");
            }
        }
        let refused = host.send(request("TRACE", &path, BOB).body(Body::empty()).expect("a request")).await;
        refused.problem(405, "invalid_input");
        assert!(refused.json()["fix"].is_string(), "{refused:?}");
        assert!(refused.header("allow").is_some(), "RFC 9110 section 15.5.6 wants it: {refused:?}");
    }
}
