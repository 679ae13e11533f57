//! Connections that are accepted, so many at once. One more waits until a place is free, those behind it in the kernel.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How long nothing is accepted after an error that is not the connection's own: no descriptors, no memory.
const RETRY: Duration = Duration::from_millis(100);

/// Listens at once; needs a tokio runtime.
pub(crate) fn on(address: impl Into<SocketAddr>) -> io::Result<TcpListener> {
    let listener = StdListener::bind(address.into())?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Serves each connection in a task of its own. Does not end; dropping it ends every task.
pub(crate) async fn accept<F>(
    listener: TcpListener,
    places: Arc<Semaphore>,
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut clients = JoinSet::new();
    loop {
        let client = match listener.accept().await {
            Ok((client, _)) => client,
            Err(_) => {
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        // The semaphore is never closed. A listener without a client holds no place, so that two may share them.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while clients.try_join_next().is_some() {}
        let served = serve(client);
        clients.spawn(async move {
            served.await;
            drop(place);
        });
    }
}
