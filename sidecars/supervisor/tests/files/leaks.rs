//! What is left of workers.

use std::fs;

use packhost_session_protocol::message::{FileReply, Opening};

use crate::place::{Place, ask, fault, send};

/// Reaps, as the supervisor does, until this process has no children; says how many there were.
pub(crate) async fn until_all_workers_are_gone() -> usize {
    let mut reaped = 0;
    loop {
        // SAFETY: the call takes a null pointer for "no status".
        match unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } {
            // Those of them that are to be ended are ended by this thread.
            0 => tokio::task::yield_now().await,
            -1 => return reaped,
            _ => reaped += 1,
        }
    }
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("proc").count()
}

#[tokio::test]
async fn a_thousand_requests_leave_no_process_and_no_descriptor() {
    let place = Place::new();
    assert_eq!(send(Opening::Put(place.put(place.path("a"))), b"1").await, FileReply::Done);
    until_all_workers_are_gone().await;
    let (before, mut reaped) = (descriptors(), 0);
    for round in 0..250 {
        assert_eq!(send(Opening::Put(place.put(place.path("a"))), b"1").await, FileReply::Done);
        assert_eq!(ask(Opening::Get(place.get(place.path("a")))).await.output, b"1");
        assert!(fault(&ask(Opening::Get(place.get(place.path("b")))).await.last).is_some());
        let asked = crate::place::open(Opening::Put(place.put(place.path("c"))));
        drop(asked.host);
        asked.served.await.expect("it ends");
        if round % 5 == 0 {
            reaped += until_all_workers_are_gone().await;
        }
    }
    reaped += until_all_workers_are_gone().await;
    assert_eq!(reaped, 1000);
    // What waits for the last ones sees that they are gone when the runtime next looks.
    while descriptors() > before {
        tokio::task::yield_now().await;
    }
    assert_eq!(fs::read_dir(place.path("")).expect("root").count(), 1);
}
