//! A real authorization server (npm `oidc-provider`) on loopback: from a client's credentials to a call, and on to its next key.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use packhost_tests::host::{Setup, wait_until};
use packhost_tests::rpc::result;
use packhost_tests::{http, tools};
use serde_json::{Value, json};

use crate::clients::{self, Era};
use crate::oauth::US;
use crate::wire::{self, call};

/// Ends with the test: its standard input ends then.
struct Provider {
    child: Child,
    issuer: String,
    address: SocketAddr,
}

impl Provider {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protocol/provider.mjs");
        let mut command = Command::new(tools::node());
        command.arg(script).arg(tools::installed("node_modules/oidc-provider"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("Node.js starts");
        let mut said = String::new();
        BufReader::new(child.stdout.take().expect("it is piped"))
            .read_line(&mut said)
            .expect("it can be read");
        let said: Value = serde_json::from_str(&said).expect("it says where it is");
        let issuer = said["issuer"].as_str().expect("an issuer").to_owned();
        let address = issuer.trim_start_matches("http://").parse().expect("an address");
        Self { child, issuer, address }
    }

    /// An access token for this host, by the client's own credentials.
    fn token(&self, scope: &str) -> String {
        self.token_for(US, scope)
    }

    fn token_for(&self, resource: &str, scope: &str) -> String {
        let credentials = format!("Basic {}", STANDARD.encode("agent:secret-of-the-agent"));
        let head = [("authorization", &*credentials), ("content-type", "application/x-www-form-urlencoded")];
        let form =
            format!("grant_type=client_credentials&resource={resource}&scope={}", scope.replace(' ', "+"));
        let answer = http::send(self.address, &head, "POST", "/token", form.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.message()["access_token"].as_str().expect("a token").to_owned()
    }

    fn changes_its_key(&self) {
        assert_eq!(http::send(self.address, &[], "POST", "/rotate", b"").status, 200);
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_credentials_lists_and_calls_and_a_new_key_is_followed() {
    let provider = Provider::start();
    let setup = Setup::new().warmed();
    let served = setup.serve(&[
        "--oauth-issuer",
        &provider.issuer,
        "--oauth-audience",
        US,
        "--oauth-network",
        "127.0.0.0/8",
    ]);
    let calls = |token: &str| {
        let head = [("authorization", &*format!("Bearer {token}"))];
        wire::send(served.address, &head, &call("text_stats", &json!({ "text": "one two" })))
    };

    let token = provider.token("packs:call");
    for era in [Era::Handshake, Era::Stateless] {
        let client = clients::over_http_as(&served.url, era, &token).await;
        assert!(client.names().await.contains(&"text_stats".to_owned()));
    }
    assert_eq!(result(calls(&token).message())["structuredContent"]["words"], 2);

    let narrow = provider.token("packs:call:text.stats");
    let client = clients::over_http_as(&served.url, Era::Stateless, &narrow).await;
    assert_eq!(client.names().await, ["text_stats"]);
    assert_eq!(calls(&narrow).status, 200);

    let elsewhere = provider.token_for("https://other.example.com/mcp", "packs:call");
    assert_eq!(calls(&elsewhere).status, 401, "a token for another resource");

    provider.changes_its_key();
    let newer = provider.token("packs:call");
    wait_until("the new key is followed", &|| calls(&newer).status == 200);
    assert_eq!(calls(&token).status, 401, "the old key is the issuer's no more");

    let (exit, log) = served.terminate();
    assert_eq!(exit, 0, "{log}");
    assert!(log.contains(":agent"), "the record names the client: {log}");
    assert!(!log.contains(&token) && !log.contains(&newer), "a token is in the log");
}
