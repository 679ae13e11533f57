//! Who reads the record: few at once, whoever hangs up.

use std::fmt;
use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use axum::body::Body;
use axum::http::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use packhost_api::{Api, Desk};
use packhost_core::{Failure, Identity};
use packhost_engine::Engine;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::host::start_with;

/// A record that takes as long to read as the test wants.
struct Slow {
    begun: UnboundedSender<()>,
    readers: AtomicUsize,
    until_closed: Mutex<mpsc::Receiver<()>>,
}

impl Desk for Slow {
    fn grants(&self, _: &Engine, _: &str) -> Result<Option<Value>, Failure> {
        Ok(None)
    }

    fn denials(&self) -> Result<Value, Failure> {
        Ok(Value::Null)
    }

    fn credentials(&self, _: &Engine) -> Result<Value, Failure> {
        Ok(Value::Null)
    }

    fn verification(&self) -> Result<Value, Failure> {
        self.readers.fetch_add(1, Ordering::SeqCst);
        self.begun.send(()).expect("the test listens");
        assert!(self.until_closed.lock().expect("nobody panicked").recv().is_err(), "nothing is sent");
        Ok(json!({ "good": true }))
    }
}

impl fmt::Debug for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a slow record")
    }
}

/// Hangs up on a request that was heard, once this has come to pass.
async fn hang_up(asking: impl Future, then: impl Future) {
    tokio::select! {
        biased;
        _ = asking => panic!("nobody has an answer yet"),
        _ = then => {}
    }
}

#[tokio::test]
async fn who_hangs_up_leaves_no_room_for_another_reader_until_the_record_was_read() {
    let host = start_with(|_| {}).await;
    let (begun, mut begins) = unbounded_channel();
    let (close, until_closed) = mpsc::channel();
    let desk = Slow { begun, readers: AtomicUsize::new(0), until_closed: Mutex::new(until_closed) };
    let desk = Arc::new(desk);
    let api = Api::new(host.engine.clone(), TaskTracker::new(), CancellationToken::new());
    let api = TowerToHyperService::new(api.with_desk(Some(desk.clone())).routes());
    let ask = || {
        let request = Request::get("/v1/audit/verification").extension(Identity::local());
        api.call(request.body(Body::empty()).expect("a request"))
    };
    for _ in 0..2 {
        hang_up(ask(), begins.recv()).await;
    }
    for _ in 0..10 {
        hang_up(ask(), ready(())).await;
    }
    drop(close);
    assert_eq!(ask().await.expect("a response").status(), 200);
    assert_eq!(desk.readers.load(Ordering::SeqCst), 3, "two that hung up, and the one that waited");
}
