//! From a name to its addresses, once per request.

mod encrypted;
mod line;
mod name_server;

use std::future::Future;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;

pub use encrypted::EncryptedResolver;
pub use name_server::{NameServer, NameServerError};

/// What a [`Resolve`] returns.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Turns a host name into its addresses. Asked only for names that a rule has granted, once per request, and never
/// for IP literals. A lookup runs to its end in a task of its own, also where nobody waits for it any more.
pub trait Resolve: Send + Sync {
    /// All addresses of `host`, in the order in which they should be tried. The name is as the URL parser leaves
    /// it: lower case, in ASCII (IDNA), at most 253 characters, perhaps with a trailing dot.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] or any other kind when there is no answer; both end the request.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

/// The resolver of the operating system (`getaddrinfo`, with `/etc/hosts` and whatever else is configured there).
#[derive(Debug, Clone)]
pub struct SystemResolver {
    slots: Arc<Semaphore>,
}

/// No more lookups than this at once: `getaddrinfo` cannot be cancelled and holds a thread while it runs, and name servers
/// limit what one connection may ask.
const LOOKUPS: usize = 32;

/// How many of them one call may have under way, and all calls of one pack: names that hang leave the others of this host theirs.
/// A lookup outlives its call, so that the share of a call alone would not do.
pub(crate) const SHARE: usize = 4;
pub(crate) const SHARE_OF_PACK: usize = 8;

/// Resolves a name with a place in the shares of a call and its pack. Who stops waiting does not end a lookup, so that its places
/// are free only when it has ended.
pub(crate) async fn within_share(
    [call, pack]: [Arc<Semaphore>; 2],
    resolver: Arc<dyn Resolve>,
    host: String,
) -> io::Result<Vec<IpAddr>> {
    let of_call = call.acquire_owned().await.map_err(io::Error::other)?;
    let of_pack = pack.acquire_owned().await.map_err(io::Error::other)?;
    let lookup = tokio::spawn(async move {
        let _until_answered = (of_call, of_pack);
        resolver.resolve(&host).await
    });
    lookup.await.map_err(io::Error::other)?
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { slots: Arc::new(Semaphore::new(LOOKUPS)) }
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let slot = self.slots.clone().acquire_owned().await.map_err(io::Error::other)?;
            let host = host.to_owned();
            tokio::task::spawn_blocking(move || {
                let _until_answered = slot;
                Ok((host.as_str(), 0).to_socket_addrs()?.map(|address| address.ip()).collect())
            })
            .await
            .map_err(io::Error::other)?
        })
    }
}
