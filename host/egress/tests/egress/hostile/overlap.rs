//! A credential that is used while another response of the call is on its way.

use std::sync::Arc;

use http::Request;
use http_body_util::{BodyExt, Full};
use packhost_egress::*;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Mutex, mpsc};

use super::super::credentials::{VALUE, everywhere, request};
use super::super::signing::with;
use super::super::support::*;

/// `/log` is a log of the requests that arrive from then on, in these pieces; everything else is answered at once.
async fn logging(pieces: fn(&str) -> Vec<String>) -> Server {
    let (logged, log) = mpsc::unbounded_channel::<String>();
    let log = Arc::new(Mutex::new(log));
    Server::start(move |mut stream, head| {
        let (logged, log) = (logged.clone(), log.clone());
        async move {
            if !head.contains(" /log ") {
                logged.send(head).ok();
                stream.write_all(OK).await.ok();
                return;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nlog: ").await.ok();
            let head = log.lock().await.recv().await.unwrap();
            for piece in pieces(&head) {
                stream.write_all(piece.as_bytes()).await.ok();
                stream.flush().await.ok();
            }
        }
    })
    .await
}

async fn logged(pieces: fn(&str) -> Vec<String>) -> String {
    let server = logging(pieces).await;
    let (call, ..) = everywhere();
    let egress = plain();
    let log = Request::get(format!("{}log", server.url("127.0.0.1"))).body(Full::<bytes::Bytes>::default());
    let mut log = egress.send(log.unwrap(), &call, Waits::default()).await.unwrap().into_body();
    let first = log.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "log: ");
    let using = request(&server.url("127.0.0.1"), &[("authorization", "Bearer ${vault:TOKEN}")], "");
    let answer = egress.send(using, &call, Waits::default()).await.unwrap();
    assert_eq!(text(answer).await.unwrap(), "hello");
    String::from_utf8(log.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_response_that_began_before_a_value_was_used_does_not_hold_it_either() {
    let whole = logged(|head| vec![head.to_owned()]).await;
    let bytes = logged(|head| head.chars().map(String::from).collect()).await;
    for said in [whole, bytes] {
        assert!(said.contains("authorization: Bearer [redacted:TOKEN]\r\n"), "{said}");
        assert!(!said.contains(VALUE), "{said}");
    }
}

/// Each request of a key that signs makes another one, and the key itself is looked for all along.
#[tokio::test]
async fn a_signature_that_is_made_while_a_response_is_on_its_way_is_not_in_it_either() {
    let server = logging(|head| vec![head.to_owned()]).await;
    let call = with(&json!({ "hmac": { "over": ["target"] } }));
    let (egress, url) = (plain(), server.url("127.0.0.1"));
    let signed = |path: &str| request(&format!("{url}{path}"), &[("x-signature", "${vault:KEY}")], "");
    let log = egress.send(signed("log"), &call, Waits::default()).await.unwrap();
    let answer = egress.send(signed("other"), &call, Waits::default()).await.unwrap();
    assert_eq!(text(answer).await.unwrap(), "hello");
    let said = text(log).await.unwrap();
    assert!(said.contains("x-signature: [redacted:KEY]\r\n"), "{said}");
}

/// One that is looked for already is not cut in two when there is another to look for.
#[tokio::test]
async fn a_value_that_arrives_in_part_before_another_is_used_is_taken_out_as_a_whole() {
    let (used, wait) = mpsc::unbounded_channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let server = Server::start(move |mut stream, head| {
        let (used, wait) = (used.clone(), wait.clone());
        async move {
            if !head.contains(" /log ") {
                used.send(()).ok();
                stream.write_all(OK).await.ok();
                return;
            }
            let (first, second) = VALUE.split_at(9);
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nlog: {first}");
            stream.write_all(head.as_bytes()).await.ok();
            wait.lock().await.recv().await.unwrap();
            stream.write_all(format!("{second}, 12345678").as_bytes()).await.ok();
        }
    })
    .await;
    let (call, ..) = everywhere();
    let (egress, url) = (plain(), server.url("127.0.0.1"));
    let log = request(&format!("{url}log"), &[("authorization", "Bearer ${vault:TOKEN}")], "");
    let mut log = egress.send(log, &call, Waits::default()).await.unwrap().into_body();
    assert_eq!(log.frame().await.unwrap().unwrap().into_data().unwrap(), "log: ");
    let using = request(&url, &[("authorization", "Bearer ${vault:PLAIN}")], "");
    let answer = egress.send(using, &call, Waits::default()).await.unwrap();
    assert_eq!(text(answer).await.unwrap(), "hello");
    let rest = log.collect().await.unwrap().to_bytes();
    assert_eq!(rest, "[redacted:TOKEN], [redacted:PLAIN]");
}
