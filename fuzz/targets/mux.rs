//! The byte stream under the session protocol, as either side reads what the other one sends: arbitrary bytes into the
//! multiplexer. Nothing panics, the connection comes to an end, no more comes out of it than went in, and what this side
//! keeps is bounded by what came and not by what it says.
//!
//! The first byte says which side this is, and whether it opens an exchange itself. The clock is one that jumps.

use std::time::Duration;

use packhost_session_protocol::message::Opening;
use packhost_session_protocol::{Frames, Mux, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Builder;

use crate::within_memory;

/// Longer than any wait of a connection.
const LONG: Duration = Duration::from_secs(3600);
/// What the two tasks, the buffers of both directions and of the multiplexer take, and what one byte may cost: it opens no
/// exchange, but twelve do.
const MEMORY: (usize, usize) = (4 << 20, 256);
/// What the stream holds on its way, in bytes.
const HELD: usize = 64 << 10;

pub(crate) fn fuzz(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let role = if choice & 1 == 0 { Role::Host } else { Role::Supervisor };
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    within_memory(MEMORY.0 + MEMORY.1 * bytes.len(), || {
        runtime.block_on(comes_to_an_end(bytes, role, choice & 2 != 0));
        drop(runtime);
    });
}

async fn comes_to_an_end(bytes: &[u8], role: Role, opens: bool) {
    let (ours, theirs) = tokio::io::duplex(HELD);
    let (mut from_us, mut to_us) = tokio::io::split(theirs);
    let (mux, mut incoming) = Mux::start(ours, role);
    let opening = mux.clone();
    let ours = async move {
        if opens && let Ok(stream) = opening.open().await {
            let mut frames = Frames::new(stream);
            if frames.say(&Opening::Ping).await.is_ok() {
                let _whatever = frames.next().await;
            }
        }
    };
    let theirs = async move {
        let _cut_off = to_us.write_all(bytes).await;
        let _cut_off = to_us.shutdown().await;
        let _cut_off = tokio::io::copy(&mut from_us, &mut tokio::io::sink()).await;
    };
    let taken = async move {
        let (mut exchanges, mut taken) = (0, 0);
        while let Some(mut stream) = incoming.next().await {
            exchanges += 1;
            let mut read = Vec::new();
            let _broken = stream.read_to_end(&mut read).await;
            taken += read.len();
        }
        (exchanges, taken)
    };
    let all = async { tokio::join!(ours, theirs, taken, mux.ended()) };
    let ((), (), (exchanges, taken), _why) =
        tokio::time::timeout(LONG, all).await.expect("a connection whose other side is gone ends");
    assert!(taken <= bytes.len() && exchanges <= bytes.len() / 12, "{taken} bytes in {exchanges} exchanges");
    assert!(mux.is_over());
}
