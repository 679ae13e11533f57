//! What connects, and what does not.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use packhost_session_protocol::Stream;
use packhost_session_protocol::message::{Fault, ForwardTarget};
use packhost_sessions::link::Leaves;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bench::Bench;
use crate::room::{Room, fault, python, shell, until_read};

crate::behaviours![
    a_server_inside_is_reached_by_its_port,
    a_server_inside_is_reached_by_its_socket,
    where_nothing_listens_nothing_is_reached,
    what_leaves_the_sandbox_comes_to_the_host,
    a_tunnel_that_leaves_the_sandbox_comes_to_the_host,
    much_passes_through_a_tunnel_in_both_directions_at_once,
    the_newest_connection_serves_what_leaves,
    without_anybody_to_serve_it_nothing_leaves,
    there_is_no_interface_but_loopback,
    an_address_outside_cannot_be_reached,
    the_hosts_loopback_cannot_be_reached,
    the_hosts_abstract_sockets_cannot_be_reached,
    a_name_is_not_looked_up_and_nobody_waits,
];

/// Gives back what it gets, over the listener of a script.
const ECHO: &str = "
listener.listen()
print('at', listener.getsockname()[1] if listener.family == socket.AF_INET else 0, 'ready', flush=True)
while True:
    client, _ = listener.accept()
    while data := client.recv(65536): client.sendall(data)
    client.close()
";

async fn echoes(room: &Room, target: ForwardTarget) {
    for _ in 0..3 {
        let mut stream = room.link.forward(target.clone()).await.expect("it listens");
        let sent: Vec<u8> = (0..=255_u8).cycle().take(100_000).collect();
        stream.write_all(&sent).await.expect("it reads");
        let mut back = vec![0; sent.len()];
        stream.read_exact(&mut back).await.expect("it answers");
        assert!(back == sent);
        stream.shutdown().await.expect("it is there");
        assert_eq!(stream.read(&mut back).await.expect("its end"), 0);
    }
}

async fn a_server_inside_is_reached_by_its_port(bench: &Bench) {
    let room = bench.room().await;
    let script =
        format!("import socket\nlistener = socket.socket()\nlistener.bind(('127.0.0.1', 0))\n{ECHO}");
    let mut exec = room.exec(python(&script)).await;
    let mut output = exec.stdout().expect("not taken yet");
    let said = until_read(&mut output, "ready").await;
    let port = said.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a port");
    echoes(&room, ForwardTarget::Tcp(port)).await;
}

async fn a_server_inside_is_reached_by_its_socket(bench: &Bench) {
    let room = bench.room().await;
    let script = format!(
        "import socket\nlistener = socket.socket(socket.AF_UNIX)\nlistener.bind('/sandbox/socket')\n{ECHO}"
    );
    let _running = room.ready(python(&script)).await;
    echoes(&room, ForwardTarget::Unix(b"/sandbox/socket".to_vec().into())).await;
}

async fn where_nothing_listens_nothing_is_reached(bench: &Bench) {
    let room = bench.room().await;
    room.put("/sandbox/file", b"").await;
    assert_eq!(fault(room.link.forward(ForwardTarget::Tcp(9)).await), Fault::NotFound);
    for path in ["/sandbox/none", "/sandbox/file"] {
        let target = ForwardTarget::Unix(path.as_bytes().to_vec().into());
        assert_eq!(fault(room.link.forward(target).await), Fault::NotFound, "{path}");
    }
}

/// Answers every request with `hello`, and keeps what was asked.
#[derive(Default)]
struct Answers(Mutex<Vec<String>>);

#[async_trait]
impl Leaves for Answers {
    async fn leave(&self, mut stream: Stream) {
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            asked.push(byte);
        }
        let asked = String::from_utf8_lossy(&asked).into_owned();
        let tunnel = asked.starts_with("CONNECT ");
        self.0.lock().expect("no panic holds it").push(asked);
        let answer: &[u8] = match tunnel {
            true => b"HTTP/1.1 200 OK\r\n\r\nhello",
            false => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
        };
        // Where the client has gone, nobody is there to be told.
        let _ = stream.write_all(answer).await;
        let _ = stream.shutdown().await;
    }
}

async fn serving(bench: &Bench) -> (Room, Arc<Answers>) {
    let Room { id, link } = bench.room().await;
    let answers = Arc::new(Answers::default());
    let leaves: Arc<dyn Leaves> = answers.clone();
    drop(link);
    (Room { link: bench.link_with(bench.runtime(), &id, Some(leaves)).await, id }, answers)
}

async fn what_leaves_the_sandbox_comes_to_the_host(bench: &Bench) {
    let (room, answers) = serving(bench).await;
    let script = "import urllib.request; print(urllib.request.urlopen('http://no-such-name.test/page?x=1').read().decode())";
    assert_eq!(room.says(python(script)).await, "hello\n");
    let asked = answers.0.lock().expect("no panic holds it").clone();
    assert!(
        asked.len() == 1 && asked[0].starts_with("GET http://no-such-name.test/page?x=1 HTTP/1.1\r\n"),
        "{asked:?}"
    );
}

async fn a_tunnel_that_leaves_the_sandbox_comes_to_the_host(bench: &Bench) {
    let (room, answers) = serving(bench).await;
    let script = "
import os, socket, urllib.parse
proxy = urllib.parse.urlsplit(os.environ['HTTPS_PROXY'])
tunnel = socket.create_connection((proxy.hostname, proxy.port))
tunnel.sendall(b'CONNECT example.test:443 HTTP/1.1\\r\\nHost: example.test:443\\r\\n\\r\\n')
answer = b''
while data := tunnel.recv(1000): answer += data
print(answer.decode().rpartition('\\n')[2])
";
    assert_eq!(room.says(python(script)).await, "hello\n");
    let asked = answers.0.lock().expect("no panic holds it").clone();
    assert!(asked.len() == 1 && asked[0].starts_with("CONNECT example.test:443 HTTP/1.1\r\n"), "{asked:?}");
}

/// Gives back all that it gets.
struct Mirror;

#[async_trait]
impl Leaves for Mirror {
    async fn leave(&self, stream: Stream) {
        let (mut reading, mut writing) = tokio::io::split(stream);
        // Where it breaks, the client sees it.
        let _ = tokio::io::copy(&mut reading, &mut writing).await;
        let _ = writing.shutdown().await;
    }
}

async fn much_passes_through_a_tunnel_in_both_directions_at_once(bench: &Bench) {
    let Room { id, link } = bench.room().await;
    drop(link);
    let link = bench.link_with(bench.runtime(), &id, Some(Arc::new(Mirror))).await;
    let room = Room { id, link };
    let script = "
import os, socket, threading, urllib.parse
proxy = urllib.parse.urlsplit(os.environ['HTTPS_PROXY'])
tunnel = socket.create_connection((proxy.hostname, proxy.port))
sent = b'CONNECT example.test:443 HTTP/1.1\\r\\n\\r\\n' + bytes(range(256)) * 65536
def send():
    tunnel.sendall(sent)
    tunnel.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
back = bytearray()
while data := tunnel.recv(65536): back += data
print(back == sent)
";
    assert_eq!(room.says(python(script)).await, "True\n");
}

async fn the_newest_connection_serves_what_leaves(bench: &Bench) {
    let (room, older) = serving(bench).await;
    let newer = Arc::new(Answers::default());
    let leaves: Arc<dyn Leaves> = newer.clone();
    let _link = bench.link_with(bench.runtime(), &room.id, Some(leaves)).await;
    let script = "import urllib.request; print(urllib.request.urlopen('http://a.test/').read().decode())";
    assert_eq!(room.says(python(script)).await, "hello\n");
    let asked = |answers: &Answers| answers.0.lock().expect("no panic holds it").len();
    assert_eq!((asked(&older), asked(&newer)), (0, 1));
}

async fn without_anybody_to_serve_it_nothing_leaves(bench: &Bench) {
    let room = bench.room().await;
    let script = "
import urllib.error, urllib.request
try: print(urllib.request.urlopen('http://192.0.2.1/').status)
except urllib.error.HTTPError as error: print('refused', error.code >= 500)
except OSError as error: print('refused', True)
";
    assert_eq!(room.says(python(script)).await, "refused True\n");
}

async fn there_is_no_interface_but_loopback(bench: &Bench) {
    let room = bench.room().await;
    let text = room.says(shell("cat /proc/net/dev; echo; cat /proc/net/route /proc/net/fib_trie")).await;
    let devices = text.split("\n\n").next().unwrap_or_default().lines().skip(2);
    // Kernel modules put tunnels into every network namespace, down and without an address.
    let tunnels = ["tunl", "sit", "gre", "erspan", "ip_vti", "ip6"];
    for name in devices.filter_map(|line| line.split(':').next()).map(str::trim) {
        assert!(name == "lo" || tunnels.iter().any(|prefix| name.starts_with(prefix)), "{name}");
    }
    let addresses = text.lines().filter(|line| line.contains("|--")).map(|line| line.replace("|--", ""));
    for address in addresses {
        assert!(address.trim().starts_with("127.") || address.trim() == "0.0.0.0", "{text}");
    }
}

/// Tries to connect, and says how that ended.
fn connecting(family: &str, kind: &str, address: &str) -> String {
    format!(
        "
import socket
try:
    client = socket.socket(socket.{family}, socket.{kind})
    client.settimeout(30)
    client.connect({address})
    client.send(b'x')
    print('connected')
except TimeoutError: print('waited')
except OSError as error: print('refused')
"
    )
}

async fn an_address_outside_cannot_be_reached(bench: &Bench) {
    let room = bench.room().await;
    for (family, kind, address) in [
        ("AF_INET", "SOCK_STREAM", "('192.0.2.1', 80)"),
        ("AF_INET", "SOCK_DGRAM", "('192.0.2.1', 53)"),
        ("AF_INET6", "SOCK_STREAM", "('2001:db8::1', 80)"),
        ("AF_INET", "SOCK_STREAM", "('169.254.169.254', 80)"),
    ] {
        assert_eq!(
            room.says(python(&connecting(family, kind, address))).await,
            "refused\n",
            "{address} {kind}"
        );
    }
}

async fn the_hosts_loopback_cannot_be_reached(bench: &Bench) {
    let room = bench.room().await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("('127.0.0.1', {})", listener.local_addr().expect("bound").port());
    assert_eq!(room.says(python(&connecting("AF_INET", "SOCK_STREAM", &address))).await, "refused\n");
    listener.set_nonblocking(true).expect("a socket");
    assert!(listener.accept().is_err());
}

async fn the_hosts_abstract_sockets_cannot_be_reached(bench: &Bench) {
    let room = bench.room().await;
    let name = format!("packhost-conformance-{}", room.id);
    let address = SocketAddr::from_abstract_name(&name).expect("a short name");
    let listener = UnixListener::bind_addr(&address).expect("a socket");
    let script = connecting("AF_UNIX", "SOCK_STREAM", &format!("'\\0{name}'"));
    assert_eq!(room.says(python(&script)).await, "refused\n");
    listener.set_nonblocking(true).expect("a socket");
    assert!(listener.accept().is_err());
}

/// A resolver that nobody answers waits for five seconds and asks again.
async fn a_name_is_not_looked_up_and_nobody_waits(bench: &Bench) {
    let room = bench.room().await;
    let script = "
import socket, time
started = time.monotonic()
try: print(socket.getaddrinfo('example.com', 80))
except socket.gaierror: print('not found', time.monotonic() - started < 4)
";
    assert_eq!(room.says(python(script)).await, "not found True\n");
}
