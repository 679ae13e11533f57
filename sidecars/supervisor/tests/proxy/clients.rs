//! A program that many sandboxes have, where this machine has it as well.

use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt;

use crate::support::{Sandbox, alone, head};

/// Runs curl through a proxy; `None` where there is no curl.
async fn curl(option: &str, port: u16, url: &str) -> Option<Output> {
    let proxy = format!("127.0.0.1:{port}");
    let mut command = tokio::process::Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "60", "--noproxy", "", option, &proxy, url]);
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    match command.output().await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        output => Some(output.expect("curl runs")),
    }
}

/// The same, with a host that answers each request in turn with the next of these; what it was asked, and what curl wrote.
async fn through(option: &str, url: &str, answers: &[&str]) -> Option<(Vec<String>, String)> {
    let mut sandbox = Sandbox::new();
    let port = sandbox.proxy.port();
    let host = async {
        let mut exchange = sandbox.taken().await;
        let mut asked = Vec::new();
        for answer in answers {
            asked.push(head(&mut exchange).await);
            exchange.write_all(answer.as_bytes()).await.expect("curl reads");
        }
        (asked, exchange)
    };
    tokio::pin!(host);
    let curl = curl(option, port, url);
    tokio::pin!(curl);
    let (asked, _exchange) = tokio::select! {
        asked = &mut host => asked,
        output = &mut curl => {
            assert!(output.is_none(), "{output:?}");
            return None;
        }
    };
    let output = curl.await?;
    assert!(output.status.success(), "{output:?}");
    Some((asked, String::from_utf8(output.stdout).expect("text")))
}

const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

#[tokio::test]
async fn curl_gets_a_page_through_the_http_proxy() {
    let url = "http://no-such-name.test/page";
    let Some((asked, page)) = through("--proxy", url, &[PAGE]).await else { return };
    assert!(asked[0].starts_with("GET http://no-such-name.test/page HTTP/1.1\r\n"), "{asked:?}");
    assert_eq!(page, "hello");
}

#[tokio::test]
async fn curl_gets_a_page_over_socks_with_a_name_that_only_the_host_knows() {
    let url = "http://no-such-name.test:8080/page";
    let answers = ["HTTP/1.1 200 OK\r\n\r\n", PAGE];
    let Some((asked, page)) = through("--socks5-hostname", url, &answers).await else { return };
    assert!(asked[0].starts_with("CONNECT no-such-name.test:8080 HTTP/1.1\r\n"), "{asked:?}");
    assert!(asked[1].starts_with("GET /page HTTP/1.1\r\n"), "{asked:?}");
    assert_eq!(page, "hello");
}

#[tokio::test]
async fn curl_says_why_it_gets_nothing_without_a_host() {
    let (proxy, _route) = alone();
    let Some(output) = curl("--proxy", proxy.port(), "http://example.test/").await else { return };
    assert!(String::from_utf8_lossy(&output.stdout).contains("not connected to its host"), "{output:?}");
    let output =
        curl("--socks5-hostname", proxy.port(), "http://example.test/").await.expect("curl is there");
    assert!(!output.status.success(), "{output:?}");
}
