//! Servers that send their client elsewhere.

use http::{Method, StatusCode};
use packhost_egress::*;

use super::super::support::*;
use super::{Lasting, send};

const METADATA: &str = "http://169.254.169.254/latest/meta-data/";

#[tokio::test]
async fn a_redirect_to_metadata_is_not_followed_and_the_packs_own_next_hop_is_refused() {
    let call = call(&["*"], &["0.0.0.0/0", "::/0"]);
    let egress = plain();
    for status in [301, 302, 303, 307, 308, 300, 305] {
        let mut server = Lasting::start("127.0.0.1:0", move |_| {
            format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {METADATA}\r\nrefresh: 0; url={METADATA}\r\ncontent-length: 0\r\n\r\n")
                .into_bytes()
        })
        .await;
        let response = send(&egress, &call, Method::GET, &server.url("/")).await.unwrap();
        assert_eq!(response.status(), StatusCode::from_u16(status).unwrap());
        let next = response.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!((text(response).await.unwrap().as_str(), server.count()), ("", 1));
        let error = send(&egress, &call, Method::GET, &next).await.unwrap_err();
        assert!(error.to_string().contains("never reachable"), "{error}");
    }
    let reached = call.contacts().list;
    assert!(reached.iter().step_by(2).all(|contact| contact.decision == Decision::Allowed));
    assert!(
        reached.iter().skip(1).step_by(2).all(|c| c.decision == Decision::DeniedByAddress && c.sent == 0)
    );
}

/// The rules see each hop as it is.
#[tokio::test]
async fn a_redirect_to_a_host_that_is_not_granted_leads_nowhere() {
    let mut elsewhere = Server::answering(OK).await;
    let location = elsewhere.url("127.0.0.1");
    let answer = format!("HTTP/1.1 307 Elsewhere\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    let server = Lasting::start("127.0.0.1:0", move |_| answer.clone().into_bytes()).await;
    let names = Names::new(&[("granted.test", &[&["127.0.0.1"]])]);
    let (egress, call) = (egress(&names), call(&["granted.test"], &["127.0.0.0/8"]));
    let url = format!("http://granted.test:{}/", server.address.port());
    let response = send(&egress, &call, Method::POST, &url).await.unwrap();
    let next = response.headers()["location"].to_str().unwrap().to_owned();
    let error = send(&egress, &call, Method::POST, &next).await.unwrap_err();
    assert!(matches!(error, EgressError::Denied { .. }), "{error:?}");
    assert!(elsewhere.heads().is_empty());
}
