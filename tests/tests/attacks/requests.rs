//! Guests that send requests where they may not.

use packhost_tests::guests;
use packhost_tests::host::Setup;
use packhost_tests::rpc::code;
use packhost_tests::web::{Web, response};
use serde_json::json;

use crate::scene::{Posted, connect, failure, manifest, text};

/// A host with `reach` alone, under these rules.
fn reaching(rules: &str) -> Setup {
    Setup::new().policy(&manifest("reach", &format!("{{ http: [{rules}] }}"))).packs(guests::reach())
}

/// A rule that opens one server of this machine by its address.
fn opens(web: &Web) -> String {
    format!("{{ host: \"127.0.0.1\", scheme: http, ports: [{}] }}", web.address.port())
}

fn leads_to(url: &str) -> Vec<u8> {
    response(302, &[("location", url)], b"")
}

#[test]
fn an_unlisted_host_is_denied_and_the_missing_rule_is_told() {
    let setup = reaching("{ host: api.example.com }");
    let mut host = connect(&setup);
    let denied = host.call("reach", json!({ "url": "http://collector.test:8080/take?secret=1" }));
    assert_eq!(code(&denied), "egress_denied", "{denied}");
    let missing = "add a rule for host collector.test with scheme http, port 8080 and method GET";
    assert!(text(&denied).contains(missing), "{denied}");
    assert!(!denied.to_string().contains("secret=1"), "what was to be sent is not repeated: {denied}");
    let method = host.call("reach", json!({ "url": "https://api.example.com/", "method": "POST" }));
    assert_eq!(code(&method), "egress_denied", "{method}");
    assert!(text(&method).contains("add the method POST"), "{method}");
}

#[test]
fn a_listed_name_with_a_private_address_is_not_connected_to() {
    let web = Web::answering(Vec::new());
    let port = web.address.port();
    let url = format!("http://localhost:{port}/");
    let setup = reaching(&format!("{{ host: localhost, scheme: http, ports: [{port}] }}"));
    let denied = connect(&setup).call("reach", json!({ "url": url }));
    assert_eq!(code(&denied), "egress_denied", "{denied}");
    assert!(text(&denied).contains("not on the public internet (loopback"), "{denied}");
    assert!(web.asked().is_empty(), "{:?}", web.asked());

    let opened = "addresses: [\"127.0.0.0/8\", \"::1/128\"]";
    let setup = reaching(&format!("{{ host: localhost, scheme: http, ports: [{port}], {opened} }}"));
    let answered = connect(&setup).call("reach", json!({ "url": url }));
    assert_eq!(answered["structuredContent"]["status"], 404, "a rule that lists it opens it: {answered}");
    assert_eq!(web.asked().len(), 1);
}

/// The rule grants the origin that is asked for, whichever it is; what it does not grant is what lies behind.
#[test]
fn an_address_is_closed_in_every_spelling() {
    let web = Web::answering(Vec::new());
    let port = web.address.port();
    let setup = reaching("{ url: \"${input.url}\" }");
    let mut host = connect(&setup);
    let spelled =
        ["127.0.0.1", "2130706433", "0x7f000001", "0177.1", "0", "[::1]", "[::ffff:127.0.0.1]", "localhost"];
    let mut urls: Vec<String> = spelled.iter().map(|host| format!("http://{host}:{port}/")).collect();
    urls.extend(
        [
            "http://169.254.169.254/latest/meta-data/",
            "http://[::ffff:169.254.169.254]/latest/meta-data/",
            "http://[64:ff9b::a9fe:a9fe]/latest/meta-data/",
            "http://[fd00:ec2::254]/latest/meta-data/",
            "http://10.0.0.1/",
            "http://192.168.1.1/",
        ]
        .map(String::from),
    );
    for url in urls {
        let denied = host.call("reach", json!({ "url": url }));
        assert_eq!(code(&denied), "egress_denied", "{url}: {denied}");
    }
    assert!(web.asked().is_empty(), "{:?}", web.asked());
}

#[test]
fn a_redirect_goes_no_further_than_a_request_may() {
    let (listed, other) = (Web::answering(Vec::new()), Web::answering(Vec::new()));
    let private = format!("http://localhost:{}/", other.address.port());
    let moved =
        Web::answering(vec![leads_to(&other.origin()), leads_to(&private), leads_to(&listed.origin())]);
    let name = format!("{{ host: localhost, scheme: http, ports: [{}] }}", other.address.port());
    let setup = reaching(&format!("{}, {}, {name}", opens(&moved), opens(&listed)));
    let mut host = connect(&setup);
    let mut follow = || host.call("reach", json!({ "url": moved.origin(), "follow": 3 }));

    // To an origin that no rule has: the pack itself says where it leads.
    let unlisted = follow();
    assert_eq!(code(&unlisted), "invalid_input", "{unlisted}");
    assert!(text(&unlisted).contains("has moved to"), "{unlisted}");
    // To a name that a rule has and an address that it has not.
    let private = follow();
    assert_eq!(code(&private), "egress_denied", "{private}");
    assert_eq!((moved.asked().len(), other.asked().len()), (2, 0));
    // To where a rule leads.
    let followed = follow();
    assert_eq!(followed["structuredContent"]["status"], 404, "{followed}");
    assert_eq!((moved.asked().len(), listed.asked().len()), (3, 1));
}

#[test]
fn a_call_sends_and_receives_no_more_than_it_may() {
    let (small, large) = (response(200, &[], b"small"), response(200, &[], &[b'x'; 64 << 10]));
    let web = Web::answering(vec![small.clone(), small.clone(), small, large]);
    let limits = "limits: { requests: 3, transfer: 16KiB }";
    let policy = manifest("reach", &format!("{{ http: [{}], {limits} }}", opens(&web)));
    let setup = Setup::new().policy(&policy).packs(guests::reach());
    let mut host = connect(&setup);
    let many = host.call("reach", json!({ "url": web.origin(), "times": 5 }));
    assert_eq!(code(&many), "resource_exhausted", "{many}");
    assert!(text(&many).contains("3 outgoing requests"), "{many}");
    assert_eq!(web.asked().len(), 3);
    let much = host.call("reach", json!({ "url": web.origin() }));
    assert_eq!(code(&much), "resource_exhausted", "{much}");
    assert!(text(&much).contains("bytes of outgoing traffic"), "{much}");
}

#[test]
fn the_hosts_own_door_is_closed_to_its_guests() {
    let web = Web::answering(Vec::new());
    let setup = reaching("{ url: \"${input.url}\", methods: [GET, POST], addresses: [\"127.0.0.0/8\"] }");
    let served = setup.serve(&[]);
    let reached = |url: &str| Posted::call("reach", json!({ "url": url })).to(&served).message();
    let other = reached(&web.origin());
    assert_eq!(other["result"]["structuredContent"]["status"], 404, "another server is open: {other}");
    let own = reached(&served.url);
    assert_eq!(failure(&own["result"])["code"], "egress_denied", "{own}");
    assert!(text(&own["result"]).contains("where this host itself listens"), "{own}");
}
