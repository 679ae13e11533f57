//! Names resolved over TLS and over HTTPS.

use std::io::ErrorKind;
use std::sync::Arc;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::RecordType;
use packhost_egress::*;

use super::dns::*;
use super::support::*;
use super::tls::Authority;

/// Answers that the name has these addresses, for `ttl` seconds.
fn at(ttl: u32, known: &'static [&'static str]) -> impl Fn(&Message) -> Reply {
    move |query| Reply::Message(addresses(query, ttl, known))
}

fn through(resolver: EncryptedResolver) -> Egress {
    Egress::new(Settings { resolver: Arc::new(resolver), ..Settings::default() }).unwrap()
}

#[tokio::test]
async fn addresses_of_both_families_take_turns() {
    let authority = Authority::new("authority");
    for kind in KINDS {
        let known = &["192.0.2.1", "192.0.2.2", "2001:db8::1"];
        let server = NameService::start(kind, &authority, at(60, known)).await;
        let resolver = resolver(&[&server], &authority);
        let all = found(&resolver, "granted.test").await.unwrap();
        assert_eq!(all, ["192.0.2.1", "2001:db8::1", "192.0.2.2"]);
        assert_eq!(server.asked(), ["A granted.test.", "AAAA granted.test."]);
        assert_eq!(server.names(), [Some(NAME.to_owned())], "{kind:?}: both go over one connection");
    }
}

#[tokio::test]
async fn a_name_with_one_family_has_its_addresses() {
    let authority = Authority::new("authority");
    for known in [&["192.0.2.1"], &["2001:db8::1"]] {
        let server = NameService::start(Kind::Tls, &authority, at(60, known)).await;
        assert_eq!(found(&resolver(&[&server], &authority), "granted.test").await.unwrap(), known);
    }
}

#[tokio::test]
async fn a_name_is_absolute_with_and_without_a_dot_at_its_end() {
    let authority = Authority::new("authority");
    let server = NameService::start(Kind::Tls, &authority, at(0, &["192.0.2.1"])).await;
    let resolver = resolver(&[&server], &authority);
    for name in ["single", "single.", "two.labels"] {
        assert_eq!(found(&resolver, name).await.unwrap(), ["192.0.2.1"]);
    }
    let asked =
        ["A single.", "A single.", "A two.labels.", "AAAA single.", "AAAA single.", "AAAA two.labels."];
    assert_eq!(server.asked(), asked);
}

#[tokio::test]
async fn the_hosts_file_is_not_read_and_localhost_is_not_asked_for() {
    let authority = Authority::new("authority");
    let server = NameService::start(Kind::Tls, &authority, at(60, &["192.0.2.1"])).await;
    let resolver = resolver(&[&server], &authority);
    assert_eq!(found(&resolver, "localhost").await.unwrap(), ["127.0.0.1", "::1"]);
    assert_eq!(unfound(&resolver, "x.invalid").await.0, ErrorKind::NotFound);
    assert!(server.asked().is_empty());
    // Most of these files have it.
    assert_eq!(found(&resolver, "ip6-allnodes").await.unwrap(), ["192.0.2.1"]);
}

#[tokio::test]
async fn an_answer_is_remembered_as_long_as_it_says() {
    let authority = Authority::new("authority");
    for kind in KINDS {
        for (ttl, queries) in [(60, 2), (u32::MAX, 2), (0, 4)] {
            let server = NameService::start(kind, &authority, at(ttl, &["192.0.2.1", "2001:db8::1"])).await;
            let resolver = resolver(&[&server], &authority);
            for _ in 0..2 {
                assert_eq!(found(&resolver, "granted.test").await.unwrap(), ["192.0.2.1", "2001:db8::1"]);
            }
            assert_eq!(server.asked().len(), queries, "{kind:?} {ttl}");
        }
    }
}

#[tokio::test]
async fn that_there_is_no_such_name_is_remembered_as_long_as_it_says() {
    let authority = Authority::new("authority");
    for (ttl, queries) in [(60, 2), (0, 4)] {
        let answer = move |query: &Message| Reply::Message(no_such_name(query, ttl));
        let server = NameService::start(Kind::Tls, &authority, answer).await;
        let resolver = resolver(&[&server], &authority);
        for _ in 0..2 {
            let none = (ErrorKind::NotFound, "the name has no address".to_owned());
            assert_eq!(unfound(&resolver, "granted.test").await, none);
        }
        assert_eq!(server.asked().len(), queries, "{ttl}");
    }
}

#[tokio::test]
async fn no_more_answers_are_remembered_than_there_is_place_for() {
    const NAMES: usize = 600;
    const REMEMBERED: usize = 512;
    let authority = Authority::new("authority");
    let server = NameService::start(Kind::Tls, &authority, at(60, &["192.0.2.1", "2001:db8::1"])).await;
    let resolver = resolver(&[&server], &authority);
    for _ in 0..2 {
        for number in 0..NAMES {
            found(&resolver, &format!("n{number}.test")).await.unwrap();
        }
    }
    let again = server.asked().len() - 2 * NAMES;
    assert!(again >= 2 * NAMES - REMEMBERED, "{again} of {} were asked for again", 2 * NAMES);
}

#[tokio::test]
async fn aliases_are_followed_to_their_end() {
    let authority = Authority::new("authority");
    let server = NameService::start(Kind::Https, &authority, |query| {
        let mut reply = reply(query, ResponseCode::NoError);
        alias(&mut reply, "granted.test.", "one.test.");
        alias(&mut reply, "one.test.", "two.test.");
        let family = query.queries[0].query_type();
        add(&mut reply, &"two.test.".parse().unwrap(), 60, "192.0.2.1", family);
        add(&mut reply, &"two.test.".parse().unwrap(), 60, "2001:db8::1", family);
        Reply::Message(reply)
    })
    .await;
    let resolver = resolver(&[&server], &authority);
    assert_eq!(found(&resolver, "granted.test").await.unwrap(), ["192.0.2.1", "2001:db8::1"]);
    assert_eq!(server.asked(), ["A granted.test.", "AAAA granted.test."]);
}

#[tokio::test]
async fn aliases_that_go_round_in_circles_end() {
    let authority = Authority::new("authority");
    let server = NameService::start(Kind::Tls, &authority, |query| {
        let mut reply = reply(query, ResponseCode::NoError);
        let name = query.queries[0].name().to_string();
        alias(&mut reply, &name, if name == "one.test." { "two.test." } else { "one.test." });
        Reply::Message(reply)
    })
    .await;
    found(&resolver(&[&server], &authority), "one.test").await.unwrap_err();
    assert!(server.asked().len() <= 2 * 8, "{:?}", server.asked());
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_made_anew() {
    let authority = Authority::new("authority");
    // Of the two queries of a lookup, the first on a connection gets the only answer.
    let answer = |query: &Message| Reply::Last(addresses(query, 0, &["192.0.2.1"]));
    let server = NameService::start(Kind::Tls, &authority, answer).await;
    let resolver = resolver(&[&server], &authority);
    for _ in 0..3 {
        assert_eq!(found(&resolver, "granted.test").await.unwrap(), ["192.0.2.1"]);
    }
    assert!(server.connections() >= 3);
}

#[tokio::test]
async fn many_lookups_at_once_share_one_connection() {
    let authority = Authority::new("authority");
    for kind in KINDS {
        let server = NameService::start(kind, &authority, at(0, &["192.0.2.1"])).await;
        let resolver = resolver(&[&server], &authority);
        let names: Vec<_> = (0..100).map(|number| format!("n{number}.test")).collect();
        let all = futures::future::join_all(names.iter().map(|name| found(&resolver, name))).await;
        assert!(all.into_iter().all(|found| found.unwrap() == ["192.0.2.1"]));
        assert_eq!((server.asked().len(), server.connections()), (200, 1), "{kind:?}");
    }
}

#[tokio::test]
async fn a_request_goes_to_the_address_of_the_encrypted_answer_and_none_but_granted_names_are_asked_for() {
    let authority = Authority::new("authority");
    for kind in KINDS {
        let web = Server::answering(OK).await;
        let server = NameService::start(kind, &authority, at(60, &["127.0.0.1"])).await;
        let egress = through(resolver(&[&server], &authority));
        let call = call(&["granted.test", "127.0.0.1"], &["127.0.0.0/8"]);

        let denied = get(&egress, &call, &web.url("secret.evil.test")).await;
        assert!(matches!(denied, Err(EgressError::Denied { .. })), "{denied:?}");
        assert_eq!(text(get(&egress, &call, &web.url("127.0.0.1")).await.unwrap()).await.unwrap(), "hello");
        assert!(server.asked().is_empty());

        assert_eq!(
            text(get(&egress, &call, &web.url("granted.test")).await.unwrap()).await.unwrap(),
            "hello"
        );
        assert_eq!(server.asked(), ["A granted.test.", "AAAA granted.test."]);
    }
}

#[tokio::test]
async fn an_address_that_is_not_public_is_refused_whoever_says_it() {
    let authority = Authority::new("authority");
    for (known, family) in [(&["10.0.0.1"], RecordType::A), (&["fd00::1"], RecordType::AAAA)] {
        let server = NameService::start(Kind::Tls, &authority, at(60, known)).await;
        let egress = through(resolver(&[&server], &authority));
        // The second time from memory.
        for _ in 0..2 {
            let refused = get(&egress, &call(&["granted.test"], &[]), "http://granted.test/").await;
            let Err(EgressError::Address { address, .. }) = refused else { panic!("{family}: {refused:?}") };
            assert_eq!(address.to_string(), known[0]);
        }
    }
}
