//! The threads that run guests, apart from the ones that answer clients.

use tokio::runtime::{Builder, Handle, Runtime};

/// A tokio runtime of its own for guests. Its threads yield to the front doors: they run at a lower priority, and
/// look at timers and sockets after every few guests, because a guest may hold a thread for a whole tick.
pub(crate) struct GuestThreads(Option<Runtime>);

/// Guest threads give way to the threads that answer clients (nice value, 0 to 19).
const NICE: i32 = 5;

impl GuestThreads {
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("packhost-guest")
            .event_interval(2)
            .global_queue_interval(2)
            .on_thread_start(|| {
                if let Err(error) = rustix::process::setpriority_process(None, NICE) {
                    tracing::debug!(%error, "guest threads keep the normal priority");
                }
            })
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    pub(crate) fn handle(&self) -> &Handle {
        // Taken only in drop.
        self.0.as_ref().expect("the runtime lives as long as its owner").handle()
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A plain drop would block, which an async caller must not.
            runtime.shutdown_background();
        }
    }
}
