//! Who is asked what, and what follows from the answers.

use super::support::*;
use packhost_egress::*;

#[tokio::test]
async fn a_granted_request_arrives_as_the_url_says() {
    let mut server = Server::answering(OK).await;
    let names = Names::new(&[("granted.test", &[&["127.0.0.1"]])]);
    let call = call(&["granted.test"], &["127.0.0.1/32"]);
    let response =
        get(&egress(&names), &call, &format!("http://Granted.TEST:{}/a/./b/../c%20d?q=1", server.port()))
            .await;
    assert_eq!(text(response.unwrap()).await.unwrap(), "hello");

    let head = server.heads().remove(0);
    assert!(head.starts_with("GET /a/c%20d?q=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: granted.test:{}\r\n", server.port())), "{head}");
    assert_eq!(names.asked(), ["granted.test"]);

    let contacts = call.contacts();
    let [contact] = contacts.list.as_slice() else { panic!("{contacts:?}") };
    assert_eq!((contact.host.as_str(), contact.port), ("granted.test", server.port()));
    assert_eq!(contact.address, "127.0.0.1".parse().ok());
    assert_eq!(contact.decision, Decision::Allowed);
    assert!(contact.sent > 20 && contact.received >= 5, "{contact:?}");
    assert_eq!(call.spent(), Spent { requests: 1, bytes: contact.sent + contact.received });
}

#[tokio::test]
async fn what_is_not_granted_is_neither_resolved_nor_connected_to() {
    let mut server = Server::answering(OK).await;
    let names = Names::new(&[("other.test", &[&["127.0.0.1"]])]);
    let call = call(&["granted.test"], &["127.0.0.0/8"]);
    let egress = egress(&names);
    for host in ["other.test", "granted.test.other.test", "127.0.0.1"] {
        let error = get(&egress, &call, &server.url(host)).await.unwrap_err();
        let message = format!("GET {host} is not granted");
        assert_eq!(error, EgressError::Denied { message, fix: format!("grant {host}") });
    }
    assert!(names.asked().is_empty());
    assert!(server.heads().is_empty());
    let contacts = call.contacts();
    assert_eq!(contacts.list.len(), 3);
    assert!(contacts.list.iter().all(|c| c.decision == Decision::DeniedByRule && c.address.is_none()));
}

#[tokio::test]
async fn a_request_that_says_another_method_or_path_in_a_header_is_not_sent() {
    let mut server = Server::answering(OK).await;
    let (egress, call) = (plain(), loopback());
    for (name, value) in [
        ("X-HTTP-Method-Override", "DELETE"),
        ("x-http-method", "PUT"),
        ("X-Method-Override", "get"),
        ("X-Original-URL", "/admin"),
        ("X-Rewrite-Url", "/admin"),
        ("x_http_method-override", "DELETE"),
    ] {
        let request = http::Request::post(server.url("127.0.0.1")).header(name, value);
        let request = request.body(http_body_util::Full::<bytes::Bytes>::default()).unwrap();
        let error = egress.send(request, &call, Waits::default()).await.unwrap_err();
        assert!(matches!(error, EgressError::Denied { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains(&name.to_ascii_lowercase()), "{error}");
    }
    assert!(call.contacts().list.iter().all(|contact| contact.decision == Decision::DeniedByRule));
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn one_closed_address_among_the_answers_denies_the_request() {
    let mut server = Server::answering(OK).await;
    for (answer, closed) in [
        (&["127.0.0.1"][..], "127.0.0.1"),
        (&["8.8.8.8", "10.0.0.1"], "10.0.0.1"),
        (&["10.0.0.1", "8.8.8.8"], "10.0.0.1"),
        (&["2606:4700::1", "fd00::1"], "fd00::1"),
        (&["8.8.8.8", "::ffff:127.0.0.1"], "::ffff:127.0.0.1"),
        (&["64:ff9b::a00:1"], "64:ff9b::a00:1"),
        (&["0.0.0.0"], "0.0.0.0"),
    ] {
        let names = Names::new(&[("granted.test", &[answer])]);
        let call = call(&["granted.test"], &[]);
        let error = get(&egress(&names), &call, &server.url("granted.test")).await.unwrap_err();
        assert!(
            matches!(&error, EgressError::Address { host, address, .. }
                if host == "granted.test" && address.to_string() == closed),
            "{answer:?}: {error:?}"
        );
        let contact = call.contacts().list.remove(0);
        assert_eq!((contact.decision, contact.address), (Decision::DeniedByAddress, closed.parse().ok()));
    }
    assert!(server.heads().is_empty());
}

/// What is not encrypted may be sent to a private network, and not to whoever answers for its name.
struct Inside(Hosts, Vec<ipnet::IpNet>);

impl Rules for Inside {
    fn decide(&self, method: &http::Method, url: &url::Url) -> Verdict {
        self.0.decide(method, url)
    }

    fn within(&self) -> Option<&[ipnet::IpNet]> {
        Some(&self.1)
    }
}

#[tokio::test]
async fn what_has_to_stay_in_a_network_goes_to_no_public_address() {
    let mut server = Server::answering(OK).await;
    let networks = ["127.0.0.0/8"];
    for (answer, outside) in [
        (&["127.0.0.1"][..], None),
        (&["8.8.8.8"], Some("8.8.8.8")),
        (&["127.0.0.1", "2606:4700::1"], Some("2606:4700::1")),
        (&["64:ff9b::808:808"], Some("64:ff9b::808:808")),
    ] {
        let names = Names::new(&[("granted.test", &[answer])]);
        let within = networks.map(|network| network.parse().unwrap()).into();
        let rules = Inside(Hosts(vec!["granted.test"], networks.into()), within);
        let call = CallEgress::new(std::sync::Arc::new(rules), Allowance::default());
        let sent = get(&egress(&names), &call, &server.url("granted.test")).await;
        let decision = call.contacts().list.remove(0).decision;
        match outside {
            None => assert_eq!(
                (text(sent.unwrap()).await.unwrap().as_str(), decision),
                ("hello", Decision::Allowed)
            ),
            Some(outside) => {
                let error = sent.unwrap_err().to_string();
                assert!(
                    error.starts_with(&format!("granted.test is at {outside}, which is outside")),
                    "{error}"
                );
                assert_eq!(decision, Decision::DeniedByAddress);
            }
        }
    }
    assert_eq!(server.heads().len(), 1);
}

#[tokio::test]
async fn a_denied_address_says_what_it_is_and_which_rule_is_missing() {
    let names = Names::new(&[("granted.test", &[&["10.1.2.3"]])]);
    let error = get(&egress(&names), &call(&["*"], &[]), "http://granted.test/").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "granted.test is at 10.1.2.3, which is not on the public internet (private use, RFC 1918); \
         the request was not sent"
    );
    assert_eq!(
        error.fix(),
        Some("If this is meant, the operator can add 10.1.2.3/32 to the rule's `addresses`.".into())
    );
}

#[tokio::test]
async fn a_name_that_rebinds_is_resolved_once_per_request_and_judged_each_time() {
    let mut server = Server::answering(OK).await;
    let names = Names::new(&[("granted.test", &[&["127.0.0.1"], &["10.0.0.1"]])]);
    let call = call(&["granted.test"], &["127.0.0.1/32"]);
    let egress = egress(&names);
    let url = server.url("granted.test");
    assert_eq!(text(get(&egress, &call, &url).await.unwrap()).await.unwrap(), "hello");
    assert_eq!(names.asked().len(), 1);
    assert!(matches!(get(&egress, &call, &url).await, Err(EgressError::Address { .. })));
    assert_eq!(names.asked().len(), 2);
    assert_eq!(server.heads().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_the_callers_to_follow() {
    let mut other = Server::answering(OK).await;
    let location = other.url("127.0.0.1");
    let response = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    let mut server = Server::answering(response).await;
    let call = loopback();
    let response = get(&plain(), &call, &server.url("127.0.0.1")).await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], location);
    assert_eq!(text(response).await.unwrap(), "");
    assert_eq!((server.heads().len(), other.heads().len()), (1, 0));
    assert_eq!(call.contacts().list.len(), 1);
}

#[tokio::test]
async fn no_rule_opens_a_metadata_service() {
    let names = Names::new(&[("metadata.test", &[&["169.254.169.254"]]), ("v6.test", &[&["fd00:ec2::254"]])]);
    let call = call(&["*"], &["0.0.0.0/0", "::/0"]);
    let egress = egress(&names);
    for host in ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:a9fe:a9fe]", "metadata.test", "v6.test"] {
        let error = get(&egress, &call, &format!("http://{host}/latest/")).await.unwrap_err();
        assert!(error.to_string().contains("never reachable"), "{host}: {error}");
        assert_eq!(error.fix(), Some("No rule can open this address; use another server.".into()));
    }
}

#[tokio::test]
async fn no_rule_opens_the_hosts_own_listeners() {
    let mut own = Server::answering(OK).await;
    let names = Names::new(&[("own.test", &[&["127.0.0.1"]])]);
    let call = call(&["*"], &["0.0.0.0/0", "::/0"]);
    let any = std::net::SocketAddr::new("0.0.0.0".parse().unwrap(), own.port());
    for listener in [own.address, any] {
        let own_listeners = vec![listener];
        let egress = Egress::new(Settings { own_listeners, ..settings(&names) }).unwrap();
        for host in ["127.0.0.1", "own.test", "[::ffff:127.0.0.1]", "0.0.0.0"] {
            let error = get(&egress, &call, &own.url(host)).await.unwrap_err();
            assert!(error.to_string().contains("never reachable"), "{host}: {error}");
        }
    }
    assert!(own.heads().is_empty());
}

#[tokio::test]
async fn the_addresses_are_tried_in_order_until_one_answers() {
    let server = Server::answering(OK).await;
    let names = Names::new(&[("granted.test", &[&["::1", "127.0.0.1"]])]);
    let call = loopback();
    let response = get(&egress(&names), &call, &server.url("granted.test")).await.unwrap();
    assert_eq!(text(response).await.unwrap(), "hello");
    assert_eq!(call.contacts().list[0].address, "127.0.0.1".parse().ok());
}

#[tokio::test]
async fn a_name_without_an_answer_and_a_port_without_a_server_are_told_apart() {
    let names = Names::new(&[("empty.test", &[&[]])]);
    let egress = egress(&names);
    for host in ["nowhere.test", "empty.test"] {
        let error = get(&egress, &loopback(), &format!("http://{host}/")).await.unwrap_err();
        assert!(matches!(error, EgressError::Dns { .. }), "{error:?}");
    }
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = get(&egress, &loopback(), &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert_eq!(error.to_string(), format!("no connection to 127.0.0.1 port {port}: nothing listens there"));
}

#[tokio::test]
async fn the_systems_resolver_knows_localhost() {
    let server = Server::answering(OK).await;
    let egress = Egress::new(Settings::default()).unwrap();
    let response = get(&egress, &loopback(), &server.url("localhost")).await.unwrap();
    assert_eq!(text(response).await.unwrap(), "hello");
    let error = get(&egress, &call(&["localhost"], &[]), &server.url("localhost")).await.unwrap_err();
    assert!(matches!(error, EgressError::Address { .. }), "{error:?}");
}
