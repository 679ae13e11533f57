//! Resolvers that answer as it suits them.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use packhost_egress::*;

use super::super::support::*;
use super::Lasting;

fn greeting(word: &'static str) -> impl Fn(&str) -> Vec<u8> + Clone + Send + 'static {
    move |_| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{word}", word.len()).into_bytes()
}

#[tokio::test]
async fn each_request_goes_to_the_address_of_its_own_answer() {
    let mut first = Lasting::start("127.0.0.2:0", greeting("first")).await;
    let port = first.address.port();
    let mut second = Lasting::start(&format!("127.0.0.3:{port}"), greeting("second")).await;
    let answers: &[&[&str]] = &[&["127.0.0.2"], &["127.0.0.3"], &["127.0.0.2"], &["169.254.169.254"]];
    let names = Names::new(&[("granted.test", answers)]);
    let (egress, call) = (egress(&names), call(&["granted.test"], &["127.0.0.0/8"]));
    let url = format!("http://granted.test:{port}/");
    for (asked, word) in ["first", "second", "first"].iter().enumerate() {
        assert_eq!(text(get(&egress, &call, &url).await.unwrap()).await.unwrap(), *word);
        assert_eq!(names.asked().len(), asked + 1);
    }
    // A connection that is still open is no way around what the name says now.
    let error = get(&egress, &call, &url).await.unwrap_err();
    assert!(matches!(error, EgressError::Address { .. }), "{error:?}");
    let reached: Vec<_> =
        call.contacts().list.iter().map(|contact| contact.address.unwrap().to_string()).collect();
    assert_eq!(reached, ["127.0.0.2", "127.0.0.3", "127.0.0.2", "169.254.169.254"]);
    assert_eq!((first.count(), second.count()), (2, 1));
}

/// Next to a public address, so that the answer as a whole is what is refused.
#[tokio::test]
async fn an_address_in_another_form_of_ip_is_judged_as_what_it_is() {
    let mut server = Server::answering(OK).await;
    for form in [
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:a00:1",
        "::10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "64:ff9b:1:a00:0:100::",
        "64:ff9b:1:ffff:ffff:ffff:a9fe:a9fe",
        "2002:a00:1::",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::1",
        // Teredo holds the client's address inverted: 10.0.0.1, and 127.0.0.1.
        "2001:0:808:808:0:ffff:f5ff:fffe",
        "2001::80ff:fffe",
        "fe80::5efe:a00:1",
    ] {
        for answer in [&["8.8.8.8", form][..], &[form, "8.8.8.8"], &[form]] {
            let names = Names::new(&[("granted.test", &[answer])]);
            let (egress, call) = (egress(&names), call(&["granted.test"], &[]));
            let error = get(&egress, &call, &server.url("granted.test")).await.unwrap_err();
            assert!(
                matches!(&error, EgressError::Address { address, .. } if *address == form.parse::<IpAddr>().unwrap()),
                "{answer:?}: {error:?}"
            );
        }
    }
    assert!(server.heads().is_empty());
}

/// Answers every name with these.
struct Fixed(Vec<IpAddr>);

impl Resolve for Fixed {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

fn at(addresses: impl IntoIterator<Item = IpAddr>) -> Egress {
    let resolver = Arc::new(Fixed(addresses.into_iter().collect()));
    Egress::new(Settings { resolver, ..Settings::default() }).unwrap()
}

#[tokio::test]
async fn of_ten_thousand_addresses_eight_are_tried_and_all_are_judged() {
    let mut server = Server::answering(OK).await;
    let url = server.url("granted.test");
    let call = || call(&["granted.test"], &["127.0.0.0/8"]);
    // Nothing listens at these.
    let silent = || (0..10_000_u16).map(|n| IpAddr::from([127, 1, n.to_be_bytes()[0], n.to_be_bytes()[1]]));
    let listening = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let eighth = silent().take(7).chain([listening]).chain(silent());
    assert_eq!(text(get(&at(eighth), &call(), &url).await.unwrap()).await.unwrap(), "hello");
    let ninth = silent().take(8).chain([listening]).chain(silent());
    let error = get(&at(ninth), &call(), &url).await.unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
    let metadata = IpAddr::from([169, 254, 169, 254]);
    let error = get(&at([listening].into_iter().chain(silent()).chain([metadata])), &call(), &url).await;
    assert!(matches!(&error, Err(EgressError::Address { address, .. }) if *address == metadata), "{error:?}");
    assert_eq!(server.heads().len(), 1);
}

#[tokio::test]
async fn a_resolver_that_breaks_ends_the_request_and_says_nothing_of_it() {
    struct Breaking;
    impl Resolve for Breaking {
        fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
            Box::pin(async move {
                assert!(host != "panics.test", "the marker of a panic");
                Err(io::Error::other("the marker of an error"))
            })
        }
    }
    let egress = Egress::new(Settings { resolver: Arc::new(Breaking), ..Settings::default() }).unwrap();
    for host in ["fails.test", "panics.test"] {
        let error = get(&egress, &call(&["*"], &[]), &format!("http://{host}/")).await.unwrap_err();
        assert!(matches!(error, EgressError::Dns { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("marker"), "{error:?}");
    }
}
