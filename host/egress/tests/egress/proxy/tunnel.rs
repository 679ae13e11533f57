//! Tunnels that are granted.

use super::super::support::*;
use super::super::tls::Authority;
use super::support::*;
use packhost_egress::*;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Speaks TLS through the tunnel and returns what the server tells of it.
async fn spoken(client: Client, authority: &Authority, name: &str) -> String {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut tls = trusting(authority.root()).connect(name, client.stream).await.unwrap();
    tls.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tls.read_to_string(&mut answer).await.unwrap();
    drop(tls);
    assert_eq!(client.served.await.unwrap(), Ok(()));
    answer.rsplit("\r\n\r\n").next().unwrap().to_owned()
}

#[tokio::test]
async fn a_tunnel_carries_tls_from_end_to_end() {
    let authority = Authority::new("authority");
    let port = authority.serve(&["granted.test", "127.0.0.1"], |_| ()).await;
    let names = names();
    let egress = egress(&names);
    for (host, name, told) in [
        ("granted.test", "granted.test", "granted.test|"),
        ("GRANTED.test", "Granted.Test", "granted.test|"),
        ("127.0.0.1", "127.0.0.1", "|"),
    ] {
        let call = call(&["granted.test", "127.0.0.1"], &["127.0.0.1/32"]);
        let mut client = proxied(&egress, &call);
        client.connect(&format!("{host}:{port}")).await;
        assert_eq!(contact(&call).decision, Decision::Pending, "nothing has been seen of the tunnel yet");
        assert_eq!(spoken(client, &authority, name).await, told, "{host}");
        let contact = contact(&call);
        assert_eq!((contact.host.as_str(), contact.port), (host.to_lowercase().as_str(), port));
        assert_eq!((contact.decision, contact.address), (Decision::Allowed, "127.0.0.1".parse().ok()));
        assert!(contact.sent > 200 && contact.received > 500, "{contact:?}");
        assert_eq!(call.spent(), Spent { requests: 1, bytes: contact.sent + contact.received });
    }
    assert_eq!(names.asked(), ["granted.test"; 2], "a name is resolved once");
}

#[tokio::test]
async fn a_tunnel_can_follow_requests_on_a_stream() {
    let server = Server::answering(OK).await;
    let echoing = echoing().await;
    let call = loopback();
    let mut client = proxied(&named(), &call);
    assert_eq!(client.ask(get_of(&server.url("127.0.0.1"))).await.status(), 200);
    client.connect(&format!("granted.test:{}", echoing.port())).await;
    let first = hello("granted.test");
    client.send(&first).await;
    client.stream.shutdown().await.unwrap();
    // What the server still says after the client has ended is passed on.
    assert_eq!(client.rest().await, (first, Ok(())));
}

#[tokio::test]
async fn a_hello_that_comes_in_pieces_arrives_as_it_was() {
    let server = echoing().await;
    let whole = hello("granted.test");
    let to = format!("granted.test:{}", server.port());
    // In records of so many bytes, 16 at most; one at a time on the stream.
    for size in [whole.len(), whole.len().div_ceil(16)] {
        let records = in_records(&whole, size);
        let mut client = proxied(&named(), &loopback());
        client.connect(&to).await;
        for byte in &records {
            client.send([*byte]).await;
            tokio::task::yield_now().await;
        }
        let mut back = vec![0; records.len()];
        client.stream.read_exact(&mut back).await.unwrap();
        assert!(back == records, "records of {size} bytes");
        assert_eq!(client.close().await, (Vec::new(), Ok(())));
    }
    // With the request that asks for the tunnel, and with more behind it.
    let mut client = proxied(&named(), &loopback());
    let sent = [whole.as_slice(), b"what follows"].concat();
    client.send([format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n").as_bytes(), &sent].concat()).await;
    assert!(client.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(client.close().await, (sent, Ok(())));
}

#[tokio::test]
async fn a_tunnel_that_is_closed_unused_is_no_error() {
    let mut server = Silent::start().await;
    let call = loopback();
    let mut client = proxied(&named(), &call);
    client.connect(&format!("granted.test:{}", server.address.port())).await;
    assert_eq!(client.close().await, (Vec::new(), Ok(())));
    assert_eq!(server.read().await, b"");
    let contact = contact(&call);
    assert_eq!((contact.decision, contact.sent), (Decision::Pending, 0));
}

#[tokio::test]
async fn a_rule_of_a_manifest_grants_a_tunnel_to_its_hosts_and_ports() {
    let server = echoing().await;
    let port = server.port();
    let rule = format!(
        "[{{host: granted.test, methods: [GET, CONNECT], ports: [{port}], addresses: [127.0.0.1/32]}}]"
    );
    let call = Granted::call(&rule);
    let mut client = proxied(&named(), &call);
    client.connect(&format!("granted.test:{port}")).await;
    let first = hello("granted.test");
    client.send(&first).await;
    assert_eq!(client.close().await, (first, Ok(())));
}
