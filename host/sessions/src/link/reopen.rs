//! Keeps one connection open: opens it again whenever it breaks, until the sandbox has ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::connection::Connection;
use super::error::{LinkError, Trouble};
use super::settings::{LinkSettings, Setup};

/// The connection of a link, whichever it is at the moment. When it is dropped, the connection ends.
pub(super) struct Line {
    pub(super) settings: LinkSettings,
    state: watch::Receiver<State>,
    _keeper: AbortOnDropHandle<()>,
}

enum State {
    Open(Arc<Connection>),
    /// Broken or not yet open since then; why the last attempt came to nothing.
    Closed {
        since: Instant,
        why: String,
    },
    Lost(LinkError),
}

/// The pauses between two attempts: the first, doubled after each, up to the last.
pub(super) const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// The next pause after this one.
pub(super) fn longer(pause: Duration) -> Duration {
    (pause * 2).min(PAUSES.1)
}

/// A connection that held for this long is opened again at once.
const STEADY: Duration = Duration::from_secs(1);

impl Line {
    pub(super) fn start(setup: Setup) -> Self {
        let settings = setup.settings;
        let closed = State::Closed { since: Instant::now(), why: "it was not opened yet".into() };
        let (sender, state) = watch::channel(closed);
        let _keeper = AbortOnDropHandle::new(tokio::spawn(keep(setup, sender)));
        Self { settings, state, _keeper }
    }

    /// The connection, waited for while it is being opened again. Cancel-safe.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, LinkError> {
        let mut state = self.state.clone();
        loop {
            let (since, why) = match &*state.borrow_and_update() {
                State::Open(connection) if !connection.is_over() => return Ok(Arc::clone(connection)),
                // The keeper is about to see it.
                State::Open(_) => (Instant::now(), "it was closed".to_owned()),
                State::Closed { since, why } => (*since, why.clone()),
                State::Lost(error) => return Err(error.clone()),
            };
            match timeout_at(since + self.settings.reopen_for, state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(LinkError::Broken(why)),
            }
        }
    }

    /// Waits until the sandbox has ended, or speaks what this host does not.
    pub(super) async fn lost(&self) -> LinkError {
        let mut state = self.state.clone();
        match state.wait_for(|state| matches!(state, State::Lost(_))).await.as_deref() {
            Ok(State::Lost(error)) => error.clone(),
            _ => LinkError::Broken("its keeper is gone".into()),
        }
    }
}

async fn keep(setup: Setup, state: watch::Sender<State>) {
    let mut since = Instant::now();
    let mut pause = PAUSES.0;
    loop {
        match Connection::open(&setup).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                let opened = Instant::now();
                state.send_replace(State::Open(Arc::clone(&connection)));
                let why = connection.over().await;
                tracing::debug!(sandbox = %setup.id, why, "the connection to a supervisor broke");
                since = Instant::now();
                state.send_replace(State::Closed { since, why });
                if opened.elapsed() >= STEADY {
                    pause = PAUSES.0;
                    continue;
                }
            }
            Err(Trouble::Broke(why)) => {
                state.send_replace(State::Closed { since, why });
            }
            Err(Trouble::Over(error)) => {
                tracing::debug!(sandbox = %setup.id, %error, "a supervisor is lost");
                state.send_replace(State::Lost(error));
                return;
            }
        }
        sleep(pause).await;
        pause = longer(pause);
    }
}
