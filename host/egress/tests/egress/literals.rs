//! What a URL can be written as.

use super::support::*;
use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::Full;
use packhost_egress::*;

#[tokio::test]
async fn an_address_is_judged_in_every_spelling() {
    let mut server = Server::answering(OK).await;
    let names = Names::new(&[]);
    let (egress, call) = (egress(&names), call(&["*"], &[]));
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0X7F.1",
        "0x7f.0x0.0x0.0x1",
        "017700000001",
        "0177.0.0.01",
        "0",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[::]",
    ] {
        let error = get(&egress, &call, &server.url(host)).await.unwrap_err();
        assert!(matches!(error, EgressError::Address { .. }), "{host}: {error:?}");
    }
    assert!(names.asked().is_empty(), "literals are not names: {:?}", names.asked());
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn names_of_this_machine_are_judged_by_their_address() {
    let names = Names::new(&[("localhost.", &[&["127.0.0.1"]]), ("xn--bcher-kva.test", &[&["::1"]])]);
    let (egress, call) = (egress(&names), call(&["*"], &[]));
    for host in ["localhost.", "LOCALHOST.", "xn--bcher-kva.test"] {
        let error = get(&egress, &call, &format!("http://{host}/")).await.unwrap_err();
        assert!(matches!(error, EgressError::Address { .. }), "{host}: {error:?}");
    }
    assert_eq!(names.asked(), ["localhost.", "localhost.", "xn--bcher-kva.test"]);
}

#[tokio::test]
async fn what_is_not_a_plain_http_url_goes_nowhere() {
    let names = Names::new(&[]);
    let (egress, call) = (egress(&names), call(&["*"], &["0.0.0.0/0"]));
    let long = format!("http://{}.test/", "a".repeat(254));
    for uri in [
        "ftp://granted.test/",
        "ws://granted.test/",
        "http://user@granted.test/",
        "http://user:password@granted.test/",
        "http://:@granted.test/",
        "http://@granted.test/",
        "/relative",
        "granted.test:80",
        "http://1.2.3.4.5/",
        "http://256.0.0.1/",
        "http://0x100000000/",
        "http://a%00b.test/",
        "http://a%2Fb.test/",
        "http://a%40b.test/",
        &long,
    ] {
        // What the `http` crate itself refuses never gets here.
        let Ok(uri) = uri.parse::<Uri>() else { continue };
        let request = Request::get(uri.clone()).body(Full::<Bytes>::default()).unwrap();
        let error = egress.send(request, &call, Waits::default()).await.unwrap_err();
        assert!(matches!(error, EgressError::Url(_)), "{uri}: {error:?}");
    }
    let star = Uri::builder().scheme("http").authority("granted.test").path_and_query("*").build().unwrap();
    for (method, uri) in [(Method::OPTIONS, star), (Method::CONNECT, "http://granted.test/".parse().unwrap())]
    {
        let request = Request::builder().method(method).uri(uri).body(Full::<Bytes>::default()).unwrap();
        let error = egress.send(request, &call, Waits::default()).await.unwrap_err();
        assert!(matches!(error, EgressError::Url(_)), "{error:?}");
    }
    assert!(names.asked().is_empty());
    assert!(call.contacts().list.is_empty());
}
