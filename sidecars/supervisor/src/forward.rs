//! Connections from the host to something that listens inside the sandbox.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use packhost_session_protocol::message::{Fault, Forward, ForwardTarget, Forwarded, Refusal};
use packhost_session_protocol::{Frames, Stream};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::pass;

/// How long a connection may take. Loopback answers at once, unless nobody accepts there.
pub const CONNECT: Duration = Duration::from_secs(10);
/// The longest path of a Unix socket, in bytes: what fits into `sun_path` with a zero behind it (unix(7)).
pub const LONGEST_PATH: usize = 107;

/// Connects, says [`Forwarded`], and passes bytes both ways until both have ended.
///
/// A TCP port is looked for on 127.0.0.1, then on `::1`. A Unix socket is connected to with the supervisor's own rights, by
/// its absolute path; abstract sockets (unix(7)) cannot be named.
pub async fn serve(request: Forward, frames: Frames<Stream>) {
    match request.target {
        ForwardTarget::Tcp(port) => match within(tcp(port)).await {
            Ok(mut inside) => {
                if between(&mut inside, frames).await.is_err() {
                    // Whoever listens must not take what was cut off for the end.
                    let _ = inside.set_zero_linger();
                }
            }
            Err(error) => refuse(frames, refusal(&error, &format!("port {port}"))).await,
        },
        ForwardTarget::Unix(path) => {
            let path = PathBuf::from(std::ffi::OsString::from_vec(path.into()));
            match within(unix(&path)).await {
                Ok(mut inside) => drop(between(&mut inside, frames).await),
                Err(error) => refuse(frames, refusal(&error, &path.display().to_string())).await,
            }
        }
    }
}

async fn within<T>(connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(CONNECT, connecting).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn tcp(port: u16) -> io::Result<TcpStream> {
    if port == 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let inside = match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        // What the first one says is the error, where there is no IPv6 at all.
        Err(error) => {
            TcpStream::connect(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await.map_err(|_| error)?
        }
        Ok(inside) => inside,
    };
    inside.set_nodelay(true)?;
    Ok(inside)
}

async fn unix(path: &std::path::Path) -> io::Result<UnixStream> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if !path.is_absolute() || bytes.len() > LONGEST_PATH || bytes.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    UnixStream::connect(path).await
}

async fn between<C>(inside: &mut C, mut frames: Frames<Stream>) -> io::Result<()>
where
    C: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    frames.say(&Forwarded::Connected).await.map_err(io::Error::other)?;
    pass::pass(inside, frames.into_inner()).await
}

async fn refuse(mut frames: Frames<Stream>, refusal: Refusal) {
    if frames.say(&Forwarded::Refused(refusal)).await.is_ok() {
        let _ = frames.get_mut().shutdown().await;
    }
}

fn refusal(error: &io::Error, what: &str) -> Refusal {
    let (fault, why) = match error.kind() {
        io::ErrorKind::InvalidInput => {
            let message =
                "a forward takes a port above 0, or the absolute path of a socket, at most 107 bytes long";
            return Refusal::new(Fault::Malformed, message);
        }
        io::ErrorKind::ConnectionRefused => (Fault::NotFound, "nothing listens there"),
        io::ErrorKind::NotFound => (Fault::NotFound, "there is no such socket"),
        io::ErrorKind::PermissionDenied => (Fault::Denied, "permissions forbid it"),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            (Fault::Busy, "whoever listens there takes no connection")
        }
        _ => (Fault::Failed, "the connection could not be made"),
    };
    Refusal::new(fault, format!("cannot connect to {what} in the sandbox: {why}"))
}
