//! Time, size, number, and the ways in which a call ends early.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::support::*;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use packhost_core::Caller;
use packhost_egress::*;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

fn with(change: impl FnOnce(&mut Settings)) -> Egress {
    let mut settings = settings(&Names::new(&[]));
    change(&mut settings);
    Egress::new(settings).unwrap()
}

fn allowing(allowance: Allowance) -> CallEgress {
    CallEgress::new(Arc::new(Hosts(vec!["*"], vec!["127.0.0.0/8"])), allowance)
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for() {
    let server = Server::stalling_after(b"").await;
    let late = EgressError::Timeout { wait: Wait::FirstByte, limit: SHORT };
    let egress = with(|s| s.first_byte = SHORT);
    assert_eq!(get(&egress, &loopback(), &server.url("127.0.0.1")).await.unwrap_err(), late);
    // A request can shorten the host's time, not lengthen it.
    for (egress, asked) in [(plain(), SHORT), (egress, Duration::MAX)] {
        let request = Request::get(server.url("127.0.0.1")).body(Full::<Bytes>::default()).unwrap();
        let waits = Waits { first_byte: Some(asked), ..Waits::default() };
        assert_eq!(egress.send(request, &loopback(), waits).await.unwrap_err(), late);
    }
}

#[tokio::test]
async fn the_first_byte_is_waited_for_only_once_the_request_is_sent() {
    let server = Server::start(|mut stream, _| async move {
        let mut seen = Vec::new();
        while !seen.ends_with(b"0\r\n\r\n") {
            seen.push(tokio::io::AsyncReadExt::read_u8(&mut stream).await.unwrap());
        }
        stream.write_all(OK).await.ok();
    })
    .await;
    let (feed, body) = mpsc::channel(1);
    let request = Request::post(server.url("127.0.0.1")).body(Fed(body)).unwrap();
    let egress = with(|s| s.first_byte = SHORT);
    let slow_writer = async {
        for _ in 0..4 {
            tokio::time::sleep(SHORT / 2).await;
            feed.send(Bytes::from("piece")).await.unwrap();
        }
        drop(feed);
    };
    let call = loopback();
    let (response, ()) = tokio::join!(egress.send(request, &call, Waits::default()), slow_writer);
    assert_eq!(text(response.unwrap()).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_body_that_stalls_or_drips_ends() {
    let server = Server::stalling_after(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello").await;
    let egress = with(|s| s.between_bytes = SHORT);
    let mut body = get(&egress, &loopback(), &server.url("127.0.0.1")).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "hello");
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error, EgressError::Timeout { wait: Wait::BetweenBytes, limit: SHORT });
    assert!(body.frame().await.is_none());

    let dripping = Server::start(|mut stream, _| async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
        while stream.write_all(b"x").await.is_ok() {
            ticks.tick().await;
        }
    })
    .await;
    let egress = with(|s| s.total = SHORT);
    let response = get(&egress, &loopback(), &dripping.url("127.0.0.1")).await.unwrap();
    let error = text(response).await.unwrap_err();
    assert_eq!(error, EgressError::Timeout { wait: Wait::Total, limit: SHORT });
}

#[tokio::test]
async fn a_resolver_and_a_handshake_that_never_end_are_cut_off() {
    struct Never;
    impl Resolve for Never {
        fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
            Box::pin(std::future::pending::<io::Result<_>>())
        }
    }
    let egress = with(|s| (s.connect, s.resolver) = (SHORT, Arc::new(Never)));
    let error = get(&egress, &loopback(), "http://granted.test/").await.unwrap_err();
    assert_eq!(error, EgressError::Timeout { wait: Wait::Dns, limit: SHORT });

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let error = get(&egress, &loopback(), &url).await.unwrap_err();
    assert_eq!(error, EgressError::Timeout { wait: Wait::Connect, limit: SHORT });
}

/// Hangs until it is let go, but for one name. Counts those that hang.
struct Hanging(AtomicUsize, Semaphore);

impl Resolve for Hanging {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            if host != "quick.test" {
                self.0.fetch_add(1, Ordering::Relaxed);
                let _let_go = self.1.acquire().await.map_err(io::Error::other)?;
            }
            Ok(vec![IpAddr::from([127, 0, 0, 1])])
        })
    }
}

#[tokio::test]
async fn names_that_hang_take_a_call_its_own_lookups_and_no_others() {
    let server = Server::answering(OK).await;
    let names = Arc::new(Hanging(AtomicUsize::new(0), Semaphore::new(0)));
    let egress = with(|s| s.resolver = names.clone());
    let (greedy, other) = (loopback(), loopback());
    let impatient = Waits { connect: Some(SHORT), ..Waits::default() };
    let late = EgressError::Timeout { wait: Wait::Dns, limit: SHORT };
    for host in ["a.test", "b.test", "c.test", "d.test", "e.test", "quick.test"] {
        let request = Request::get(server.url(host)).body(Full::<Bytes>::default()).unwrap();
        assert_eq!(egress.send(request, &greedy, impatient).await.unwrap_err(), late, "{host}");
    }
    assert_eq!(names.0.load(Ordering::Relaxed), 4, "more of one call's lookups than its share are under way");
    assert!(get(&egress, &other, &server.url("quick.test")).await.is_ok());
    names.1.add_permits(1);
    assert!(get(&egress, &greedy, &server.url("quick.test")).await.is_ok(), "a place is free again");
}

/// A lookup goes on when its call is over, so that one caller's calls, one after the other, could have all there are.
#[tokio::test]
async fn names_that_hang_take_a_pack_its_own_lookups_and_no_others() {
    let server = Server::answering(OK).await;
    let names = Arc::new(Hanging(AtomicUsize::new(0), Semaphore::new(0)));
    let egress = with(|s| s.resolver = names.clone());
    let quota = Quota { requests_per_minute: 1000, connections: 4 };
    let call = |pack: &str| {
        let account = egress.account(&pack.parse().unwrap(), &Caller::local(), quota);
        let rules = Arc::new(Hosts(vec!["*"], vec!["127.0.0.0/8"]));
        CallEgress::of(account, rules, Allowance::default(), Holding::default(), Ending::default())
    };
    let impatient = Waits { connect: Some(SHORT), ..Waits::default() };
    let late = EgressError::Timeout { wait: Wait::Dns, limit: SHORT };
    for _ in 0..3 {
        let greedy = call("a.greedy");
        for host in ["a.test", "b.test", "c.test"] {
            let request = Request::get(server.url(host)).body(Full::<Bytes>::default()).unwrap();
            assert_eq!(egress.send(request, &greedy, impatient).await.unwrap_err(), late, "{host}");
        }
    }
    assert_eq!(names.0.load(Ordering::Relaxed), 8, "more of one pack's lookups than its share are under way");
    assert!(get(&egress, &call("a.other"), &server.url("quick.test")).await.is_ok());
    names.1.add_permits(1);
    assert!(
        get(&egress, &call("a.greedy"), &server.url("quick.test")).await.is_ok(),
        "a place is free again"
    );
}

#[tokio::test]
async fn a_call_receives_no_more_than_it_may() {
    let server = Server::start(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let limit = 100_000;
    let call = allowing(Allowance { bytes: limit, ..Allowance::default() });
    let mut body = get(&plain(), &call, &server.url("127.0.0.1")).await.unwrap().into_body();
    let mut received = 0;
    let error = loop {
        match body.frame().await.unwrap() {
            Ok(frame) => received += frame.into_data().unwrap().len() as u64,
            Err(error) => break error,
        }
    };
    assert_eq!(error, EgressError::Budget { resource: Resource::Bytes, limit });
    assert!(received <= limit && call.spent().bytes <= limit);
    assert!(body.frame().await.is_none());
    assert_eq!(call.contacts().list[0].received, received);
}

#[tokio::test]
async fn a_call_sends_no_more_than_it_may() {
    let mut server = Server::stalling_after(b"").await;
    let spent = Err(EgressError::Budget { resource: Resource::Bytes, limit: 1000 });
    let allowance = Allowance { bytes: 1000, ..Allowance::default() };
    let url = server.url("127.0.0.1");
    let body = Full::new(Bytes::from(vec![b'x'; 1001]));
    let request = Request::post(&url).body(body).unwrap();
    let result = plain().send(request, &allowing(allowance), Waits::default()).await;
    assert_eq!(result.map(drop), spent);

    // Headers and paths carry as well as bodies do; these never leave.
    server.heads();
    let path = format!("{url}{}", "x".repeat(1000));
    assert_eq!(get(&plain(), &allowing(allowance), &path).await.map(drop), spent);
    let header =
        Request::get(&url).header("x-data", "x".repeat(1000)).body(Full::<Bytes>::default()).unwrap();
    assert_eq!(plain().send(header, &allowing(allowance), Waits::default()).await.map(drop), spent);
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn a_call_makes_no_more_requests_than_it_may_and_denied_ones_count() {
    let server = Server::answering(OK).await;
    let rules = Arc::new(Hosts(vec!["127.0.0.1"], vec!["127.0.0.0/8"]));
    let call = CallEgress::new(rules, Allowance { requests: 3, ..Allowance::default() });
    let egress = plain();
    assert!(get(&egress, &call, &server.url("127.0.0.1")).await.is_ok());
    assert!(matches!(get(&egress, &call, "http://other.test/").await, Err(EgressError::Denied { .. })));
    assert!(get(&egress, &call, &server.url("127.0.0.1")).await.is_ok());
    let error = get(&egress, &call, &server.url("127.0.0.1")).await.unwrap_err();
    assert_eq!(error, EgressError::Budget { resource: Resource::Requests, limit: 3 });
    assert_eq!(error.to_string(), "this call may use 3 outgoing requests, and needs more");
    assert_eq!(call.contacts().list.len(), 3);
}

#[tokio::test]
async fn a_call_has_no_more_requests_open_than_it_may() {
    let server = Server::stalling_after(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello").await;
    let egress = with(|s| s.connect = SHORT);
    let call = allowing(Allowance { open: 1, ..Allowance::default() });
    let first = get(&egress, &call, &server.url("127.0.0.1")).await.unwrap();
    let error = get(&egress, &call, &server.url("127.0.0.1")).await.unwrap_err();
    assert_eq!(error, EgressError::Timeout { wait: Wait::Connect, limit: SHORT });
    drop(first);
    assert!(get(&egress, &call, &server.url("127.0.0.1")).await.is_ok());
}

fn ending() -> (CallEgress, CancellationToken, CancellationToken) {
    let (revoked, cancelled) = (CancellationToken::new(), CancellationToken::new());
    let rules = Arc::new(Hosts(vec!["*"], vec!["127.0.0.0/8"]));
    let ending = Ending { revoked: revoked.clone(), cancelled: cancelled.clone() };
    let call = CallEgress::with(rules, Allowance::default(), Holding::default(), ending);
    (call, revoked, cancelled)
}

#[tokio::test]
async fn a_revoked_grant_stops_a_body_in_the_middle_and_the_next_request() {
    let mut server = Server::stalling_after(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello").await;
    let (call, revoked, _) = ending();
    let mut body = get(&plain(), &call, &server.url("127.0.0.1")).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "hello");
    // One that is being waited for ends as well.
    let (next, ()) = tokio::join!(body.frame(), async { revoked.cancel() });
    assert_eq!(next.unwrap().unwrap_err(), EgressError::Revoked);
    assert!(body.frame().await.is_none());

    server.heads();
    let error = get(&plain(), &call, &server.url("127.0.0.1")).await.unwrap_err();
    assert_eq!(error, EgressError::Revoked);
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn what_arrived_before_a_revocation_is_not_handed_over_after_it() {
    let server = Server::stalling_after(OK).await;
    let (call, revoked, _) = ending();
    let response = get(&plain(), &call, &server.url("127.0.0.1")).await.unwrap();
    revoked.cancel();
    assert_eq!(text(response).await, Err(EgressError::Revoked));
}

#[tokio::test]
async fn a_cancelled_call_stops_waiting_at_once() {
    let server = Server::stalling_after(b"").await;
    let (call, _, cancelled) = ending();
    let (egress, url) = (plain(), server.url("127.0.0.1"));
    let (result, ()) = tokio::join!(get(&egress, &call, &url), async { cancelled.cancel() });
    assert_eq!(result.map(drop), Err(EgressError::Cancelled));
}

#[tokio::test]
async fn the_log_of_contacts_is_bounded() {
    let call =
        CallEgress::new(Arc::new(Hosts(vec![], vec![])), Allowance { requests: 300, ..Allowance::default() });
    let egress = plain();
    for _ in 0..300 {
        assert!(get(&egress, &call, "http://other.test/").await.is_err());
    }
    assert_eq!((call.contacts().list.len(), call.contacts().more), (256, 44));
}

#[tokio::test]
async fn what_leaves_is_among_the_contacts_however_much_was_refused() {
    let server = Server::answering(OK).await;
    let rules = Arc::new(Hosts(vec!["127.0.0.1"], vec!["127.0.0.0/8"]));
    let call = CallEgress::new(rules, Allowance { requests: 600, ..Allowance::default() });
    let egress = plain();
    for at in 0..600 {
        let sent = if at == 300 { server.url("127.0.0.1") } else { "http://other.test/".to_owned() };
        assert_eq!(get(&egress, &call, &sent).await.is_ok(), at == 300);
    }
    let contacts = call.contacts();
    assert_eq!((contacts.list.len(), contacts.more), (256, 344));
    let left: Vec<_> = contacts.list.iter().filter(|one| one.decision == Decision::Allowed).collect();
    assert!(matches!(left[..], [one] if one.host == "127.0.0.1"), "{left:?}");
}
