//! What leaves a sandbox: nothing, or what `session.http` lets through.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use packhost_tests::host::Setup;
use serde_json::json;

use crate::{answer, connect, host, shell, text};

/// Loopback that no client leaves out of its proxy by itself.
const ADDRESS: &str = "127.0.0.2";

/// A server that answers every request with its first line, and the header `authorization` where there is one.
fn server() -> SocketAddr {
    let listener = TcpListener::bind((ADDRESS, 0)).expect("loopback has many addresses");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut piece = [0; 4096];
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(count @ 1..) => head.extend_from_slice(&piece[..count]),
                    _ => break,
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let first = head.lines().next().unwrap_or_default();
            let authorization =
                head.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization:"));
            let body = format!("{first}\n{}\n", authorization.unwrap_or("no credentials"));
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

fn fetch(url: &str) -> String {
    format!(
        "import urllib.request, urllib.error\ntry:\n    print(urllib.request.urlopen('{url}', timeout=20).read().decode())\nexcept urllib.error.HTTPError as error:\n    print(error.code, error.read().decode())\nexcept Exception as error:\n    print('failed:', error)"
    )
}

#[test]
fn a_sandbox_has_no_network() {
    let setup = host();
    let mut rpc = connect(&setup);
    let there = server();
    let code = format!(
        "import socket\nfor address in [('{}', {}), ('1.1.1.1', 443), ('169.254.169.254', 80)]:\n    try:\n        socket.create_connection(address, timeout=5); print('connected', address)\n    except OSError as error: print('no')\ntry:\n    socket.getaddrinfo('example.com', 80); print('resolved')\nexcept OSError: print('no name')\nprint([name for _, name in socket.if_nameindex()])",
        there.ip(),
        there.port()
    );
    let seen = answer(rpc.call("python_run", json!({ "code": code })));
    assert_eq!(text(&seen, "stdout"), "no\nno\nno\nno name\n['lo']\n", "{seen}");
}

#[test]
fn without_a_rule_the_proxy_lets_nothing_through_and_says_so() {
    let setup = host();
    let mut rpc = connect(&setup);
    let seen = answer(rpc.call("python_run", json!({ "code": fetch(&format!("http://{}/", server())) })));
    let stdout = text(&seen, "stdout");
    assert!(stdout.starts_with("403 ") && stdout.contains("egress_denied"), "{stdout}");
}

#[test]
fn what_a_rule_of_the_session_allows_leaves_and_nothing_else_does() {
    let there = server();
    let setup = Setup::new().policy(&format!(
        r#"
version: 1
packs:
  python.run:
    session:
      on: [process]
      files: {{ read_write: [/sandbox, /tmp], read_only: [/usr, /lib, /lib64, /bin, /etc/ssl, /etc/alternatives] }}
      http:
        - {{ host: "{ADDRESS}", scheme: http, ports: [{}], methods: [GET], paths: ["/open/*"], addresses: ["{ADDRESS}/32"] }}
    workspace: true
    limits: {{ time: 60s }}
"#,
        there.port()
    ));
    let mut rpc = connect(&setup);
    let mut get = |path: &str| {
        let code = fetch(&format!("http://{there}{path}"));
        text(&answer(rpc.call("python_run", json!({ "code": code }))), "stdout").to_owned()
    };
    assert!(get("/open/a").starts_with("GET /open/a HTTP/1.1\nno credentials"), "{}", get("/open/a"));
    let denied = get("/closed");
    assert!(denied.starts_with("403 ") && denied.contains("egress_denied"), "{denied}");
}

#[test]
fn the_proxy_is_in_the_environment_of_every_program() {
    let setup = host();
    let mut rpc = connect(&setup);
    let seen = shell(&mut rpc, "echo $HTTPS_PROXY $http_proxy $ALL_PROXY; echo $HOME");
    let stdout = text(&seen, "stdout");
    assert_eq!(
        stdout, "http://127.0.0.1:3128 http://127.0.0.1:3128 socks5h://127.0.0.1:3128\n/sandbox\n",
        "{stdout}"
    );
}
