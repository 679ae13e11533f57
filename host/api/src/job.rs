//! One call while it runs, and what came of it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use packhost_core::{Caller, Identity, PackName, RunId};
use packhost_engine::{Call, Client, Door, Level, LogLine, Peer, Progress, Question, Reply as Answered};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::reply::Reply;

/// How much a call may have said that its caller has not read; what comes after is dropped, since a guest waits for nobody.
const QUEUE: usize = 256;

/// What a call says before it ends.
pub(crate) enum Said {
    Progress(Progress),
    Log(LogLine),
}

/// One call.
pub(crate) struct Job {
    pub(crate) run: RunId,
    pub(crate) caller: Caller,
    /// The pack, by the name that was called.
    pub(crate) pack: String,
    /// The pack by its own name; none where its caller may not call it.
    callable: Option<PackName>,
    /// When it was accepted, in milliseconds since 1970.
    pub(crate) since_ms: u64,
    peer: Peer,
    /// Ends it.
    pub(crate) stop: CancellationToken,
    progress: Mutex<Option<Progress>>,
    reply: OnceLock<(Instant, Arc<Reply>)>,
    ended: Notify,
}

impl Job {
    pub(crate) fn new(caller: Caller, pack: String, callable: Option<PackName>, peer: Peer) -> Arc<Self> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Arc::new(Self {
            run: RunId::fresh(),
            caller,
            pack,
            callable,
            since_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            peer,
            stop: CancellationToken::new(),
            progress: Mutex::default(),
            reply: OnceLock::new(),
            ended: Notify::new(),
        })
    }

    /// Whether it is there for this one: the same caller, with a proof that lets it make such a call. One caller may have several.
    pub(crate) fn is_for(&self, identity: &Identity) -> bool {
        let may_call = self.callable.as_ref().is_some_and(|pack| identity.scopes.may_call(pack));
        self.caller == identity.caller && may_call
    }

    /// Lets it run, on a task of its own. What it says comes out of the receiver until it has ended, or is lost with it.
    pub(crate) fn start(self: &Arc<Self>, api: &Api, identity: Identity, input: Value) -> Receiver<Said> {
        let (feed, said) = channel(QUEUE);
        let call = Call {
            run: self.run,
            identity,
            door: Door::Api,
            peer: self.peer.clone(),
            pack: self.pack.clone(),
            input,
            client: Arc::new(Listener { job: Arc::clone(self), feed }),
        };
        let (job, tasks, api) = (Arc::clone(self), api.tasks().clone(), api.clone());
        tasks.spawn(async move {
            let reply = tokio::select! {
                biased;
                () = job.stop.cancelled() => Reply::cancelled(job.run),
                outcome = api.engine().dispatch(call) => Reply::of(outcome),
            };
            job.end(api.kept().fitting(&job, reply));
            api.kept().ended(&job);
        });
        said
    }

    pub(crate) fn end(&self, reply: Reply) {
        // There is one task, which ends once.
        let _ = self.reply.set((Instant::now(), Arc::new(reply)));
        self.ended.notify_waiters();
    }

    /// What came of it, if it has ended.
    pub(crate) fn reply(&self) -> Option<Arc<Reply>> {
        self.reply.get().map(|(_, reply)| Arc::clone(reply))
    }

    /// When it ended, if it has.
    pub(crate) fn ended_at(&self) -> Option<Instant> {
        self.reply.get().map(|(at, _)| *at)
    }

    /// What is kept of it, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.reply.get().map_or(0, |(_, reply)| reply.body.len())
    }

    /// Waits for its end.
    pub(crate) async fn answered(&self) -> Arc<Reply> {
        loop {
            let ended = self.ended.notified();
            if let Some(reply) = self.reply() {
                return reply;
            }
            ended.await;
        }
    }

    /// What it last said of its progress.
    pub(crate) fn progress(&self) -> Option<Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The engine's way to whoever made the call: nobody who could be asked.
struct Listener {
    job: Arc<Job>,
    feed: Sender<Said>,
}

impl Listener {
    fn say(&self, said: Said) {
        // Full or closed: dropped.
        let _ = self.feed.try_send(said);
    }
}

#[async_trait]
impl Client for Listener {
    fn progress(&self, progress: Progress) {
        *self.job.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress.clone());
        self.say(Said::Progress(progress));
    }

    fn log(&self, line: LogLine) {
        if line.level >= Level::Info {
            self.say(Said::Log(line));
        }
    }

    async fn ask(&self, _: Question) -> Answered {
        Answered::Unsupported
    }
}
