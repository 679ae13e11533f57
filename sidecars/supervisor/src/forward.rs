//! Connections from the host to something that listens inside the sandbox.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use packhost_session_protocol::message::{Fault, Forward, ForwardTarget, Forwarded, Refusal};
use packhost_session_protocol::{Frames, Stream};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::pass;

/// How long a connection may take. Loopback answers at once, unless nobody accepts there.
pub const CONNECT: Duration = Duration::from_secs(10);
/// The longest path of a Unix socket, in bytes: what fits into `sun_path` with a zero behind it (unix(7)).
pub const LONGEST_PATH: usize = 107;

/// As whom Unix sockets are connected to, where the supervisor may be another: what hosts call `SANDBOX_USER`.
const PROGRAMS: u32 = 1000;

/// Connects, says [`Forwarded`], and passes bytes both ways until both have ended.
///
/// A TCP port is looked for on 127.0.0.1, then on `::1`. A Unix socket is connected to by its absolute path, with the rights
/// of the programs' user; abstract sockets (unix(7)) cannot be named.
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
    UnixStream::from_std(connect(path)?)
}

/// Connects without waiting: one with a full queue is [`io::ErrorKind::WouldBlock`].
fn connect(path: &std::path::Path) -> io::Result<std::os::unix::net::UnixStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let address = SocketAddrUnix::new(path)?;
    let connected = as_programs(|| rustix::net::connect(&socket, &address));
    connected?;
    Ok(socket.into())
}

/// Does something with files as the programs' user: a supervisor whose root has no power over files could not reach a
/// program's socket, and one that has it would reach sockets that programs must not. Where this process may not be another
/// user, it stays its own.
fn as_programs<T>(what: impl FnOnce() -> T) -> T {
    let own = (rustix::process::getegid().as_raw(), rustix::process::geteuid().as_raw());
    become_for_files((PROGRAMS, PROGRAMS));
    let done = what();
    become_for_files(own);
    done
}

/// Group and user of this thread for files (setfsuid(2)). The kernel does it or leaves it.
fn become_for_files((group, user): (u32, u32)) {
    // SAFETY: both take a number, and touch no memory.
    unsafe {
        libc::setfsgid(group);
        libc::setfsuid(user);
    }
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
