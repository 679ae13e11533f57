//! What else is asked of a sandbox: connections in, usage, the greeting, the end.

use std::sync::Arc;

use packhost_session_protocol::message::{ForwardTarget, Usage};
use packhost_sessions::Ended;
use packhost_sessions::link::LinkError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fake::{Fake, noise, welcome};
use crate::wire::FakeRuntime;

#[tokio::test]
async fn a_connection_goes_in_and_carries_bytes_both_ways() {
    let link = FakeRuntime::new(Arc::new(Fake::default()), []).link().await.expect("a link");
    let stream = link.forward(ForwardTarget::Tcp(7)).await.expect("a connection");
    let (mut reading, mut writing) = tokio::io::split(stream);
    let sent = noise(2_000_000, 8);
    let mut received = Vec::new();
    let (written, read) = tokio::join!(
        async {
            writing.write_all(&sent).await?;
            writing.shutdown().await
        },
        reading.read_to_end(&mut received)
    );
    written.expect("written");
    read.expect("read");
    assert!(received == sent);
    let refused = link.forward(ForwardTarget::Unix(b"/run/x".to_vec().into())).await.err();
    assert!(matches!(refused, Some(LinkError::Refused(_))));
}

#[tokio::test]
async fn usage_ping_and_greeting_are_answered() {
    let link = FakeRuntime::new(Arc::new(Fake::default()), []).link().await.expect("a link");
    assert_eq!(link.welcome(), welcome());
    assert_eq!(link.usage().await, Ok(Usage { memory: 7, ..Usage::default() }));
    assert_eq!(link.ping().await, Ok(()));
    assert_eq!(link.execs().await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_supervisor_is_told_to_end() {
    let fake = Arc::new(Fake::default());
    let runtime = FakeRuntime::new(fake.clone(), []);
    let link = runtime.link().await.expect("a link");
    assert_eq!(link.shutdown().await, Ok(()));
    fake.is_shut.notified().await;
    runtime.end(Ended::Exited(0));
    assert_eq!(link.lost().await, LinkError::Ended(Ended::Exited(0)));
    assert_eq!(link.shutdown().await, Ok(()));
}
