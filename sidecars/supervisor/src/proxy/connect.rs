//! A SOCKS request as the host takes it: a `CONNECT` (RFC 9110 section 9.3.6), and its answer as a reply.

use std::time::Duration;

use packhost_session_protocol::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::socks::{Destination, Reply};

/// How long the host may take to connect or to refuse. Longer than the host's own limit, which is the one that counts.
pub const ANSWER: Duration = Duration::from_secs(120);
/// The largest head of the host's answer, in bytes.
pub const ANSWER_HEAD: usize = 16 * 1024;
/// The most header fields in it.
const FIELDS: usize = 64;

/// Asks for a connection; the exchange that is one, with the bytes that came behind the answer.
///
/// # Errors
///
/// What the client is to be told.
pub(super) async fn ask(mut exchange: Stream, to: &Destination) -> Result<(Stream, Vec<u8>), Reply> {
    match timeout(ANSWER, answer(&mut exchange, to)).await {
        Ok(Ok(behind)) => Ok((exchange, behind)),
        Ok(Err(reply)) => Err(reply),
        Err(_) => Err(Reply::Expired),
    }
}

async fn answer<S>(exchange: &mut S, to: &Destination) -> Result<Vec<u8>, Reply>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n");
    let sent = async {
        exchange.write_all(request.as_bytes()).await?;
        exchange.flush().await
    };
    sent.await.map_err(|_| Reply::Failure)?;
    let mut bytes = Vec::with_capacity(512);
    loop {
        let room = ANSWER_HEAD.saturating_sub(bytes.len()) as u64;
        match (&mut *exchange).take(room).read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return Err(Reply::Failure),
            Ok(_) => {}
        }
        if let Some(length) = head(&bytes)? {
            return Ok(bytes.split_off(length));
        }
    }
}

/// The length of the answer's head, once it is whole and a yes.
fn head(bytes: &[u8]) -> Result<Option<usize>, Reply> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut answer = httparse::Response::new(&mut fields);
    let Ok(parsed) = answer.parse(bytes) else { return Err(Reply::Failure) };
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    match answer.code {
        Some(200..=299) => Ok(Some(length)),
        code => Err(reply(code.unwrap_or_default(), answer.headers)),
    }
}

/// The host says more than SOCKS has words for: the status, and in `Proxy-Status` the type of error (RFC 9209 section 2.3).
fn reply(status: u16, fields: &[httparse::Header<'_>]) -> Reply {
    let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case("proxy-status"));
    let error = field
        .and_then(|field| std::str::from_utf8(field.value).ok())
        .and_then(|value| value.split(';').find_map(|part| part.trim().strip_prefix("error=")));
    match (status, error.unwrap_or_default()) {
        (403, _) => Reply::NotAllowed,
        (_, "dns_error" | "dns_timeout") => Reply::HostUnreachable,
        (_, "destination_unavailable") => Reply::Refused,
        (504, _) => Reply::Expired,
        _ => Reply::Failure,
    }
}
