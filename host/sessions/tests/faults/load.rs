//! A hundred sessions at once.

use futures::StreamExt;
use packhost_sessions::Held;
use tokio::runtime::Handle;

use crate::room::shell;
use crate::soak::Use;
use crate::world::On;
use crate::{machine, need, process};

const SESSIONS: usize = 100;
/// Calls that are made side by side.
const AT_ONCE: usize = 16;
/// Bytes of memory that this process and its launcher may take for each.
const EACH: u64 = 512 << 10;
/// Bytes that they may take once, for all.
const ONCE: u64 = 24 << 20;

pub(crate) fn a_hundred_at_once(_: On) {
    Handle::current().block_on(async {
        let place = process::place();
        let runtime = place.host();
        let state = tempfile::tempdir().expect("a directory");
        let sessions = need::sessions(state.path(), runtime.clone());
        let need = need::need(runtime.backend(), place.image());
        // What is made once is made.
        drop(sessions.acquire(need.clone()).await.expect("a session"));
        sessions.drain().await;
        let before = Use::now(&*place);

        let acquire = |_| async { sessions.acquire(need.clone()).await.expect("a session") };
        let all: Vec<Held> =
            futures::stream::iter(0..SESSIONS).map(acquire).buffered(AT_ONCE).collect().await;
        assert!(all.iter().all(|held| !held.is_reused()));
        let says = |(number, held): (usize, &Held)| {
            let link = held.link().clone();
            async move {
                let exec = link.exec(shell(&format!("echo {number}"))).await.expect("it starts");
                (number, exec.output(100).await.expect("an end").stdout)
            }
        };
        let said = futures::stream::iter(all.iter().enumerate()).map(says).buffered(AT_ONCE);
        let said: Vec<_> = said.collect().await;
        assert!(said.into_iter().all(|(number, said)| said == format!("{number}\n").into_bytes()));
        assert_eq!(sessions.list().await.expect("rows").len(), SESSIONS);
        assert_eq!(runtime.list().await.expect("a list").len(), SESSIONS);
        let during = Use::now(&*place);
        let took = during.memory.saturating_sub(before.memory);
        assert!(took <= ONCE + EACH * SESSIONS as u64, "{took} bytes for {SESSIONS} sessions");

        let names: Vec<String> = all.iter().map(|held| held.id().as_str().to_owned()).collect();
        drop(all);
        sessions.drain().await;
        assert_eq!(sessions.list().await.expect("rows"), []);
        assert_eq!(place.left().await, Vec::<String>::new());
        assert_eq!(machine::traces(&names), Vec::<String>::new());
    });
}
