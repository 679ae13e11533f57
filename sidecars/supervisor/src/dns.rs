//! Name look-ups inside: there is no name, and that is said at once. Without an answer a program waits five seconds and more before
//! it fails (resolv.conf(5)), and musl takes a refusal for none. Names are resolved by the host, which gets them through the proxy.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::listen;

/// Where the sandbox's resolv.conf points.
pub const PORT: u16 = 53;
/// The longest query that is read, in bytes. Of a longer one over UDP the beginning is read, over TCP it ends the connection.
pub const QUERY: usize = 4096;
/// Connections at once over TCP. One more waits.
pub const CONNECTIONS: usize = 16;
/// How long one of them may last.
pub const CONNECTION: Duration = Duration::from_secs(5);

/// How long nothing is read after an error of the socket.
const RETRY: Duration = Duration::from_millis(100);
/// A header (RFC 1035 section 4.1.1).
const HEADER: usize = 12;
/// The longest name, in bytes as it is sent (RFC 1035 section 2.3.4).
const NAME: usize = 255;
/// The longest label of one.
const LABEL: u8 = 63;
/// "The domain name referenced in the query does not exist."
const NO_SUCH_NAME: u8 = 3;

/// A resolver that knows no name. Dropping it closes its port.
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Dns {
    /// Where it listens, over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Listens on 127.0.0.1, port [`PORT`]. `None` where this process may not, or where somebody does already: look-ups then fail
/// in whatever way they do. Needs a tokio runtime.
///
/// # Errors
///
/// Any other error of the sockets.
pub fn start() -> io::Result<Option<Dns>> {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
    match listen(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))) {
        Err(error) if matches!(error.kind(), PermissionDenied | AddrInUse | AddrNotAvailable) => Ok(None),
        listening => listening.map(Some),
    }
}

/// Listens there, over UDP and TCP; on a free port for port 0. Needs a tokio runtime.
///
/// # Errors
///
/// The port is taken or may not be listened on.
pub fn listen(address: SocketAddr) -> io::Result<Dns> {
    let connections = listen::on(address)?;
    let address = connections.local_addr()?;
    let datagrams = std::net::UdpSocket::bind(address)?;
    datagrams.set_nonblocking(true)?;
    let datagrams = UdpSocket::from_std(datagrams)?;
    let mut serving = JoinSet::new();
    serving.spawn(over_udp(datagrams));
    serving.spawn(over_tcp(connections));
    Ok(Dns { address, _serving: serving })
}

async fn over_udp(socket: UdpSocket) {
    let mut query = vec![0; QUERY];
    loop {
        match socket.recv_from(&mut query).await {
            Ok((length, from)) => {
                if let Some(answer) = answer(&query[..length]) {
                    // A client that does not take it asks again.
                    let _ = socket.try_send_to(&answer, from);
                }
            }
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

async fn over_tcp(listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    listen::accept(listener, places, async |mut client| {
        // Whether it worked changes nothing.
        let _ = timeout(CONNECTION, queries(&mut client)).await;
    })
    .await;
}

/// One query after the other, each behind its length (RFC 7766 section 8), until one is none.
async fn queries(client: &mut TcpStream) -> io::Result<()> {
    loop {
        let length = usize::from(client.read_u16().await?);
        if length > QUERY {
            return Ok(());
        }
        let mut query = vec![0; length];
        client.read_exact(&mut query).await?;
        let Some(answer) = answer(&query) else { return Ok(()) };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        client.write_all(&[&length.to_be_bytes()[..], &answer].concat()).await?;
    }
}

/// That there is no such name, with the id and the one question of a query and never longer than it; `None` for what is no
/// query.
pub fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let [id_high, id_low, flags, _, 0, 1, ..] = query else { return None };
    let is_response = flags & 0x80 != 0;
    let question = question(query.get(HEADER..)?)?;
    if is_response {
        return None;
    }
    // A response with the same opcode, the same wish for recursion, and one question.
    let header = [*id_high, *id_low, 0x80 | (flags & 0x79), NO_SUCH_NAME, 0, 1, 0, 0, 0, 0, 0, 0];
    Some([&header[..], question].concat())
}

/// The first question: a name without pointers, then its type and class (RFC 1035 section 4.1.2).
fn question(bytes: &[u8]) -> Option<&[u8]> {
    let mut end = 0;
    loop {
        let label = *bytes.get(end)?;
        if label > LABEL {
            return None;
        }
        end += 1 + usize::from(label);
        if end > NAME {
            return None;
        }
        if label == 0 {
            return bytes.get(..end + 4);
        }
    }
}
