//! Telling clients that the list of tools has changed.

use rmcp::service::SubscriptionContext;
use rmcp::{ErrorData, Peer, RoleServer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Tells a client with a session of every new catalog, until the session has ended.
pub(crate) async fn tell_peer(
    mut generations: watch::Receiver<u64>,
    peer: Peer<RoleServer>,
    ended: CancellationToken,
) {
    while changed(&mut generations, &ended).await {
        if let Err(error) = peer.notify_tool_list_changed().await {
            tracing::debug!(%error, "a client could not be told that the tools have changed");
            return;
        }
    }
}

/// Runs one `subscriptions/listen` until the client or the server ends it.
pub(crate) async fn tell_subscriber(
    mut generations: watch::Receiver<u64>,
    subscription: SubscriptionContext,
    closing: CancellationToken,
) -> Result<(), ErrorData> {
    let told = async {
        while changed(&mut generations, &closing).await {
            if subscription.sink().notify_tool_list_changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = subscription.cancelled() => {}
        () = told => {}
    }
    Ok(())
}

/// Waits for the next catalog; false once there will be none or nobody waits.
async fn changed(generations: &mut watch::Receiver<u64>, ended: &CancellationToken) -> bool {
    tokio::select! {
        () = ended.cancelled() => false,
        changed = generations.changed() => changed.is_ok(),
    }
}
