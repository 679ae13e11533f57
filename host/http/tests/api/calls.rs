//! Packs are listed, described and called.

use serde_json::json;

use crate::host::{ALICE, BOB, call, start, start_with};

#[tokio::test]
async fn each_caller_sees_what_it_may_call() {
    let host = start(|_| {}).await;
    let names = async |token: &str| {
        let list = host.get("/v1/packs", token).await.json();
        let packs = list["packs"].as_array().expect("a list").clone();
        packs.iter().map(|pack| pack["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(BOB).await, ["math.add", "math.crash", "math.spin", "math.steps"]);
    assert_eq!(names(ALICE).await.len(), 8);
    assert_eq!(host.get("/v1/packs/alices.add", ALICE).await.status, 200);
    let hidden = host.get("/v1/packs/alices.add", BOB).await.problem(404, "not_found");
    let unknown = host.get("/v1/packs/nothing.add", BOB).await.problem(404, "not_found");
    let differs =
        |problem: &serde_json::Value| problem["detail"].as_str().expect("text").replace("nothing", "alices");
    assert_eq!(differs(&hidden), differs(&unknown), "what is hidden is as if it were not there");
    for headers in [&[][..], &[("prefer", "respond-async")], &[("accept", "text/event-stream")]] {
        host.call("alices.add", BOB, json!({"a": 1, "b": 2}), headers).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_pack_is_described_with_its_schemas() {
    let host = start(|_| {}).await;
    let pack = host.get("/v1/packs/math.add", BOB).await.json();
    assert_eq!(pack["input_schema"]["required"], json!(["a", "b"]), "{pack}");
    assert!(pack["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{pack}");
    assert_eq!((&pack["callable"], &pack["time_ms"]), (&json!(true), &json!(60_000)), "{pack}");
    let by_tool = host.get("/v1/packs/math_add", BOB).await.json();
    assert_eq!(pack, by_tool, "the name that MCP clients see is as good");
}

#[tokio::test]
async fn a_call_is_answered_with_data_content_and_what_it_used() {
    let host = start(|_| {}).await;
    let answer = host.call("math.add", BOB, json!({"a": 40, "b": "2"}), &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = answer.json();
    assert_eq!(answer["content"][0]["type"], "text", "{answer}");
    assert!(answer["output"].to_string().contains("42"), "{answer}");
    assert_eq!(answer["mends"][0]["pointer"], "/b", "{answer}");
    assert!(answer["usage"]["ran_us"].as_u64().is_some_and(|ran| ran > 0), "{answer}");
}

#[tokio::test]
async fn a_failure_is_a_problem_that_says_what_to_change() {
    let host = start(|_| {}).await;
    let refused = host.call("math.add", BOB, json!({"a": 1}), &[]).await.problem(400, "invalid_input");
    assert_eq!(
        (&refused["type"], &refused["retry"]),
        (&json!("urn:packhost:error:invalid_input"), &json!(false))
    );
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains('b')), "{refused}");
    assert!(refused["example"].is_object() && refused["run"].is_string(), "{refused}");
    host.call("math.crash", BOB, json!({}), &[]).await.problem(422, "handler_failed");
}

#[tokio::test]
async fn a_stream_has_the_progress_and_then_the_answer() {
    let host = start(|_| {}).await;
    let stream = host.call("math.steps", BOB, json!({"n": 3}), &[("accept", "text/event-stream")]).await;
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    let events = stream.events();
    let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["progress", "progress", "progress", "result"], "{stream:?}");
    assert_eq!(events[2].1, json!({"done": 3.0}));
    assert!(events[3].1["output"].to_string().contains('3'));
    let failed = host.call("math.crash", BOB, json!({}), &[("accept", "text/event-stream")]).await.events();
    assert_eq!((failed[0].0.as_str(), &failed[0].1["code"]), ("problem", &json!("handler_failed")));
}

#[tokio::test]
async fn who_goes_away_takes_the_call_back() {
    let host = start_with(|_| {}).await;
    let stream = host.open(call("math.spin", "", &json!({}), &[("accept", "text/event-stream")])).await;
    assert_eq!(stream.status(), 200);
    drop(stream);
    // A minute is what the call may take; the metrics say that it is over before that.
    loop {
        let metrics = host.get("/metrics", "").await.body;
        if metrics.contains("packhost_calls_total{pack=\"math.spin\",outcome=\"cancelled\"} 1") {
            break;
        }
        tokio::task::yield_now().await;
    }
}
