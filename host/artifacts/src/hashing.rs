//! Hashing what goes by, beside the work of writing it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use object_store::PutPayload;
use packhost_core::Digest;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::error::ArtifactError;

/// Pieces that wait for their turn, so that the hash goes on while the disk makes others wait. They are in memory.
const WAITING: usize = 3;

/// The hash of what came so far. A thread works on it for as long as there is something to hash, and none while there is not:
/// hashing takes longer than all the rest, so that it must not be woken for every piece.
pub(crate) struct Hashing {
    state: Arc<State>,
    room: Arc<Semaphore>,
    /// The thread that was started last.
    work: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State(Mutex<(Queue, Hash)>);

/// Pieces, and the room that each takes.
type Queue = VecDeque<(PutPayload, Option<OwnedSemaphorePermit>)>;

/// Not there while a thread has it.
struct Hash(Option<Box<Sha256>>);

/// Of nothing.
impl Default for Hash {
    fn default() -> Self {
        Self(Some(Box::default()))
    }
}

/// Of nothing.
impl Default for Hashing {
    fn default() -> Self {
        Self { state: Arc::default(), room: Arc::new(Semaphore::new(WAITING)), work: None }
    }
}

impl Hashing {
    /// Has this hashed behind what came before. Returns when the next piece may come.
    pub(crate) async fn add(&mut self, piece: PutPayload) {
        // Nobody closes it.
        let room = Arc::clone(&self.room).acquire_owned().await.ok();
        let hash = {
            let mut state = self.state.lock();
            state.0.push_back((piece, room));
            state.1.0.take()
        };
        if let Some(hash) = hash {
            let state = Arc::clone(&self.state);
            self.work = Some(tokio::task::spawn_blocking(move || state.work(hash)));
        }
    }

    /// The hash of all that came.
    pub(crate) async fn end(self) -> Result<Digest, ArtifactError> {
        if let Some(work) = self.work {
            work.await?;
        }
        let hash = self.state.lock().1.0.take().ok_or(ArtifactError::Stopped)?;
        let bytes: [u8; 32] = hash.finalize().into();
        Ok(bytes.into())
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, (Queue, Hash)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, mut hash: Box<Sha256>) {
        loop {
            let next = {
                let mut state = self.lock();
                let next = state.0.pop_front();
                if next.is_none() {
                    state.1.0 = Some(hash);
                    return;
                }
                next
            };
            next.iter().flat_map(|(piece, _)| piece.iter()).for_each(|bytes| hash.update(bytes));
        }
    }
}
