//! A SOCKS client, until its connection is made or refused.

use packhost_session_protocol::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::socks::{self, Destination, Reply, SocksError};
use super::{HANDSHAKE, Route, connect, farewell};

/// Reads what the client wants and asks the host for it. The exchange that leads there, after the client has been told that it
/// does; `None` after it has been told why there is none.
pub(super) async fn serve<C>(client: &mut C, route: &Route) -> Option<Stream>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let mut behind = Vec::new();
    // Whoever takes too long gets no answer.
    let to = match timeout(HANDSHAKE, request(client, &mut behind)).await.ok()? {
        Ok(to) => to,
        Err(Ended::Gone) => return None,
        Err(Ended::Refused(words)) => {
            farewell::say(client, &words).await;
            return None;
        }
    };
    let connected = match super::open(route).await {
        Some(exchange) => connect::ask(exchange, &to).await,
        None => Err(Reply::Failure),
    };
    let (mut exchange, first) = match connected {
        Ok(connected) => connected,
        Err(reply) => {
            farewell::say(client, &reply.bytes()).await;
            return None;
        }
    };
    let greeted = async {
        client.write_all(&Reply::Succeeded.bytes()).await?;
        client.write_all(&first).await?;
        exchange.write_all(&behind).await
    };
    greeted.await.ok()?;
    Some(exchange)
}

/// Why there is no request.
enum Ended {
    /// The client went away.
    Gone,
    /// It is told this.
    Refused(Vec<u8>),
}

/// The greeting, its answer, and the request. What the client has sent behind it is left in `behind`.
async fn request<C>(client: &mut C, behind: &mut Vec<u8>) -> Result<Destination, Ended>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let greeting = |bytes: &[u8]| Ok(socks::greeting(bytes)?.map(|length| ((), length)));
    let no_method = |_| Ended::Refused(socks::METHOD_REFUSED.to_vec());
    whole(client, behind, greeting).await?.map_err(no_method)?;
    client.write_all(&socks::METHOD_NONE).await.map_err(|_| Ended::Gone)?;
    let refused = |error: SocksError| Ended::Refused(error.reply().bytes().to_vec());
    whole(client, behind, socks::request).await?.map_err(refused)
}

/// Reads until there is a whole message, and takes it out of the buffer.
async fn whole<C: AsyncRead + Unpin, T>(
    client: &mut C,
    buffer: &mut Vec<u8>,
    read: impl Fn(&[u8]) -> Result<Option<(T, usize)>, SocksError>,
) -> Result<Result<T, SocksError>, Ended> {
    loop {
        match read(buffer) {
            Ok(Some((message, length))) => {
                buffer.drain(..length);
                return Ok(Ok(message));
            }
            Ok(None) => {}
            Err(error) => return Ok(Err(error)),
        }
        // A message is whole, or wrong, within so many bytes.
        let room = socks::LONGEST.saturating_sub(buffer.len()) as u64;
        match (&mut *client).take(room).read_buf(buffer).await {
            Ok(0) | Err(_) => return Err(Ended::Gone),
            Ok(_) => {}
        }
    }
}
