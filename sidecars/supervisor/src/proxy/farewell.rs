//! The last words to a client that is not served, sent so that they arrive.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// How long a client gets to take the last words and to stop sending.
pub const FAREWELL: Duration = Duration::from_secs(2);
/// What of a client's request is read and thrown away for that, in bytes.
pub const DRAINED: u64 = 1024 * 1024;

/// The answer to a client of HTTP while no host is connected. As the host would have it: problem details (RFC 9457), and who
/// says so (RFC 9209).
pub(super) fn no_host() -> String {
    let body = concat!(
        r#"{"type":"about:blank","title":"Service Unavailable","status":503,"#,
        r#""detail":"The sandbox is not connected to its host at the moment, so nothing can leave it.","#,
        r#""code":"session_unavailable","fix":"Try again in a few seconds; the host connects again by itself."}"#,
    );
    let length = body.len();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: application/problem+json\r\n\
         Content-Length: {length}\r\nProxy-Status: packhost; error=destination_unavailable\r\n\r\n{body}"
    )
}

/// Writes, ends this side, and reads on for a while: a connection that is closed with bytes unread is reset, and a reset may
/// overtake what was written (RFC 9112 section 9.6).
pub(super) async fn say<C: AsyncRead + AsyncWrite + Unpin>(client: &mut C, words: &[u8]) {
    let parting = async {
        client.write_all(words).await?;
        client.shutdown().await?;
        let mut rest = client.take(DRAINED);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    // Whether it worked changes nothing: the client is gone either way.
    let _ = timeout(FAREWELL, parting).await;
}
