//! Time, size, number, and the ways in which a stream ends early.

use std::sync::Arc;

use super::super::support::*;
use super::support::*;
use packhost_core::Caller;
use packhost_egress::*;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

fn waiting(change: impl FnOnce(&mut Settings)) -> Egress {
    let mut settings = settings(&names());
    change(&mut settings);
    Egress::new(settings).unwrap()
}

fn impatient() -> Egress {
    waiting(|settings| settings.proxy.idle = SHORT)
}

fn allowing(allowance: Allowance) -> CallEgress {
    CallEgress::new(Arc::new(Hosts(vec!["*"], vec!["127.0.0.0/8"])), allowance)
}

fn ending() -> (CallEgress, CancellationToken, CancellationToken) {
    let (revoked, cancelled) = (CancellationToken::new(), CancellationToken::new());
    let rules = Arc::new(Hosts(vec!["*"], vec!["127.0.0.0/8"]));
    let ending = Ending { revoked: revoked.clone(), cancelled: cancelled.clone() };
    let call = CallEgress::with(rules, Allowance::default(), Holding::default(), ending);
    (call, revoked, cancelled)
}

#[tokio::test]
async fn a_stream_that_sends_no_whole_head_is_closed() {
    let server = Server::answering(OK).await;
    let silent = Err(ProxyError::Silent { limit: SHORT });
    let client = proxied(&impatient(), &loopback());
    assert_eq!(client.rest().await, (Vec::new(), silent.clone()));
    let mut client = proxied(&impatient(), &loopback());
    client.send("GET http://granted.test/ HTTP/1.1\r\nHo").await;
    assert_eq!(client.rest().await.1, silent);
    let mut client = proxied(&impatient(), &loopback());
    assert_eq!(client.ask(get_of(&server.url("127.0.0.1"))).await.status(), 200);
    assert_eq!(client.rest().await, (Vec::new(), silent), "between two requests");
}

#[tokio::test]
async fn a_body_that_stops_arriving_ends_the_request() {
    let server = Server::stalling_after(b"").await;
    let mut client = proxied(&impatient(), &loopback());
    let url = server.url("127.0.0.1");
    let read = client.ask(format!("POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhello")).await;
    assert_eq!(read.status(), 400, "{read:?}");
    assert!(read.problem()["detail"].as_str().unwrap().contains("before it was complete"));
    assert!(read.closes());
    drop(client.rest().await);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_not_written_to_for_ever() {
    let server = Server::start(|mut stream, _| async move {
        use tokio::io::AsyncWriteExt;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let mut client = proxied(&impatient(), &loopback());
    client.send(get_of(&server.url("127.0.0.1"))).await;
    let ended = (&mut client.served).await.unwrap();
    assert_eq!(ended, Err(ProxyError::Silent { limit: SHORT }));
}

#[tokio::test]
async fn requests_and_bytes_are_those_of_the_call() {
    let server = Server::answering(OK).await;
    let spent = allowing(Allowance { requests: 2, ..Allowance::default() });
    let mut client = proxied(&named(), &spent);
    assert_eq!(client.ask(get_of(&server.url("127.0.0.1"))).await.status(), 200);
    assert_eq!(client.ask(get_of(&server.url("127.0.0.1"))).await.status(), 200);
    let read = client.ask(get_of(&server.url("127.0.0.1"))).await;
    assert_eq!((read.status(), read.problem()["code"].as_str()), (429, Some("resource_exhausted")));
    let read = client.ask("CONNECT granted.test:443 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!((read.status(), read.closes()), (429, true), "{read:?}");

    let spent = allowing(Allowance { bytes: 100, ..Allowance::default() });
    let mut client = proxied(&named(), &spent);
    let read = client.ask(get_of(&format!("{}{}", server.url("127.0.0.1"), "x".repeat(100)))).await;
    assert_eq!((read.status(), read.problem()["code"].as_str()), (429, Some("resource_exhausted")));
}

#[tokio::test]
async fn a_server_that_is_late_is_told_as_late() {
    let server = Server::stalling_after(b"").await;
    let mut client = proxied(&waiting(|settings| settings.first_byte = SHORT), &loopback());
    let read = client.ask(get_of(&server.url("127.0.0.1"))).await;
    assert_eq!((read.status(), read.problem()["code"].as_str()), (504, Some("timeout")));
    assert_eq!(read.problem()["retry"], true);
}

#[tokio::test]
async fn a_tunnel_carries_no_more_than_the_call_may() {
    let server = echoing().await;
    let first = hello("granted.test");
    let limit = 2 * first.len() as u64 + 1000;
    let call = allowing(Allowance { bytes: limit, ..Allowance::default() });
    let mut client = proxied(&named(), &call);
    client.connect(&format!("granted.test:{}", server.port())).await;
    client.send(&first).await;
    client.stream.read_exact(&mut vec![0; first.len()]).await.unwrap();
    client.send([b'x'; 1001]).await;
    let (rest, ended) = client.rest().await;
    let spent = EgressError::Budget { resource: Resource::Bytes, limit };
    assert_eq!((rest, ended), (Vec::new(), Err(spent.into())));
    let contact = contact(&call);
    assert_eq!((contact.sent, contact.received), (first.len() as u64, first.len() as u64));
    assert!(call.spent().bytes <= limit);
}

#[tokio::test]
async fn a_tunnel_counts_among_the_open_requests_of_its_call() {
    let server = echoing().await;
    let egress = waiting(|settings| settings.connect = SHORT);
    let call = allowing(Allowance { open: 1, ..Allowance::default() });
    let mut first = proxied(&egress, &call);
    first.connect(&format!("granted.test:{}", server.port())).await;
    let mut second = proxied(&egress, &call);
    let ask = format!("CONNECT granted.test:{} HTTP/1.1\r\nHost: x\r\n\r\n", server.port());
    assert_eq!(second.ask(&ask).await.status(), 504);
    assert_eq!(first.close().await, (Vec::new(), Ok(())));
    let mut third = proxied(&egress, &call);
    assert_eq!(third.ask(&ask).await.status(), 200);
}

#[tokio::test]
async fn requests_a_minute_and_connections_are_those_of_the_pack() {
    let server = echoing().await;
    let ask = format!("CONNECT granted.test:{} HTTP/1.1\r\nHost: x\r\n\r\n", server.port());
    let egress = waiting(|settings| settings.connect = SHORT);
    let call = |pack: &str, quota| {
        let account = egress.account(&pack.parse().unwrap(), &Caller::local(), quota);
        let rules = Arc::new(Hosts(vec!["*"], vec!["127.0.0.0/8"]));
        CallEgress::of(account, rules, Allowance::default(), Holding::default(), Ending::default())
    };
    let one = Quota { requests_per_minute: 60, connections: 1 };
    let mut first = proxied(&egress, &call("a.pack", one));
    assert_eq!(first.ask(&ask).await.status(), 200);
    let read = proxied(&egress, &call("a.pack", one)).ask(&ask).await;
    assert_eq!((read.status(), read.problem()["code"].as_str()), (504, Some("timeout")));
    assert_eq!(first.close().await, (Vec::new(), Ok(())));
    assert_eq!(proxied(&egress, &call("a.pack", one)).ask(&ask).await.status(), 200);

    let few = Quota { requests_per_minute: 1, connections: 9 };
    assert_eq!(proxied(&egress, &call("b.pack", few)).ask(&ask).await.status(), 200);
    for request in [ask.as_str(), "GET http://granted.test/ HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let read = proxied(&egress, &call("b.pack", few)).ask(request).await;
        assert_eq!((read.status(), read.problem()["code"].as_str()), (429, Some("rate_limited")));
        assert!(read.head.contains("\r\nretry-after: "), "{read:?}");
    }
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_happens_ends() {
    let mut server = Silent::start().await;
    let to = format!("granted.test:{}", server.address.port());
    let late = |wait| Err(EgressError::Timeout { wait, limit: SHORT }.into());

    let mut client = proxied(&waiting(|settings| settings.proxy.hello = SHORT), &loopback());
    client.connect(&to).await;
    client.send(&hello("granted.test")[..50]).await;
    assert_eq!(client.rest().await.1, late(Wait::Hello), "before the hello");
    assert_eq!(server.read().await, b"");

    let mut client = proxied(&waiting(|settings| settings.between_bytes = SHORT), &loopback());
    client.connect(&to).await;
    client.send(hello("granted.test")).await;
    assert_eq!(client.rest().await.1, late(Wait::Tunnel), "after it");
    assert!(!server.read().await.is_empty());

    let mut client = proxied(&waiting(|settings| settings.total = 4 * SHORT), &loopback());
    client.connect(&to).await;
    client.send(hello("granted.test")).await;
    let late = EgressError::Timeout { wait: Wait::Total, limit: 4 * SHORT };
    assert_eq!(client.rest().await.1, Err(late.into()), "in all");
}

#[tokio::test]
async fn what_ends_the_call_ends_its_streams_at_once() {
    let server = echoing().await;
    for open in [false, true] {
        let (call, revoked, _) = ending();
        let mut client = proxied(&named(), &call);
        if open {
            client.connect(&format!("granted.test:{}", server.port())).await;
            let first = hello("granted.test");
            client.send(&first).await;
            client.stream.read_exact(&mut vec![0; first.len()]).await.unwrap();
        }
        revoked.cancel();
        assert_eq!(client.rest().await, (Vec::new(), Err(EgressError::Revoked.into())), "open: {open}");
    }
    let silent = Server::stalling_after(b"").await;
    let (call, _, cancelled) = ending();
    let mut client = proxied(&named(), &call);
    client.send(get_of(&silent.url("127.0.0.1"))).await;
    cancelled.cancel();
    assert_eq!(client.rest().await, (Vec::new(), Err(EgressError::Cancelled.into())));

    let (call, revoked, _) = ending();
    revoked.cancel();
    let client = proxied(&named(), &call);
    assert_eq!(client.rest().await.1, Err(EgressError::Revoked.into()), "and no later one begins");
}

/// A program that has asked for more and is gone has nobody to put that on record.
#[tokio::test]
async fn after_its_end_nothing_of_a_call_leaves_and_its_contacts_are_all_there_were() {
    let (seen, mut heads) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream, head| {
        let seen = seen.clone();
        async move {
            seen.send(head).ok();
            stream.read_to_end(&mut Vec::new()).await.ok();
        }
    })
    .await;
    let (call, _, cancelled) = ending();
    let (egress, url) = (named(), server.url("127.0.0.1"));
    let mut client = proxied(&egress, &call);
    for _ in 0..2 {
        client.send(get_of(&url)).await;
    }
    heads.recv().await.unwrap();
    call.end();
    let contacts = call.contacts();
    assert_eq!(client.rest().await, (Vec::new(), Err(EgressError::Cancelled.into())));
    assert_eq!(call.contacts(), contacts);
    assert_eq!(contacts.list.len(), 1);
    assert_eq!(get(&egress, &call, &url).await.map(drop), Err(EgressError::Cancelled));
    assert!(heads.try_recv().is_err(), "nothing more has arrived");
    assert!(!cancelled.is_cancelled(), "it is the end of this call alone");
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_along() {
    let (seen, mut events) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream, _| {
        let seen = seen.clone();
        async move {
            seen.send("asked").ok();
            stream.read_to_end(&mut Vec::new()).await.ok();
            seen.send("gone").ok();
        }
    })
    .await;
    let mut client = proxied(&named(), &loopback());
    client.send(get_of(&server.url("127.0.0.1"))).await;
    assert_eq!(events.recv().await, Some("asked"));
    drop(client.stream);
    assert_eq!(events.recv().await, Some("gone"));
    assert_eq!(client.served.await.unwrap(), Err(ProxyError::Broken));
}
