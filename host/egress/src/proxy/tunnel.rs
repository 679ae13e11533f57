//! Tunnels: the rules see host and port, the ClientHello has to name that host, and then bytes go both ways and are charged.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::timeout;

use super::hello::{Hello, NoHello};
use crate::call::CallEgress;
use crate::connect::Connecting;
use crate::contact::Decision;
use crate::error::{EgressError, Wait};
use crate::pool::Place;
use crate::rules::Verdict;
use crate::send::Egress;
use crate::target::Target;
use crate::transfer::Transfer;

/// What is read at once, in bytes.
const PIECE: usize = 16 << 10;

/// The alert `unrecognized_name`, fatal, as a record of its own (RFC 8446 section 6).
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// A tunnel that is connected and through which nothing has gone.
pub(super) struct Tunnel {
    client: OnUpgrade,
    server: TcpStream,
    target: Target,
    transfer: Arc<Transfer>,
    held: Held,
}

/// What a tunnel takes up for as long as it is open: a place among the open requests of its call, and one among the
/// connections of its pack.
type Held = (OwnedSemaphorePermit, Place);

impl Tunnel {
    /// Asks the rules, resolves, checks and connects. The request has been charged.
    ///
    /// # Errors
    ///
    /// As [`Egress::send`] before it sends anything.
    pub(super) async fn open(
        egress: &Egress,
        call: &CallEgress,
        target: Target,
        request: &mut Request<Incoming>,
    ) -> Result<Self, EgressError> {
        let contact = call.inner.log.begin(target.host_str(), target.port);
        let transfer = Arc::new(Transfer::new(call.inner.clone(), contact, egress.shared.settings.total));
        transfer.check()?;
        let opened = match call.inner.rules.tunnel(&target.url) {
            Verdict::Allowed { addresses, .. } => addresses,
            Verdict::Denied { message, fix } => {
                transfer.contact.decided(Decision::DeniedByRule);
                return Err(EgressError::Denied { message, fix });
            }
        };
        let (held, server) = tokio::select! {
            biased;
            error = transfer.interrupted() => return Err(error),
            connected = connect(egress, &target, &opened, &transfer) => connected?,
        };
        if let Ok(peer) = server.peer_addr() {
            transfer.contact.at(peer.ip());
        }
        let client = hyper::upgrade::on(request);
        Ok(Self { client, server, target, transfer, held })
    }

    /// Serves the tunnel to its end. `hello` is the time until there is a ClientHello, `idle` the time in which neither side
    /// says anything.
    pub(super) async fn run(self, hello: Duration, idle: Duration) -> Result<(), EgressError> {
        let Self { client, mut server, target, transfer, held } = self;
        let _while_open = held;
        let passing = async {
            let client = client.await.map_err(|error| broken(&error))?;
            let mut client = TokioIo::new(client);
            let hello = greeting(&mut client, &target, hello).await;
            if let Err(EgressError::Denied { .. }) = hello {
                transfer.contact.decided(Decision::DeniedByRule);
            }
            match hello? {
                Some(hello) => {
                    transfer.contact.decided(Decision::Allowed);
                    pass(client, &mut server, hello, &transfer, idle).await
                }
                None => Ok(()),
            }
        };
        tokio::select! {
            biased;
            error = transfer.interrupted() => Err(error),
            passed = passing => passed.map_err(|error| transfer.fail(error)),
        }
    }
}

/// A connection to an address that was checked, and what it takes up.
async fn connect(
    egress: &Egress,
    target: &Target,
    opened: &[IpNet],
    transfer: &Transfer,
) -> Result<(Held, TcpStream), EgressError> {
    let connecting = Connecting::new(egress.shared.settings.connect);
    let slot = transfer.call.budget.open.clone().acquire_owned();
    let slot = connecting.within(Wait::Connect, slot).await?.map_err(|_| EgressError::Cancelled)?;
    let addresses = egress.addresses(target, opened, transfer, &connecting).await?;
    let place = connecting.within(Wait::Connect, transfer.call.account.pool.place()).await?;
    let server = connecting.tcp(&addresses, target).await;
    // Whether the tunnel is allowed is decided by its ClientHello, unless it cannot come to that.
    let server = server.inspect_err(|_| transfer.contact.decided(Decision::Allowed))?;
    Ok(((slot, place), server))
}

/// Waits for the ClientHello and holds it against the host; `None` where the client closed instead of sending one.
pub(super) async fn greeting<S>(
    client: &mut S,
    target: &Target,
    limit: Duration,
) -> Result<Option<Hello>, EgressError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let read = timeout(limit, Hello::read(client)).await;
    let read = read.map_err(|_| EgressError::Timeout { wait: Wait::Hello, limit })?;
    let fitting = read.and_then(|hello| match hello {
        Some(hello) => hello.fits(&target.host).map(|()| Some(hello)),
        None => Ok(None),
    });
    match fitting {
        Ok(hello) => Ok(hello),
        Err(why) => {
            if why.is_about_name() {
                let _gone = client.write_all(&UNRECOGNIZED_NAME).await;
            }
            let _gone = client.shutdown().await;
            Err(denied(target, &why))
        }
    }
}

fn denied(target: &Target, why: &NoHello) -> EgressError {
    EgressError::Denied {
        message: format!(
            "the tunnel to {} was closed before anything was passed on: {why}",
            target.host_str()
        ),
        fix: "Speak TLS in the tunnel, with the host of the CONNECT as its server name.".to_owned(),
    }
}

/// Passes on the hello and whatever follows, until both sides have ended.
async fn pass<S>(
    client: S,
    server: &mut TcpStream,
    hello: Hello,
    transfer: &Transfer,
    idle: Duration,
) -> Result<(), EgressError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let alive = Notify::new();
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        let sent = |bytes| transfer.sent(bytes);
        sent(hello.bytes.len() as u64)?;
        to_server.write_all(&hello.bytes).await.map_err(|error| broken(&error))?;
        pump(&mut from_client, &mut to_server, &alive, sent).await
    };
    let down = pump(&mut from_server, &mut to_client, &alive, |bytes| transfer.received(bytes));
    tokio::select! {
        biased;
        passed = async { tokio::try_join!(up, down) } => passed.map(drop),
        () = silence(&alive, idle) => Err(EgressError::Timeout { wait: Wait::Tunnel, limit: idle }),
    }
}

/// One direction, to its end. Each piece is charged before it is passed on.
async fn pump<R, W>(
    from: &mut R,
    to: &mut W,
    alive: &Notify,
    charge: impl Fn(u64) -> Result<(), EgressError>,
) -> Result<(), EgressError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece).await.map_err(|error| broken(&error))?;
        if read == 0 {
            let _gone = to.shutdown().await;
            return Ok(());
        }
        charge(read as u64)?;
        let passed: io::Result<()> = async {
            to.write_all(&piece[..read]).await?;
            to.flush().await
        }
        .await;
        passed.map_err(|error| broken(&error))?;
        alive.notify_one();
    }
}

/// Ends once nothing has happened for as long as this.
async fn silence(alive: &Notify, limit: Duration) {
    while timeout(limit, alive.notified()).await.is_ok() {}
}

fn broken(error: &impl std::fmt::Display) -> EgressError {
    tracing::debug!(%error, "a tunnel ended with an error");
    EgressError::Protocol("the connection of the tunnel broke")
}
