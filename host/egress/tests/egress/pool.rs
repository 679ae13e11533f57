//! Which requests share a connection, and which never do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use packhost_core::{Caller, PackName};
use tokio::sync::Notify;

use super::support::*;
use packhost_egress::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const QUOTA: Quota = Quota { requests_per_minute: 1000, connections: 4 };

/// Answers every request on a connection until the client closes it. Each answer says which connection it came over.
struct Keeping {
    server: Server,
    closed: Arc<Notify>,
}

impl Keeping {
    async fn start() -> Self {
        let (opened, closed) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let told = closed.clone();
        let server = Server::start(move |mut stream, mut head| {
            let number = opened.fetch_add(1, Ordering::Relaxed);
            let closed = told.clone();
            async move {
                while !head.is_empty() {
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
                    stream.write_all(answer.as_bytes()).await.ok();
                    head = read_head(&mut stream).await;
                }
                closed.notify_one();
            }
        })
        .await;
        Self { server, closed }
    }
}

fn pooling(names: &Arc<Names>) -> Egress {
    Egress::new(Settings { idle: Settings::default().idle, ..settings(names) }).unwrap()
}

fn account(egress: &Egress, pack: &str, caller: &Caller, quota: Quota) -> Account {
    egress.account(&pack.parse::<PackName>().unwrap(), caller, quota)
}

fn granted(account: Account) -> CallEgress {
    let rules = Arc::new(Hosts(vec!["*"], vec!["127.0.0.0/8", "::1/128"]));
    CallEgress::of(account, rules, Allowance::default(), Holding::default(), Ending::default())
}

async fn number(egress: &Egress, call: &CallEgress, url: &str) -> String {
    text(get(egress, call, url).await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_calls_of_one_pack_and_caller_share_a_connection() {
    let (keeping, egress) = (Keeping::start().await, pooling(&Names::new(&[])));
    let url = keeping.server.url("127.0.0.1");
    for _ in 0..3 {
        let call = granted(account(&egress, "a.one", &Caller::local(), QUOTA));
        assert_eq!(number(&egress, &call, &url).await, "0");
        assert_eq!(number(&egress, &call, &url).await, "0");
    }
}

#[tokio::test]
async fn another_pack_and_another_caller_have_their_own() {
    let (keeping, egress) = (Keeping::start().await, pooling(&Names::new(&[])));
    let url = keeping.server.url("127.0.0.1");
    let parties =
        [("a.one", Caller::local()), ("a.two", Caller::local()), ("a.one", Caller::token("somebody"))];
    for _ in 0..2 {
        for (at, (pack, caller)) in parties.iter().enumerate() {
            let call = granted(account(&egress, pack, caller, QUOTA));
            assert_eq!(number(&egress, &call, &url).await, at.to_string());
        }
    }
}

#[tokio::test]
async fn a_call_without_an_account_shares_nothing() {
    let (keeping, egress) = (Keeping::start().await, pooling(&Names::new(&[])));
    let url = keeping.server.url("127.0.0.1");
    assert_eq!(number(&egress, &loopback(), &url).await, "0");
    assert_eq!(number(&egress, &loopback(), &url).await, "1");
}

#[tokio::test]
async fn a_connection_is_used_again_only_for_an_address_that_was_found_again() {
    let keeping = Keeping::start().await;
    let names = Names::new(&[("granted.test", &[&["127.0.0.1"], &["127.0.0.2"], &["169.254.169.254"]])]);
    let egress = pooling(&names);
    let call = granted(account(&egress, "a.one", &Caller::local(), QUOTA));
    let url = keeping.server.url("granted.test");
    assert_eq!(number(&egress, &call, &url).await, "0");
    // Nothing listens on the second address; the first is not asked in its place.
    assert!(matches!(get(&egress, &call, &url).await, Err(EgressError::Connect { .. })));
    assert!(matches!(get(&egress, &call, &url).await, Err(EgressError::Address { .. })));
    assert_eq!(names.asked().len(), 3);
}

#[tokio::test]
async fn a_response_that_was_not_read_to_its_end_closes_its_connection() {
    let (keeping, egress) = (Keeping::start().await, pooling(&Names::new(&[])));
    let url = keeping.server.url("127.0.0.1");
    let call = granted(account(&egress, "a.one", &Caller::local(), QUOTA));
    drop(get(&egress, &call, &url).await.unwrap());
    keeping.closed.notified().await;
    assert_eq!(number(&egress, &call, &url).await, "1");
}

#[tokio::test]
async fn a_second_response_behind_the_first_is_the_answer_to_nothing() {
    let server = Server::start(|mut stream, _| async move {
        let two = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfalse";
        stream.write_all(two).await.ok();
        stream.read_to_end(&mut Vec::new()).await.ok();
    })
    .await;
    let egress = pooling(&Names::new(&[]));
    let call = granted(account(&egress, "a.one", &Caller::local(), QUOTA));
    for _ in 0..5 {
        assert_eq!(number(&egress, &call, &server.url("127.0.0.1")).await, "hello");
    }
}

#[tokio::test]
async fn what_a_server_closes_without_a_word_is_asked_for_again() {
    // Every connection ends with its first answer.
    let server = Server::answering(OK).await;
    let egress = pooling(&Names::new(&[]));
    let call = granted(account(&egress, "a.one", &Caller::local(), QUOTA));
    for _ in 0..50 {
        assert_eq!(number(&egress, &call, &server.url("127.0.0.1")).await, "hello");
    }
}

#[tokio::test]
async fn an_idle_connection_makes_room_for_another_origin() {
    let (first, second) = (Keeping::start().await, Keeping::start().await);
    let egress = pooling(&Names::new(&[]));
    let quota = Quota { connections: 1, ..QUOTA };
    for caller in [Caller::local(), Caller::token("somebody")] {
        let call = granted(account(&egress, "a.one", &caller, quota));
        number(&egress, &call, &first.server.url("127.0.0.1")).await;
        number(&egress, &call, &second.server.url("127.0.0.1")).await;
        first.closed.notified().await;
    }
}

#[tokio::test]
async fn one_more_connection_than_a_pack_may_have_waits() {
    let stalling = Server::stalling_after(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n").await;
    let egress = Egress::new(Settings { connect: SHORT, ..Settings::default() }).unwrap();
    let quota = Quota { connections: 1, ..QUOTA };
    let (url, mine) = (stalling.url("127.0.0.1"), account(&egress, "a.one", &Caller::local(), quota));
    let held = get(&egress, &granted(mine), &url).await.unwrap();
    // Another caller's call of the same pack, and a call of another pack.
    let other = granted(account(&egress, "a.one", &Caller::token("somebody"), quota));
    let waited = get(&egress, &other, &url).await;
    assert!(matches!(waited, Err(EgressError::Timeout { wait: Wait::Connect, .. })), "{waited:?}");
    let another = granted(account(&egress, "a.two", &Caller::local(), quota));
    get(&egress, &another, &url).await.unwrap();
    drop(held);
    get(&egress, &other, &url).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_its_time() {
    let (keeping, egress) = (Keeping::start().await, pooling(&Names::new(&[])));
    let call = granted(account(&egress, "a.one", &Caller::local(), QUOTA));
    number(&egress, &call, &keeping.server.url("127.0.0.1")).await;
    keeping.closed.notified().await;
}

/// Who has two limits, by two proofs of who it is, has each minute what the lower one leaves under the lower one.
#[tokio::test]
async fn what_was_sent_under_one_limit_counts_under_the_other() {
    let (keeping, egress) = (Keeping::start().await, pooling(&Names::new(&[])));
    let url = keeping.server.url("127.0.0.1");
    let ask = async |requests_per_minute: u32| {
        let quota = Quota { requests_per_minute, ..QUOTA };
        get(&egress, &granted(account(&egress, "a.one", &Caller::local(), quota)), &url).await
    };
    for (limit, goes) in
        [(4, true), (4, true), (4, true), (4, true), (4, false), (3, false), (4, false), (3, false)]
    {
        assert_eq!(ask(limit).await.is_ok(), goes, "{limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_a_minute_are_counted_per_pack_and_caller() {
    let (keeping, egress) = (Keeping::start().await, pooling(&Names::new(&[])));
    let url = keeping.server.url("127.0.0.1");
    let quota = Quota { requests_per_minute: 2, ..QUOTA };
    let ask = async |pack: &str, caller: Caller, quota: Quota| {
        get(&egress, &granted(account(&egress, pack, &caller, quota)), &url).await
    };
    for _ in 0..2 {
        ask("a.one", Caller::local(), quota).await.unwrap();
    }
    let refused = ask("a.one", Caller::local(), quota).await.unwrap_err();
    let EgressError::Rate { limit: 2, retry_after: Some(after) } = refused else { panic!("{refused:?}") };
    assert!(after.as_secs() < 60, "{after:?}");
    let said = format!("one caller; the next one in {} s", after.as_secs() + 1);
    assert!(refused.to_string().ends_with(&said), "{refused}");
    let failure = packhost_core::Failure::from(refused);
    assert_eq!(failure.code, packhost_core::ErrorCode::RateLimited);
    ask("a.two", Caller::local(), quota).await.unwrap();
    ask("a.one", Caller::token("somebody"), quota).await.unwrap();

    // Under another limit, which an edit or another group of the caller has brought, the minute is the same.
    let more = Quota { requests_per_minute: 60, ..QUOTA };
    for quota in [more, quota, more] {
        let refused = ask("a.one", Caller::local(), quota).await.unwrap_err();
        assert!(matches!(refused, EgressError::Rate { .. }), "{refused:?}");
    }

    let none = Quota { requests_per_minute: 0, ..QUOTA };
    let never = ask("a.three", Caller::local(), none).await.unwrap_err();
    assert_eq!(never, EgressError::Rate { limit: 0, retry_after: None });
}
