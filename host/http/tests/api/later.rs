//! Calls that are started now and fetched later.

use std::time::Duration;

use axum::body::Body;
use serde_json::json;

use crate::host::{ALICE, BOB, request, start};

#[tokio::test]
async fn a_call_is_started_and_its_answer_fetched() {
    let host = start(|_| {}).await;
    let begun = host.call("math.add", BOB, json!({"a": 1, "b": 2}), &[("prefer", "respond-async")]).await;
    assert_eq!((begun.status.as_u16(), begun.header("preference-applied")), (202, Some("respond-async")));
    let place = begun.header("location").expect("a place").to_owned();
    assert_eq!(place, format!("/v1/calls/{}", begun.json()["run"].as_str().expect("an id")));
    let result = host.get(&format!("{place}/result?wait=60"), BOB).await;
    assert_eq!(result.status, 200, "{result:?}");
    assert!(result.json()["output"].to_string().contains('3'));
    assert_eq!(host.get(&place, BOB).await.json()["state"], "done");
    let again = host.get(&format!("{place}/result"), BOB).await;
    assert_eq!(again.body, result.body, "it is there until it is deleted");
    assert_eq!(host.delete(&place, BOB).await.status, 204);
    host.get(&place, BOB).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_call_that_failed_has_the_problem_for_a_result() {
    let host = start(|_| {}).await;
    let place = host.begin("math.crash", BOB, json!({})).await;
    host.get(&format!("{place}/result?wait=60"), BOB).await.problem(422, "handler_failed");
    assert_eq!(host.get(&place, BOB).await.json()["state"], "failed");
}

#[tokio::test]
async fn a_call_that_runs_is_looked_at_and_ended() {
    let host = start(|_| {}).await;
    let place = host.begin("math.spin", BOB, json!({})).await;
    let early = host.get(&format!("{place}/result"), BOB).await;
    assert_eq!((early.status.as_u16(), early.header("retry-after")), (202, Some("1")));
    loop {
        let state = host.get(&place, BOB).await.json();
        assert_eq!(state["state"], "running");
        if state["progress"] == json!({"done": 1.0}) {
            break;
        }
    }
    assert_eq!(host.delete(&place, BOB).await.status, 204);
    host.get(&place, BOB).await.problem(404, "not_found");
    // Its place is free: the engine has nothing left to wait for.
    host.engine.drain(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_call_is_its_callers_alone() {
    let host = start(|_| {}).await;
    let place = host.begin("math.spin", BOB, json!({})).await;
    let guessed = "/v1/calls/01890a5d-ac96-774b-bcce-b302099a8057".to_owned();
    for path in [&place, &guessed] {
        let looked = host.get(path, ALICE).await.problem(404, "not_found");
        let result = host.get(&format!("{path}/result?wait=60"), ALICE).await.problem(404, "not_found");
        let ended = host.delete(path, ALICE).await.problem(404, "not_found");
        assert!(looked == result && result == ended, "a stranger's call is as if it were not there");
    }
    assert_eq!(host.get("/v1/calls", ALICE).await.json(), json!({"calls": []}));
    let own = host.get("/v1/calls", BOB).await.json();
    assert_eq!(own["calls"].as_array().map(Vec::len), Some(1), "{own}");
    assert_eq!(host.get(&place, BOB).await.json()["state"], "running");
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_whoever_waits() {
    let mut host = start(|settings| settings.drain = Duration::ZERO).await;
    let place = host.begin("math.spin", BOB, json!({})).await;
    let path = format!("{place}/result?wait=60");
    let asking = request("GET", &path, BOB).body(Body::empty()).expect("a request");
    let waiting = host.asking(asking).await;
    host.shutdown.cancel();
    // Either it has an answer or the connection is cut; neither takes a minute.
    let _ = tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("nobody is waited for");
    (&mut host.served).await.expect("no panic");
}
