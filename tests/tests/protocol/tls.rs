//! TLS at the listener: who it is, and that a new certificate is taken without a restart, behind the host's walls.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use packhost_tests::host::{Setup, wait_until};
use packhost_tests::http::{self, Response};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;

use crate::wire::{self, call};

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn of(setup: &Setup) -> Self {
        let dir = setup.root().join("tls");
        std::fs::create_dir(&dir).expect("the directory is the test's");
        Self { certificate: dir.join("cert.pem"), key: dir.join("key.pem") }
    }

    /// Puts another certificate in place, as programs do that renew them: each file at once.
    fn renew(&self) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        for (file, text) in [(&self.certificate, cert.pem()), (&self.key, signing_key.serialize_pem())] {
            let fresh = file.with_extension("new");
            std::fs::write(&fresh, text).expect("the directory is the test's");
            std::fs::rename(&fresh, file).expect("the directory is the test's");
        }
        cert.der().clone()
    }

    fn words(&self) -> [String; 4] {
        let shown = |path: &PathBuf| path.display().to_string();
        ["--tls-cert".into(), shown(&self.certificate), "--tls-key".into(), shown(&self.key)]
    }
}

/// A call over TLS, by a client that trusts this certificate alone.
fn calls(address: SocketAddr, trusted: &CertificateDer<'static>) -> Result<Response, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
    let message = call("text_stats", &json!({ "text": "a b c" }));
    let body = message.to_string();
    let mut request = "POST /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n".to_owned();
    for (name, value) in wire::headers(&message) {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(http::read(&bytes))
}

#[test]
fn a_new_certificate_is_taken_without_a_restart() {
    let setup = Setup::new().warmed();
    let files = Files::of(&setup);
    let first = files.renew();
    let served = setup.serve(&files.words().each_ref().map(String::as_str));
    assert!(served.url.starts_with("https://"), "{}", served.url);
    let answered = calls(served.address, &first).expect("it is trusted");
    assert_eq!(answered.message()["result"]["structuredContent"]["words"], 3);
    let mut plain = Vec::new();
    // A connection that is cut is an answer too.
    let _ = http::open(served.address, &[], "GET", "/healthz", b"").read_to_end(&mut plain);
    assert!(!plain.starts_with(b"HTTP"), "nothing is answered in the clear");
    let second = files.renew();
    wait_until("the new certificate is taken", &|| calls(served.address, &second).is_ok());
    assert!(calls(served.address, &first).is_err(), "the old one is gone");
    let (exit, log) = served.terminate();
    assert_eq!(exit, 0, "{log}");
}

#[test]
fn a_key_is_granted_to_no_pack_and_what_is_no_key_is_told() {
    let setup = Setup::new();
    let files = Files::of(&setup);
    files.renew();
    let place = setup.root().join("tls").display().to_string();
    let policy = format!("version: 1\npacks: {{ fs.read: {{ fs: [{{ host: {place}, guest: /tls }}] }} }}");
    let listen = ["serve", "--listen", "127.0.0.1:0"].map(String::from);
    let words = files.words();
    let setup = setup.policy(&policy);
    let refused = setup.run(listen.iter().chain(&words));
    assert!(refused.code == 1 && refused.stderr.contains("policy.yaml:2"), "{refused:?}");
    let mut swapped = words.clone();
    swapped.swap(1, 3);
    let refused = setup.run(listen.iter().chain(&swapped));
    assert!(refused.code == 1 && refused.stderr.contains("no certificate"), "{refused:?}");
    let alone = setup.run(listen.iter().chain(&words[..2]));
    assert_eq!(alone.code, 2, "{alone:?}");
}
