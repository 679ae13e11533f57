//! The resolver of the system before a name server of ours, in a network of its own: what `getaddrinfo` makes of an answer is
//! what is judged, and what no rule grants is never asked for.

use std::future::Future;
use std::process::Command;

use packhost_egress::*;
use rustix::net::{AddressFamily, SendFlags, SocketType, send, socket};
use tokio::runtime::Runtime;

use super::super::support::*;
use super::child::in_namespace;
use super::nameserver::{A, AAAA, Log, Record, Reply, Zone, start};

/// The inside of a namespace.
struct Inside {
    runtime: Runtime,
    log: Log,
    egress: Egress,
}

impl Inside {
    /// Nothing in the test itself, which is over.
    fn of(test: &str, zone: Zone) -> Option<Self> {
        if in_namespace(&format!("hostile::namespace::{test}")) {
            return None;
        }
        bring_up_loopback();
        put("/etc/resolv.conf", "nameserver 127.0.0.1\nsearch search.test\noptions timeout:1 attempts:1\n");
        put("/etc/nsswitch.conf", "hosts: files dns\n");
        put("/etc/hosts", "127.0.0.1 localhost\n");
        let log = start(zone);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let egress = Egress::new(Settings::default()).unwrap();
        Some(Self { runtime, log, egress })
    }

    fn run<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    fn fails(&self, host: &str, opened: &[&'static str]) -> EgressError {
        self.run(get(&self.egress, &call(&["*"], opened), &format!("http://{host}:8/"))).unwrap_err()
    }

    /// How often the name server was asked for addresses of IPv4 of this name.
    fn asked(&self, name: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|asked| **asked == (name.to_owned(), A)).count()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.log.lock().unwrap().iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// What `ip link set lo up` does, which is not everywhere: RTM_NEWLINK for the first interface, with IFF_UP set (rtnetlink(7)).
fn bring_up_loopback() {
    let socket = socket(AddressFamily::NETLINK, SocketType::RAW, None).unwrap();
    let words: [u32; 8] = [32, 16 | 1 << 16, 1, 0, 0, 1, 1, 1];
    let message: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    assert_eq!(send(&socket, &message, SendFlags::empty()).unwrap(), message.len());
}

/// Lays this text over a file, for this namespace.
fn put(path: &str, text: &str) {
    if !std::path::Path::new(path).exists() {
        return;
    }
    let file = std::env::temp_dir().join(format!("packhost-egress-{}", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let mounted = Command::new("mount").arg("--bind").arg(&file).arg(path).status().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(mounted.success(), "{path}: {mounted}");
}

fn a(octets: [u8; 4]) -> Reply {
    Reply::Records(vec![Record::A(octets)])
}

fn nothing() -> Reply {
    Reply::Records(Vec::new())
}

#[test]
fn a_name_that_rebinds_is_asked_for_once_per_request_and_judged_each_time() {
    let zone: Zone = |_, kind, before| match (kind, before) {
        (A, 0 | 2) => a([127, 0, 0, 1]),
        (A, _) => a([169, 254, 169, 254]),
        _ => nothing(),
    };
    let test = "a_name_that_rebinds_is_asked_for_once_per_request_and_judged_each_time";
    let Some(inside) = Inside::of(test, zone) else { return };
    inside.run(async {
        let mut server = Server::answering(OK).await;
        let call = call(&["rebind.test"], &["127.0.0.1/32"]);
        for request in 0..4 {
            let answer = get(&inside.egress, &call, &server.url("rebind.test")).await;
            if request % 2 == 0 {
                assert_eq!(text(answer.unwrap()).await.unwrap(), "hello");
            } else {
                let error = answer.unwrap_err();
                assert!(error.to_string().contains("169.254.169.254"), "{error}");
            }
            assert_eq!(inside.asked("rebind.test"), request + 1, "kept, or asked for again");
        }
        assert_eq!(server.heads().len(), 2);
    });
}

#[test]
fn an_alias_is_judged_by_where_it_ends() {
    let zone: Zone = |name, kind, _| match (name, kind) {
        ("inner.test", A) => a([10, 0, 0, 1]),
        ("www.test", A) => Reply::Records(vec![
            Record::Alias("cdn.other.test"),
            Record::Alias("edge.other.test"),
            Record::A([10, 0, 0, 1]),
        ]),
        ("www6.test", AAAA) => Reply::Records(vec![Record::Alias("inner.test"), Record::Aaaa("fd00::1")]),
        ("own.test", A) => Reply::Records(vec![Record::Alias("localhost"), Record::A([127, 0, 0, 1])]),
        ("both.test", A) => {
            Reply::Records(vec![Record::Alias("x.test"), Record::A([8, 8, 8, 8]), Record::A([10, 0, 0, 1])])
        }
        _ => nothing(),
    };
    let Some(inside) = Inside::of("an_alias_is_judged_by_where_it_ends", zone) else { return };
    for (host, address) in [
        ("inner.test", "10.0.0.1"),
        ("www.test", "10.0.0.1"),
        ("www6.test", "fd00::1"),
        ("own.test", "127.0.0.1"),
        ("both.test", "10.0.0.1"),
    ] {
        let error = inside.fails(host, &[]);
        let EgressError::Address { host: named, address: found, .. } = &error else { panic!("{error:?}") };
        assert_eq!((named.as_str(), found.to_string().as_str()), (host, address));
    }
    // The alias needs no rule; where it ends needs one.
    inside.run(async {
        let server = Server::answering(OK).await;
        let call = call(&["own.test"], &["127.0.0.1/32"]);
        let answer = get(&inside.egress, &call, &server.url("own.test")).await.unwrap();
        assert_eq!(text(answer).await.unwrap(), "hello");
    });
    assert!(!inside.names().iter().any(|name| name.contains("other.test")), "{:?}", inside.names());
}

#[test]
fn an_answer_of_both_families_is_judged_as_a_whole() {
    let zone: Zone = |name, kind, _| match (name, kind) {
        ("empty.test", _) | ("four.test", AAAA) => nothing(),
        (_, A) if !name.ends_with(".search.test") => a([8, 8, 8, 8]),
        ("mapped.test", _) => Reply::Records(vec![Record::Aaaa("::ffff:10.0.0.1")]),
        ("nat64.test", _) => Reply::Records(vec![Record::Aaaa("64:ff9b::a9fe:a9fe")]),
        ("local.test", _) => Reply::Records(vec![Record::Aaaa("2606:4700::1"), Record::Aaaa("fd00::1")]),
        _ => nothing(),
    };
    let Some(inside) = Inside::of("an_answer_of_both_families_is_judged_as_a_whole", zone) else { return };
    for host in ["mapped.test", "nat64.test", "local.test"] {
        let error = inside.fails(host, &[]);
        assert!(matches!(error, EgressError::Address { .. }), "{host}: {error:?}");
    }
    // There is no way out of this namespace: what was judged and let pass ends there.
    let error = inside.fails("four.test", &[]);
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
    assert!(matches!(inside.fails("empty.test", &[]), EgressError::Dns { .. }));
}

#[test]
fn an_answer_that_is_none_ends_the_request() {
    let zone: Zone = |name, kind, _| match (name, kind) {
        ("loop.test", _) => Reply::Records(vec![Record::Alias("loop.test")]),
        ("ring.test", _) => Reply::Records(vec![Record::Alias("b.test"), Record::Alias("ring.test")]),
        ("garbage.test", _) => Reply::Garbage,
        ("broken.test", _) => Reply::Fails(2),
        ("refused.test", _) => Reply::Fails(5),
        ("truncated.test", A) => Reply::Truncated(Vec::new()),
        _ => Reply::Fails(3),
    };
    let Some(inside) = Inside::of("an_answer_that_is_none_ends_the_request", zone) else { return };
    for host in [
        "loop.test",
        "ring.test",
        "garbage.test",
        "broken.test",
        "refused.test",
        "truncated.test",
        "nowhere.test",
    ] {
        let error = inside.fails(host, &["0.0.0.0/0"]);
        assert!(matches!(error, EgressError::Dns { .. }), "{host}: {error:?}");
        assert!(inside.asked(host) >= 1, "{host}");
    }
}

/// Which is then asked for over TCP, where there is room for more.
#[test]
fn a_truncated_answer_is_judged_as_the_whole_that_it_is() {
    let zone: Zone = |name, kind, _| match (name, kind) {
        (_, AAAA) => nothing(),
        ("few.test", _) => Reply::Truncated(vec![Record::A([127, 0, 0, 1])]),
        _ => {
            let public = (0..1000_u16).map(|n| Record::A([8, 8, n.to_be_bytes()[0], n.to_be_bytes()[1]]));
            Reply::Truncated(public.chain([Record::A([192, 168, 0, 1])]).collect())
        }
    };
    let test = "a_truncated_answer_is_judged_as_the_whole_that_it_is";
    let Some(inside) = Inside::of(test, zone) else { return };
    let error = inside.fails("many.test", &["127.0.0.0/8"]);
    assert!(error.to_string().starts_with("many.test is at 192.168.0.1"), "{error}");
    inside.run(async {
        let server = Server::answering(OK).await;
        let call = call(&["few.test"], &["127.0.0.1/32"]);
        let answer = get(&inside.egress, &call, &server.url("few.test")).await.unwrap();
        assert_eq!(text(answer).await.unwrap(), "hello");
    });
}

#[test]
fn what_no_rule_grants_and_what_is_an_address_is_never_asked_for() {
    let zone: Zone = |_, kind, _| if kind == A { a([127, 0, 0, 1]) } else { nothing() };
    let test = "what_no_rule_grants_and_what_is_an_address_is_never_asked_for";
    let Some(inside) = Inside::of(test, zone) else { return };
    inside.run(async {
        let server = Server::answering(OK).await;
        let call = call(&["granted.test", "127.0.0.1", "[::1]"], &["127.0.0.1/32"]);
        for host in [
            "other.test",
            "c2VjcmV0.other.test",
            "granted.test.other.test",
            "sub.granted.test",
            "granted.test.",
            "127.0.0.1",
            "[::1]",
            "2130706434",
        ] {
            let answer = get(&inside.egress, &call, &server.url(host)).await;
            assert_eq!(answer.is_ok(), host == "127.0.0.1", "{host}: {answer:?}");
        }
        // A port that nothing grants is no name either: a URL that is none is refused before anything is asked.
        for url in ["http://user@granted.test/", "ftp://granted.test/", "http://granted.test:0x50/"] {
            if let Ok(url) = url.parse::<http::Uri>() {
                assert!(get(&inside.egress, &call, &url.to_string()).await.is_err(), "{url}");
            }
        }
        assert_eq!(inside.names(), [""; 0]);
        let answer = get(&inside.egress, &call, &server.url("granted.test")).await.unwrap();
        assert_eq!(text(answer).await.unwrap(), "hello");
        assert_eq!(inside.names(), ["granted.test"]);
    });
}

/// The system looks for a name that is not there with its suffixes as well. What it finds is judged like any other answer.
#[test]
fn a_search_list_opens_no_address() {
    let zone: Zone = |name, kind, _| match (name, kind) {
        ("granted.test.search.test", A) => a([169, 254, 169, 254]),
        _ => Reply::Fails(3),
    };
    let Some(inside) = Inside::of("a_search_list_opens_no_address", zone) else { return };
    let error = inside.fails("granted.test", &["0.0.0.0/0"]);
    assert!(matches!(error, EgressError::Address { .. }), "{error:?}");
    assert_eq!(inside.names(), ["granted.test", "granted.test.search.test"]);
}
