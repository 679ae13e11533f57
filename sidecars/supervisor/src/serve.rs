//! Listens, welcomes hosts, and gives each exchange that they open to what serves it.

use std::convert::Infallible;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use packhost_session_protocol::message::{Fault, Hello, Opening, Pong, Refusal, Usage, Welcome};
use packhost_session_protocol::{FrameError, Frames, Incoming, Mux, Role, Stream, limits};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::spawn_local;

use crate::options::{Listen, Serve};
use crate::proxy::Proxy;
use crate::state::Supervisor;
use crate::{ORPHANED, descriptor, dns, exec, files, forward, net, own, peer, signals, tree, usage};

/// How long a host may take to say [`Hello`].
const GREETING: Duration = Duration::from_secs(10);
/// How long a connection that was not welcomed stays open, for the host to read why.
const REFUSED: Duration = Duration::from_secs(1);
/// How long is waited before the next try where no connection can be taken, mostly for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// How much of the orderly end may take: the last answers to hosts.
const FAREWELL: Duration = Duration::from_millis(200);

/// Serves until it is told to end. Gives the exit code.
pub(crate) fn run(options: Serve) -> io::Result<u8> {
    let inherited = match options.listen {
        Listen::Descriptor(fd) => Some(fd),
        Listen::Path(_) => None,
    };
    own::settle(inherited)?;
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_io().enable_time().build_local(LocalOptions::default())?;
    let code = runtime.block_on(async {
        let listener = UnixListener::from_std(listen(&options.listen)?)?;
        let (egress, route) = watch::channel(None);
        let proxy = options.proxy_port.map(|port| proxy(port, route)).transpose()?;
        let _dns = options.proxy_port.map(|_| dns::start()).transpose()?;
        let port = proxy.as_ref().map(Proxy::port);
        let supervisor = Rc::new(Supervisor::new(port, egress, options.orphaned_after));
        let signals = signals::descriptor(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT])?;
        let signals = descriptor::readable(signals)?;
        tokio::select! {
            code = supervisor.ending() => {
                // Whoever asked may still read that its connection is closed.
                let mut connected = supervisor.connected.subscribe();
                let _ = tokio::time::timeout(FAREWELL, connected.wait_for(|connected| *connected == 0)).await;
                Ok(code)
            }
            () = supervisor.orphaned() => Ok(ORPHANED),
            error = obey(&supervisor, &signals) => Err(error),
            never = accept(&supervisor, &listener) => match never {},
        }
    });
    if let Listen::Path(path) = &options.listen {
        let _ = std::fs::remove_file(path);
    }
    tree::end(|_, _| {})?;
    code
}

/// The one way out, on the sandbox's own loopback.
fn proxy(port: u16, route: watch::Receiver<Option<Mux>>) -> io::Result<Proxy> {
    net::loopback_up()?;
    Proxy::start(Some(port), route)
}

/// The socket that hosts connect to.
fn listen(at: &Listen) -> io::Result<StdListener> {
    let listener = match at {
        Listen::Descriptor(fd) => {
            // SAFETY: whoever started this process says that the descriptor is this socket. Nothing else here has it, and
            // one that is not open or no socket makes the first use of it an error.
            let listener = StdListener::from(unsafe { OwnedFd::from_raw_fd(*fd) });
            rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::CLOEXEC)?;
            listener
        }
        Listen::Path(path) => bind(path)?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Makes the socket, for the supervisor's own user alone. What an earlier supervisor left there is replaced.
fn bind(path: &Path) -> io::Result<StdListener> {
    if std::fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_socket()) {
        std::fs::remove_file(path)?;
    }
    let usual = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = StdListener::bind(path);
    rustix::process::umask(usual);
    listener
}

/// Reaps on SIGCHLD, ends on SIGTERM.
async fn obey(supervisor: &Supervisor, signals: &AsyncFd<OwnedFd>) -> io::Error {
    loop {
        match signals.async_io(Interest::READABLE, |fd| signals::take(fd).map_err(io::Error::from)).await {
            Ok(libc::SIGCHLD) => supervisor.reaper.reap(),
            Ok(_) => supervisor.end(0),
            Err(error) => return error,
        }
    }
}

async fn accept(supervisor: &Rc<Supervisor>, listener: &UnixListener) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                let supervisor = Rc::clone(supervisor);
                spawn_local(async move { connection(supervisor, socket).await });
            }
            Err(error) if Errno::from_io_error(&error) == Some(Errno::CONNABORTED) => {}
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// One connection, from the first word to the last.
async fn connection(supervisor: Rc<Supervisor>, socket: UnixStream) {
    let peer = socket.peer_cred().ok().and_then(|peer| peer.pid());
    if !peer::is_from_outside(peer) {
        return;
    }
    let (mux, mut incoming) = Mux::start(socket, Role::Supervisor);
    let Ok(Some(hello)) = tokio::time::timeout(GREETING, greet(&supervisor, &mut incoming)).await else {
        // The host closes it when it has read why; closed here at once, it might not.
        let _ = tokio::time::timeout(REFUSED, async { while incoming.next().await.is_some() {} }).await;
        return;
    };
    let connected = supervisor.connect();
    if let Some(after) = hello.orphaned_after_ms {
        supervisor.orphaned_after.send_replace(Some(Duration::from_millis(after)));
    }
    if hello.egress {
        connected.serve_egress(mux);
    }
    loop {
        tokio::select! {
            stream = incoming.next() => match stream {
                Some(stream) => drop(spawn_local(exchange(Rc::clone(&supervisor), stream))),
                None => return,
            },
            _ = supervisor.ending() => return,
        }
    }
}

/// The first exchange. `None` where the connection ends with it.
async fn greet(supervisor: &Supervisor, incoming: &mut Incoming) -> Option<Hello> {
    let mut frames = Frames::new(incoming.next().await?);
    let hello = match frames.message().await {
        Ok(Opening::Hello(hello)) => hello,
        Ok(_) => {
            refuse(&mut frames, Refusal::new(Fault::Malformed, "say Hello first")).await;
            return None;
        }
        Err(error) => {
            refuse(&mut frames, unreadable(&error)).await;
            return None;
        }
    };
    let welcome = Welcome {
        version: limits::VERSION,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        landlock_abi: packhost_confine::landlock_abi(),
        uptime_ms: supervisor.uptime_ms(),
        is_init: rustix::process::getpid() == rustix::process::Pid::INIT,
        proxy_port: supervisor.proxy_port,
    };
    answer(&mut frames, &welcome).await;
    (hello.version == limits::VERSION).then_some(hello)
}

/// One exchange that the host opened.
async fn exchange(supervisor: Rc<Supervisor>, stream: Stream) {
    let mut frames = Frames::new(stream);
    let opening = match frames.message().await {
        Ok(opening) => opening,
        Err(error) => return refuse(&mut frames, unreadable(&error)).await,
    };
    match opening {
        Opening::Hello(_) => {
            refuse(&mut frames, Refusal::new(Fault::Malformed, "Hello was said already")).await;
        }
        Opening::Start(start) => exec::start(&supervisor.execs, start, frames).await,
        Opening::Attach(attach) => exec::attach(&supervisor.execs, attach, frames).await,
        Opening::Execs => answer(&mut frames, &supervisor.execs.list()).await,
        Opening::Ping => answer(&mut frames, &Pong { uptime_ms: supervisor.uptime_ms() }).await,
        Opening::Shutdown => supervisor.end(0),
        Opening::Forward(target) => forward::serve(target, frames).await,
        Opening::Usage => {
            let running = supervisor.execs.list().execs.iter().filter(|exec| !exec.ended).count();
            let execs = u32::try_from(running).unwrap_or(u32::MAX);
            answer(&mut frames, &Usage { execs, ..usage::now() }).await;
        }
        opening => match files::Request::try_from(opening) {
            Ok(request) => files::serve(request, frames).await,
            Err(_) => {
                let message = "this supervisor does not serve that request";
                refuse(&mut frames, Refusal::new(Fault::Unsupported, message)).await;
            }
        },
    }
}

/// Says the one answer of an exchange and ends it.
pub(crate) async fn answer<M: minicbor::Encode<()>>(frames: &mut Frames<Stream>, message: &M) {
    // Where the host no longer listens there is nobody to tell.
    if frames.say(message).await.is_ok() {
        let _ = tokio::io::AsyncWriteExt::shutdown(frames.get_mut()).await;
    }
}

/// Says why not, and ends the exchange.
pub(crate) async fn refuse(frames: &mut Frames<Stream>, refusal: Refusal) {
    answer(frames, &refusal).await;
}

fn unreadable(error: &FrameError) -> Refusal {
    Refusal::new(Fault::Malformed, format!("the request cannot be read: {error}"))
}
