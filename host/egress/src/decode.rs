//! Content codings (RFC 9110 section 8.4): undone where the host has to look into a response.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use async_compression::zstd::DParameter;
use bytes::Bytes;
use futures::Stream;
use http::header::{CONTENT_ENCODING, HeaderMap};
use http_body::Body;
use tokio::io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf};
use tokio_util::io::StreamReader;

use crate::body::Arriving;
use crate::error::EgressError;

/// The codings that are undone, as they are asked for.
pub(crate) const CODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];
/// How many of them may lie over one another.
const LAYERS: usize = 3;
/// The largest window of `zstd`, as a power of two in bytes: 8 MiB (RFC 9659). Decoders keep as much of what came before.
const ZSTD_WINDOW: u32 = 23;
/// How much lies between two codings that is read at once, in bytes. What comes of it may be nothing, so that there would be no
/// moment in which anybody else has a turn.
const AT_ONCE: usize = 256 << 10;
/// How a window begins that is larger than the 16 MiB of `br` (RFC 7932 section 9.1). Its decoders know it as an extension.
const LARGE_BROTLI: u8 = 0x11;

/// A coding of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// What lies over the body, in the order in which it was put on.
///
/// # Errors
/// A coding that is not known, or more of them than a server has reason for.
pub(crate) fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, EgressError> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = value.to_str().map_err(|_| EgressError::Opaque("?".into()))?;
        for word in value.split(',').map(|word| word.trim().to_ascii_lowercase()) {
            codings.push(match word.as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "deflate" => Coding::Deflate,
                "br" => Coding::Brotli,
                "zstd" => Coding::Zstd,
                // The server's word, so no more of it than a word has.
                other => {
                    return Err(EgressError::Opaque(
                        other.chars().filter(char::is_ascii_alphanumeric).take(20).collect(),
                    ));
                }
            });
        }
    }
    if codings.len() > LAYERS {
        return Err(EgressError::Protocol("the response is compressed too many times over"));
    }
    Ok(codings)
}

type Reader = Pin<Box<dyn AsyncBufRead + Send>>;

/// A body with its codings undone, read piece by piece.
pub(crate) struct Decoded {
    reader: Reader,
    trailers: Arc<Mutex<Option<HeaderMap>>>,
}

impl Decoded {
    /// `limit` is how much may lie between two codings, in bytes; what comes of the last one is the reader's to count.
    pub(crate) fn new(body: Arriving, codings: &[Coding], limit: u64) -> Self {
        let trailers = Arc::new(Mutex::new(None));
        let frames = Frames { body, trailers: trailers.clone() };
        let mut reader: Reader = Box::pin(StreamReader::new(frames));
        for (at, coding) in codings.iter().rev().enumerate() {
            if at > 0 {
                reader = Box::pin(Between { reader, left: limit, turn: 0 });
            }
            reader = match coding {
                Coding::Gzip => {
                    let mut decoder = GzipDecoder::new(reader);
                    decoder.multiple_members(true);
                    Box::pin(BufReader::new(decoder))
                }
                Coding::Deflate => Box::pin(BufReader::new(Deflated::Unknown(Some(reader)))),
                Coding::Brotli => Box::pin(BufReader::new(Brotli::Unknown(Some(reader)))),
                Coding::Zstd => {
                    let window = [DParameter::window_log_max(ZSTD_WINDOW)];
                    let mut decoder = ZstdDecoder::with_params(reader, &window);
                    decoder.multiple_members(true);
                    Box::pin(BufReader::new(decoder))
                }
            };
        }
        Self { reader, trailers }
    }

    /// The next piece; empty at the end.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let piece = Bytes::copy_from_slice(ready!(self.reader.as_mut().poll_fill_buf(cx))?);
        self.reader.as_mut().consume(piece.len());
        Poll::Ready(Ok(piece))
    }

    /// What came after the body. There once it has ended.
    pub(crate) fn trailers(&self) -> Option<HeaderMap> {
        self.trailers.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What one coding was put on and another one is under: counted, and read with pauses.
struct Between {
    reader: Reader,
    left: u64,
    /// How much was read since the last pause.
    turn: usize,
}

impl Between {
    /// What ends a body of which more lies between two codings than may.
    const TOO_LARGE: io::ErrorKind = io::ErrorKind::FileTooLarge;
}

/// Whether this is why a body could not be read on.
pub(crate) fn is_too_large(error: &io::Error) -> bool {
    error.kind() == Between::TOO_LARGE
}

impl AsyncRead for Between {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = ready!(self.as_mut().poll_fill_buf(cx))?;
        let taken = piece.len().min(into.remaining());
        into.put_slice(&piece[..taken]);
        self.consume(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Between {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.turn >= AT_ONCE {
            this.turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = ready!(this.reader.as_mut().poll_fill_buf(cx))?;
        if piece.len() as u64 > this.left {
            return Poll::Ready(Err(Self::TOO_LARGE.into()));
        }
        Poll::Ready(Ok(piece))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let this = self.get_mut();
        this.left = this.left.saturating_sub(amount as u64);
        this.turn = this.turn.saturating_add(amount);
        this.reader.as_mut().consume(amount);
    }
}

/// The data of a body; its trailers are laid aside.
struct Frames {
    body: Arriving,
    trailers: Arc<Mutex<Option<HeaderMap>>>,
}

impl Stream for Frames {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(data) => return Poll::Ready(Some(Ok(data))),
                Err(frame) => {
                    let trailers = frame.into_trailers().ok();
                    *self.trailers.lock().unwrap_or_else(PoisonError::into_inner) = trailers;
                }
            }
        }
    }
}

/// `deflate` is the zlib format (RFC 9110 section 8.4.1.2), and some servers send it bare.
enum Deflated {
    Unknown(Option<Reader>),
    Zlib(Pin<Box<ZlibDecoder<Reader>>>),
    Bare(Pin<Box<DeflateDecoder<Reader>>>),
}

impl AsyncRead for Deflated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Self::Unknown(reader) = &mut *self {
            let Some(waiting) = reader.as_mut() else { return Poll::Ready(Ok(())) };
            // The first byte of zlib says "deflate" in its lower half (RFC 1950 section 2.2); of bare deflate with such a
            // byte the first block would be of the reserved type.
            let zlib =
                ready!(waiting.as_mut().poll_fill_buf(cx))?.first().is_some_and(|byte| byte & 0x0f == 8);
            let Some(reader) = reader.take() else { return Poll::Ready(Ok(())) };
            *self = if zlib {
                Self::Zlib(Box::pin(ZlibDecoder::new(reader)))
            } else {
                Self::Bare(Box::pin(DeflateDecoder::new(reader)))
            };
        }
        match &mut *self {
            Self::Unknown(_) => Poll::Ready(Ok(())),
            Self::Zlib(decoder) => decoder.as_mut().poll_read(cx, into),
            Self::Bare(decoder) => decoder.as_mut().poll_read(cx, into),
        }
    }
}

/// `br`, once its window is known to be none of the large ones.
enum Brotli {
    Unknown(Option<Reader>),
    Known(Pin<Box<BrotliDecoder<Reader>>>),
}

impl AsyncRead for Brotli {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Self::Unknown(reader) = &mut *self {
            let Some(waiting) = reader.as_mut() else { return Poll::Ready(Ok(())) };
            if ready!(waiting.as_mut().poll_fill_buf(cx))?.first() == Some(&LARGE_BROTLI) {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            let Some(reader) = reader.take() else { return Poll::Ready(Ok(())) };
            *self = Self::Known(Box::pin(BrotliDecoder::new(reader)));
        }
        match &mut *self {
            Self::Unknown(_) => Poll::Ready(Ok(())),
            Self::Known(decoder) => decoder.as_mut().poll_read(cx, into),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn what_lies_between_two_codings_is_read_with_pauses() {
        let bytes = vec![0; AT_ONCE * 2];
        let reader: Reader = Box::pin(io::Cursor::new(bytes));
        let mut between = Box::pin(Between { reader, left: AT_ONCE as u64 * 2, turn: 0 });
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            assert!(between.as_mut().poll_fill_buf(&mut cx).is_ready());
            between.as_mut().consume(AT_ONCE);
            assert!(between.as_mut().poll_fill_buf(&mut cx).is_pending(), "somebody else has a turn");
        }
        let end = between.as_mut().poll_fill_buf(&mut cx);
        assert!(matches!(end, Poll::Ready(Ok([]))), "as much as may be there is no error");
    }
}
