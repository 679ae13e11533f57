//! A response: its head at once, its body as far as it is wanted.

use url::Url;
use wasip2::http::types::{IncomingBody, IncomingResponse};
use wasip2::io::streams::{InputStream, StreamError};

use crate::Error;

/// Bytes asked for in one read.
const CHUNK: u64 = 64 * 1024;

/// A response whose body has not been read yet.
pub struct Response {
    /// Where it came from; after redirects, the last address.
    pub url: Url,
    /// The status code.
    pub status: u16,
    /// Names in lower case and values, in order.
    pub headers: Vec<(String, String)>,
    // Dropped in this order: a stream before the body that it reads.
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
}

/// What was read of a body.
#[derive(Debug, Clone)]
pub struct Body {
    /// At most as many as were asked for.
    pub bytes: Vec<u8>,
    /// There was more.
    pub truncated: bool,
}

impl Response {
    pub(super) fn open(url: &Url, response: IncomingResponse) -> Result<Self, Error> {
        let body = response.consume().map_err(|()| Error::failed("The response has no body to read."))?;
        let stream = body.stream().map_err(|()| Error::failed("The response has no body to read."))?;
        let text = |value: Vec<u8>| String::from_utf8(value).unwrap_or_else(|e| latin1(e.as_bytes()));
        let headers = response.headers().entries().into_iter();
        let headers = headers.map(|(name, value)| (name.to_lowercase(), text(value))).collect();
        let status = response.status();
        Ok(Self { url: url.clone(), status, headers, stream, _body: body, _response: response })
    }

    /// The first value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Where a redirect leads, if this is one. A user name and password in it are left out.
    pub fn redirect(&self) -> Option<Url> {
        let location =
            matches!(self.status, 301 | 302 | 303 | 307 | 308).then(|| self.header("location"))??;
        let mut url = self.url.join(location).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        url.set_username("").and_then(|()| url.set_password(None)).ok()?;
        Some(url)
    }

    /// Reads at most `limit` bytes of the body.
    ///
    /// # Errors
    ///
    /// `failed` where the connection breaks.
    pub fn read(self, limit: usize) -> Result<Body, Error> {
        let mut bytes = Vec::new();
        loop {
            // One more than the limit tells a body that ends there from one that goes on.
            let wanted = (limit - bytes.len()) as u64 + 1;
            match self.stream.blocking_read(wanted.min(CHUNK)) {
                Ok(more) => bytes.extend_from_slice(&more),
                Err(StreamError::Closed) => return Ok(Body { bytes, truncated: false }),
                Err(StreamError::LastOperationFailed(_)) => {
                    return Err(Error::failed(format!(
                        "The connection to {} broke after {} bytes.",
                        self.url.host_str().unwrap_or_default(),
                        bytes.len()
                    )));
                }
            }
            if bytes.len() > limit {
                bytes.truncate(limit);
                return Ok(Body { bytes, truncated: true });
            }
        }
    }
}

/// Header values that are not UTF-8 are ISO 8859-1 (RFC 9110, 5.5).
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}
