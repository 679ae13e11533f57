//! Files inside the sandbox, as its user sees them.
//!
//! Owns: serving the exchanges about files. Each is served by a worker, a forked child that puts the same walls around itself
//! as programs get and does the blocking work: the kernel decides what can be reached, and no check of a path is trusted.
//! The supervisor's side only moves frames. Refuses: deciding who may ask, and reaping: whoever owns the process reaps its
//! children (a worker is one), and nothing here waits for that.
//!
//! What is held in memory does not depend on the size of files or trees; the bounds are in [`limits`].

mod entry;
mod fresh;
mod get;
mod host;
pub mod limits;
mod list;
mod names;
mod pack;
mod path;
mod pump;
mod put;
mod remove;
mod request;
mod seen;
mod tar;
mod trouble;
mod unpack;
mod walk;
mod work;
mod worker;

pub use request::Request;
pub use unpack::{Limits, unpack};

use packhost_session_protocol::Frames;
use packhost_session_protocol::message::FileReply;
use tokio::io::{AsyncRead, AsyncWrite};

use pump::Course;
use worker::Worker;

/// Serves one exchange about files to its end. Needs a current-thread runtime, for it forks; a future that is dropped
/// calls the work off.
///
/// The host keeps its side open until it has the last message; closing it sooner calls the work off as well.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(request: Request, frames: Frames<S>) {
    let course = Course { input: request.takes_input(), one_entry: request.is_answered_by_an_entry() };
    match request.check().and_then(|()| Worker::start(request)) {
        Ok((mut worker, line)) => pump::pump(frames, &mut worker, line, course).await,
        Err(refusal) => pump::refuse(frames, FileReply::Refused(refusal), course).await,
    }
}
