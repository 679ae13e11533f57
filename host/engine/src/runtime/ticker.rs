//! The clock that interrupts guests. It sleeps for good while no guest runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use super::Runtimes;

/// Ticks without a guest after which the thread parks: calls in a row should not each pay for waking it.
const IDLE_TICKS: u32 = 100;

struct Shared {
    live: AtomicUsize,
    parked: AtomicBool,
    over: AtomicBool,
}

/// Moves the epochs on while a guest runs.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
    handle: Option<JoinHandle<()>>,
}

/// While this lives, the clock ticks.
pub(crate) struct Ticking(Arc<Shared>);

impl Ticker {
    pub(crate) fn start(runtimes: Arc<Runtimes>, tick: Duration) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            live: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        let handle = std::thread::Builder::new()
            .name("packhost-tick".into())
            .spawn(move || run(&theirs, &runtimes, tick))?;
        Ok(Self { shared, thread: handle.thread().clone(), handle: Some(handle) })
    }

    /// Call before a guest runs.
    pub(crate) fn ticking(&self) -> Ticking {
        self.shared.live.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Ticking(Arc::clone(&self.shared))
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.thread.unpark();
        if let Some(handle) = self.handle.take() {
            // The thread cannot fail in a way that matters here; a panic was reported when it happened.
            let _ = handle.join();
        }
    }
}

fn run(shared: &Shared, runtimes: &Runtimes, tick: Duration) {
    let mut idle = 0;
    while !shared.over.load(Ordering::SeqCst) {
        std::thread::sleep(tick);
        runtimes.tick();
        idle = if shared.live.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        if idle < IDLE_TICKS {
            continue;
        }
        shared.parked.store(true, Ordering::SeqCst);
        while shared.live.load(Ordering::SeqCst) == 0 && !shared.over.load(Ordering::SeqCst) {
            std::thread::park();
        }
        shared.parked.store(false, Ordering::SeqCst);
        idle = 0;
    }
}
