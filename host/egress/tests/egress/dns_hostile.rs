//! Name servers that are not who they say, and those that answer badly or not at all.

use std::io::ErrorKind;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::{DNSClass, RecordType};
use packhost_egress::*;
use tokio::net::TcpListener;

use super::dns::*;
use super::support::*;
use super::tls::Authority;

fn well(query: &Message) -> Reply {
    Reply::Message(addresses(query, 60, &["192.0.2.1"]))
}

fn failing(query: &Message) -> Reply {
    Reply::Message(reply(query, ResponseCode::ServFail))
}

/// A port at which nobody listens.
async fn nowhere() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_server_with_another_certificate_is_asked_nothing_in_any_way() {
    let authority = Authority::new("authority");
    let expired = |params: &mut rcgen::CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    };
    for kind in KINDS {
        for (config, why) in [
            (
                authority.server(&["other.test", "127.0.0.1"], &[], |_| ()),
                "its certificate is for another name",
            ),
            (authority.server(&[NAME], &[], expired), "its certificate has expired"),
            (
                Authority::new("another").server(&[NAME], &[], |_| ()),
                "its certificate comes from an authority that is not trusted here",
            ),
        ] {
            let server = NameService::with(kind, config, well).await;
            let told = unfound(&resolver(&[&server], &authority), "granted.test").await;
            assert_eq!(told, (ErrorKind::InvalidData, why.to_owned()), "{kind:?}");
            assert!(server.connections() > 0 && server.asked().is_empty());
            assert!(!server.was_asked_in_the_clear());
        }
    }
}

#[tokio::test]
async fn without_a_name_the_certificate_must_be_for_the_address() {
    let authority = Authority::new("authority");
    for kind in KINDS {
        for (names, works) in [(["127.0.0.1"], true), ([NAME], false)] {
            let server = NameService::with(kind, authority.server(&names, &[], |_| ()), well).await;
            let unnamed = server.described().to_string().replace(&format!("#{NAME}"), "").parse().unwrap();
            let resolver = made(vec![unnamed], &[authority.root()], PATIENT);
            assert_eq!(found(&resolver, "granted.test").await.is_ok(), works, "{kind:?} {names:?}");
            assert_eq!(server.asked().is_empty(), !works);
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_asked_nothing() {
    let mut server = Server::answering("HTTP/1.1 200 OK\r\n\r\n").await;
    let described = format!("tls://{}#{NAME}", server.address).parse().unwrap();
    let resolver = made(vec![described], &[], SHORT * 4);
    found(&resolver, "granted.test").await.unwrap_err();
    assert!(server.heads().iter().all(|head| !head.contains("granted")));
}

#[tokio::test]
async fn an_answer_to_another_question_is_none() {
    let authority = Authority::new("authority");
    let lies: [fn(&mut Message); 4] = [
        |reply| reply.queries[0].name = "other.test.".parse().unwrap(),
        |reply| reply.queries[0].query_type = RecordType::TXT,
        |reply| reply.queries[0].query_class = DNSClass::CH,
        |reply| reply.queries.clear(),
    ];
    for kind in KINDS {
        for lie in lies {
            let server = NameService::start(kind, &authority, move |query| {
                let mut reply = addresses(query, 60, &["192.0.2.1"]);
                lie(&mut reply);
                Reply::Message(reply)
            })
            .await;
            let told = unfound(&resolver(&[&server], &authority), "granted.test").await;
            let why = "the answer is to another question".to_owned();
            assert_eq!(told, (ErrorKind::InvalidData, why), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn addresses_of_another_name_are_not_this_ones() {
    let authority = Authority::new("authority");
    let server = NameService::start(Kind::Tls, &authority, |query| {
        let mut reply = reply(query, ResponseCode::NoError);
        let family = query.queries[0].query_type();
        add(&mut reply, &"other.test.".parse().unwrap(), 60, "192.0.2.1", family);
        Reply::Message(reply)
    })
    .await;
    assert_eq!(unfound(&resolver(&[&server], &authority), "granted.test").await.0, ErrorKind::NotFound);
}

#[tokio::test]
async fn what_is_no_answer_to_a_query_of_this_connection_is_waited_past() {
    let authority = Authority::new("authority");
    let lies: [fn(&mut Message); 2] =
        [|reply| reply.metadata.id ^= 1, |reply| reply.metadata.message_type = MessageType::Query];
    for lie in lies {
        let server = NameService::start(Kind::Tls, &authority, move |query| {
            let mut reply = addresses(query, 60, &["192.0.2.1"]);
            lie(&mut reply);
            Reply::Message(reply)
        })
        .await;
        let told = unfound(&hurried(&[&server], &authority, SHORT * 4), "granted.test").await;
        assert_eq!(told.0, ErrorKind::TimedOut);
        assert!(!server.asked().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_longer_than_allowed() {
    let authority = Authority::new("authority");
    for kind in KINDS {
        let server = NameService::start(kind, &authority, |_| Reply::Nothing).await;
        let told = unfound(&hurried(&[&server], &authority, SHORT * 4), "granted.test").await;
        assert_eq!(told, (ErrorKind::TimedOut, "the name server did not answer in time".to_owned()));
        assert!(!server.asked().is_empty(), "{kind:?}");
    }
    // One that does not even greet.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let described = format!("tls://{}", listener.local_addr().unwrap()).parse().unwrap();
    let told = unfound(&made(vec![described], &[], SHORT), "granted.test").await;
    assert_eq!(told.0, ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_server_that_closes_fails_or_talks_too_much_has_no_answer() {
    let authority = Authority::new("authority");
    let many: fn(&Message) -> Reply = |query| Reply::Message(addresses(query, 60, &["192.0.2.1"; 257]));
    for kind in KINDS {
        let server = NameService::start(kind, &authority, |_| Reply::Close).await;
        found(&resolver(&[&server], &authority), "granted.test").await.unwrap_err();
        assert!(!server.was_asked_in_the_clear());

        for (answer, kind_of_error) in
            [(failing as fn(&_) -> _, ErrorKind::Other), (many, ErrorKind::InvalidData)]
        {
            let server = NameService::start(kind, &authority, answer).await;
            let told = unfound(&resolver(&[&server], &authority), "granted.test").await;
            assert_eq!(told.0, kind_of_error, "{kind:?}: {}", told.1);
        }
    }
}

#[tokio::test]
async fn the_next_server_is_asked_where_one_has_no_answer() {
    let authority = Authority::new("authority");
    for kind in KINDS {
        for answer in [failing, |_: &_| Reply::Close, |_: &_| Reply::Nothing] {
            let (first, second) = tokio::join!(
                NameService::start(kind, &authority, answer),
                NameService::start(Kind::Tls, &authority, well)
            );
            let resolver = hurried(&[&first, &second], &authority, SHORT * 8);
            assert_eq!(found(&resolver, "granted.test").await.unwrap(), ["192.0.2.1"]);
            assert!(!first.asked().is_empty());
        }
    }
}

#[tokio::test]
async fn the_next_server_is_not_asked_where_one_says_that_there_is_nothing() {
    let authority = Authority::new("authority");
    let none = |query: &_| Reply::Message(no_such_name(query, 60));
    let first = NameService::start(Kind::Tls, &authority, none).await;
    let second = NameService::start(Kind::Tls, &authority, well).await;
    let resolver = resolver(&[&first, &second], &authority);
    assert_eq!(unfound(&resolver, "granted.test").await.0, ErrorKind::NotFound);
    assert!(second.asked().is_empty() && second.connections() == 0);
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_asked_last() {
    let authority = Authority::new("authority");
    let first = NameService::with(Kind::Tls, authority.server(&["other.test"], &[], |_| ()), well).await;
    let second = NameService::start(Kind::Tls, &authority, well).await;
    let resolver = resolver(&[&first, &second], &authority);
    assert_eq!(found(&resolver, "one.test").await.unwrap(), ["192.0.2.1"]);
    let tried = first.connections();
    assert_eq!(found(&resolver, "two.test").await.unwrap(), ["192.0.2.1"]);
    assert_eq!(first.connections(), tried);
}

#[tokio::test]
async fn a_server_that_has_not_answered_for_some_time_is_asked_last() {
    let authority = Authority::new("authority");
    let first = NameService::start(Kind::Tls, &authority, |_| Reply::Nothing).await;
    let second = NameService::start(Kind::Tls, &authority, well).await;
    let resolver = hurried(&[&first, &second], &authority, SHORT * 8);
    // At least two queries each, and eight are enough.
    let names = ["a.test", "b.test", "c.test", "d.test"];
    let all = futures::future::join_all(names.map(|name| found(&resolver, name))).await;
    assert!(all.into_iter().all(|found| found.unwrap() == ["192.0.2.1"]));
    let asked = first.asked();
    assert_eq!(found(&resolver, "e.test").await.unwrap(), ["192.0.2.1"]);
    assert_eq!(first.asked(), asked);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_of_the_connection() {
    let described = format!("tls://127.0.0.1:{}", nowhere().await).parse().unwrap();
    let told = unfound(&made(vec![described], &[], PATIENT), "granted.test").await;
    assert_eq!(told, (ErrorKind::NotConnected, "there is no connection to the name server".to_owned()));
}

#[tokio::test]
async fn what_goes_wrong_reaches_the_agent_without_a_word_of_the_server() {
    let authority = Authority::new("authority");
    let server = NameService::start(Kind::Tls, &authority, failing).await;
    let resolver = std::sync::Arc::new(resolver(&[&server], &authority));
    let egress = Egress::new(Settings { resolver, ..Settings::default() }).unwrap();
    let error = get(&egress, &call(&["granted.test"], &[]), "http://granted.test/").await.unwrap_err();
    let why = "the resolver has no answer";
    assert_eq!(error, EgressError::Dns { host: "granted.test".to_owned(), why });
}
