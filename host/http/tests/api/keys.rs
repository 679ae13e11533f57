//! A request that is sent again is answered again, and its call is not made again.

use std::sync::Arc;
use std::time::Duration;

use packhost_engine::{Observer, Outcome};
use serde_json::json;

use crate::host::{ALICE, BOB, start, start_observed};

const KEY: (&str, &str) = ("idempotency-key", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"");

#[tokio::test]
async fn the_same_request_has_the_same_answer() {
    let host = start(|_| {}).await;
    let first = host.call("math.add", BOB, json!({"a": 1, "b": 2}), &[KEY]).await;
    let second = host.call("math.add", BOB, json!({"a": 1, "b": 2}), &[KEY]).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (200, None));
    assert_eq!((second.status.as_u16(), second.header("idempotency-replayed")), (200, Some("true")));
    assert_eq!(first.body, second.body, "with the run of the first");
    let bare = ("idempotency-key", KEY.1.trim_matches('"'));
    assert_eq!(host.call("math.add", BOB, json!({"a": 1, "b": 2}), &[bare]).await.body, first.body);
    let events = [KEY, ("accept", "text/event-stream")];
    let streamed = host.call("math.add", BOB, json!({"a": 1, "b": 2}), &events).await.events();
    assert_eq!(streamed, [("result".to_owned(), first.json())]);
    let others = host.call("math.add", ALICE, json!({"a": 1, "b": 2}), &[KEY]).await;
    assert_eq!(others.header("idempotency-replayed"), None, "another caller's key is another key");
    assert_ne!(others.json()["run"], first.json()["run"]);
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let host = start(|_| {}).await;
    assert_eq!(host.call("math.add", BOB, json!({"a": 1, "b": 2}), &[KEY]).await.status, 200);
    host.call("math.add", BOB, json!({"a": 1, "b": 3}), &[KEY]).await.problem(422, "invalid_input");
    host.call("math.crash", BOB, json!({"a": 1, "b": 2}), &[KEY]).await.problem(422, "invalid_input");
    for wrong in ["", "\"", "\"a\"b\""] {
        let refused =
            host.call("math.add", BOB, json!({"a": 1, "b": 2}), &[("idempotency-key", wrong)]).await;
        refused.problem(400, "invalid_input");
    }
}

#[tokio::test]
async fn a_call_that_failed_has_failed() {
    let host = start(|_| {}).await;
    let first = host.call("math.crash", BOB, json!({}), &[KEY]).await;
    let second = host.call("math.crash", BOB, json!({}), &[KEY]).await;
    first.problem(422, "handler_failed");
    assert_eq!((first.body, second.header("idempotency-replayed")), (second.body.clone(), Some("true")));
}

#[tokio::test]
async fn a_call_that_never_ran_leaves_its_key_free() {
    let host = start(|_| {}).await;
    host.call("math.add", BOB, json!({"a": 1}), &[KEY]).await.problem(400, "invalid_input");
    let mended = host.call("math.add", BOB, json!({"a": 1, "b": 2}), &[KEY]).await;
    assert_eq!((mended.status.as_u16(), mended.header("idempotency-replayed")), (200, None));
}

/// Breaks the host once a call has come to its end.
struct Breaks;

impl Observer for Breaks {
    fn begins(&self) {}

    fn ended(&self, outcome: Option<&Outcome>, _: Duration) {
        assert!(outcome.is_none(), "the host breaks, as it was told to");
    }
}

#[tokio::test]
async fn a_call_in_which_the_host_breaks_may_have_run_and_is_not_made_again() {
    let host = start_observed(Arc::new(Breaks)).await;
    let first = host.call("math.add", "", json!({"a": 1, "b": 2}), &[KEY]).await;
    let second = host.call("math.add", "", json!({"a": 1, "b": 2}), &[KEY]).await;
    first.problem(500, "internal");
    assert_eq!((first.body, second.header("idempotency-replayed")), (second.body.clone(), Some("true")));
}

#[tokio::test]
async fn a_second_request_does_not_run_beside_the_first() {
    let host = start(|_| {}).await;
    let later = [KEY, ("prefer", "respond-async")];
    let begun = host.call("math.spin", BOB, json!({}), &later).await;
    let place = begun.header("location").expect("a place").to_owned();
    for headers in [&[KEY][..], &[KEY, ("accept", "text/event-stream")]] {
        let refused = host.call("math.spin", BOB, json!({}), headers).await;
        refused.problem(409, "rate_limited");
        assert_eq!((refused.header("location"), refused.header("retry-after")), (Some(&*place), Some("1")));
    }
    let again = host.call("math.spin", BOB, json!({}), &later).await;
    assert_eq!((again.status.as_u16(), again.header("location")), (202, Some(&*place)));
    assert_eq!(host.delete(&place, BOB).await.status, 204);
}
