//! What one supervisor knows: shared by everything that it serves, on its one thread.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use packhost_session_protocol::Mux;
use tokio::sync::watch;

use crate::exec::Execs;
use crate::reaper::Reaper;

/// What one supervisor knows.
#[derive(Debug)]
pub(crate) struct Supervisor {
    /// When it began.
    pub(crate) started: Instant,
    /// The port of the proxy on 127.0.0.1.
    pub(crate) proxy_port: Option<u16>,
    /// Its programs.
    pub(crate) execs: Rc<Execs>,
    /// Its children.
    pub(crate) reaper: Rc<Reaper>,
    /// Where what leaves the sandbox goes: the newest connection that asked to serve it.
    pub(crate) egress: watch::Sender<Option<Mux>>,
    /// How many hosts are connected.
    pub(crate) connected: watch::Sender<usize>,
    /// How long it waits without one.
    pub(crate) orphaned_after: watch::Sender<Option<Duration>>,
    /// The exit code that it is to end with.
    pub(crate) end: watch::Sender<Option<u8>>,
    connections: Cell<u64>,
    /// Which connection `egress` is.
    egress_is: Cell<u64>,
}

impl Supervisor {
    /// One that begins now.
    pub(crate) fn new(proxy_port: Option<u16>, orphaned_after: Option<Duration>) -> Self {
        let reaper = Rc::new(Reaper::default());
        Self {
            started: Instant::now(),
            proxy_port,
            execs: Execs::new(Rc::clone(&reaper), proxy_port),
            reaper,
            egress: watch::Sender::new(None),
            connected: watch::Sender::new(0),
            orphaned_after: watch::Sender::new(orphaned_after),
            end: watch::Sender::new(None),
            connections: Cell::new(0),
            egress_is: Cell::new(0),
        }
    }

    /// How long it has run, in milliseconds.
    pub(crate) fn uptime_ms(&self) -> u64 {
        milliseconds(self.started.elapsed())
    }

    /// Counts a host in, for as long as the result is there.
    pub(crate) fn connect(self: &Rc<Self>) -> Connected {
        self.connections.set(self.connections.get() + 1);
        self.connected.send_modify(|connected| *connected += 1);
        Connected { supervisor: Rc::clone(self), connection: self.connections.get() }
    }

    /// Asks it to end with this exit code. The first one counts.
    pub(crate) fn end(&self, code: u8) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert(code);
            first
        });
    }

    /// Waits until it is to end, and says with which code.
    pub(crate) async fn ending(&self) -> u8 {
        let mut end = self.end.subscribe();
        let code = end.wait_for(Option::is_some).await.ok().and_then(|code| *code);
        code.unwrap_or_default()
    }

    /// Waits until no host has been connected for as long as it waits for one.
    pub(crate) async fn orphaned(&self) {
        let (mut connected, mut patience) = (self.connected.subscribe(), self.orphaned_after.subscribe());
        loop {
            let waits = match *patience.borrow_and_update() {
                Some(after) if *connected.borrow_and_update() == 0 => Some(after),
                _ => None,
            };
            tokio::select! {
                () = async { match waits {
                    Some(after) => tokio::time::sleep(after).await,
                    None => std::future::pending().await,
                } } => return,
                _ = connected.changed() => {}
                _ = patience.changed() => {}
            }
        }
    }
}

/// A host that is connected.
#[derive(Debug)]
pub(crate) struct Connected {
    supervisor: Rc<Supervisor>,
    connection: u64,
}

impl Connected {
    /// Lets what leaves the sandbox go here from now on.
    pub(crate) fn serve_egress(&self, mux: Mux) {
        self.supervisor.egress_is.set(self.connection);
        self.supervisor.egress.send_replace(Some(mux));
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        if self.supervisor.egress_is.get() == self.connection {
            self.supervisor.egress.send_replace(None);
        }
        self.supervisor.connected.send_modify(|connected| *connected -= 1);
    }
}

/// A span in whole milliseconds.
pub(crate) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
