//! Outgoing HTTP over `wasi:http`. One call is one request: what the manifest allows is decided for each.

use std::time::Duration;

pub use url::Url;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme,
};
use wasip2::io::streams::{InputStream, StreamError};

use crate::Error;

/// Bytes asked for in one read.
const CHUNK: u64 = 64 * 1024;

/// The most that one `blocking-write-and-flush` takes (wasi:io).
const WRITE: usize = 4096;

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Upper case, such as `GET`.
    pub method: String,
    /// Where it goes.
    pub url: Url,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub body: Vec<u8>,
    /// How long to wait for a connection, for the response's start, and between its bytes. The host may allow less.
    pub timeout: Option<Duration>,
}

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

/// The address that an input names.
///
/// # Errors
///
/// `invalid-input` where it is not an absolute `http` or `https` URL.
pub fn url(text: &str) -> Result<Url, Error> {
    let wrong = |why: &str| {
        Error::invalid_input(format!(
            "\"{}\" is not a web address: {why}.",
            text.chars().take(200).collect::<String>()
        ))
        .fix("Give an absolute URL such as https://example.com/page.")
        .pointer("/url")
    };
    let url = Url::parse(text.trim()).map_err(|error| wrong(&error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(wrong(&format!("it starts with {other}:, and only http: and https: are fetched"))),
    }
}

impl Request {
    /// A `GET` without headers.
    pub fn get(url: Url) -> Self {
        Self { method: "GET".into(), url, headers: Vec::new(), body: Vec::new(), timeout: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends it and waits for the status and headers. No redirect is followed.
    ///
    /// # Errors
    ///
    /// `denied` where the manifest does not allow the request, `timeout`, `invalid-input` for what is not HTTP,
    /// `failed` for the rest. A status such as 404 is not an error.
    pub fn send(&self) -> Result<Response, Error> {
        let failed = |code: ErrorCode| self.error(&code);
        let future = {
            let request = self.outgoing()?;
            let body =
                request.body().map_err(|()| Error::failed("The request's body could not be opened."))?;
            let future = outgoing_handler::handle(request, self.options()).map_err(failed)?;
            self.write(body)?;
            future
        };
        future.subscribe().block();
        let response = match future.get() {
            Some(Ok(response)) => response.map_err(failed)?,
            Some(Err(())) | None => return Err(Error::failed("The response was lost.")),
        };
        let body = response.consume().map_err(|()| Error::failed("The response has no body to read."))?;
        let stream = body.stream().map_err(|()| Error::failed("The response has no body to read."))?;
        let text = |value: Vec<u8>| String::from_utf8(value).unwrap_or_else(|e| latin1(e.as_bytes()));
        let headers = response
            .headers()
            .entries()
            .into_iter()
            .map(|(name, value)| (name.to_lowercase(), text(value)))
            .collect();
        let status = response.status();
        Ok(Response { url: self.url.clone(), status, headers, stream, _body: body, _response: response })
    }

    /// Sends it, and where the answer is a redirect, a new request there, at most `hops` times. Each is allowed or
    /// denied by itself. Credentials do not travel to another origin (Fetch standard, 4.4).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); `failed` for more redirects than `hops`.
    pub fn follow(mut self, hops: u32) -> Result<Response, Error> {
        for _ in 0..=hops {
            let response = self.send()?;
            let Some(next) = response.redirect() else { return Ok(response) };
            if response.status == 303 || (matches!(response.status, 301 | 302) && self.method == "POST") {
                self.body.clear();
                self.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
                if self.method != "HEAD" {
                    self.method = "GET".into();
                }
            }
            if next.origin() != self.url.origin() {
                let secret = ["authorization", "cookie", "proxy-authorization"];
                self.headers.retain(|(name, _)| !secret.contains(&name.to_ascii_lowercase().as_str()));
            }
            self.url = next;
        }
        Err(Error::failed(format!("There are more than {hops} redirects; the last leads to {}.", self.url)))
    }

    fn outgoing(&self) -> Result<OutgoingRequest, Error> {
        let fields = Fields::new();
        for (name, value) in &self.headers {
            fields.append(name, value.as_bytes()).map_err(|error| {
                Error::invalid_input(format!("The header {name:?} cannot be sent: {error}."))
                    .pointer("/headers")
            })?;
        }
        if !self.body.is_empty()
            && !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        {
            // A host that sets it itself refuses it here, which is as well.
            let _ = fields.append("content-length", self.body.len().to_string().as_bytes());
        }
        let request = OutgoingRequest::new(fields);
        let wrong = |what: &str| {
            let what = what.to_owned();
            move |()| Error::invalid_input(format!("The {what} cannot be sent."))
        };
        request.set_method(&method(&self.method)).map_err(wrong("method"))?;
        let scheme = if self.url.scheme() == "https" { Scheme::Https } else { Scheme::Http };
        request.set_scheme(Some(&scheme)).map_err(wrong("scheme"))?;
        request.set_authority(Some(self.url.authority())).map_err(wrong("host"))?;
        let path = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        request.set_path_with_query(Some(&path)).map_err(wrong("path"))?;
        Ok(request)
    }

    fn options(&self) -> Option<RequestOptions> {
        let wait = self.timeout?;
        let wait = u64::try_from(wait.as_nanos()).ok();
        let options = RequestOptions::new();
        // A host that cannot bound one of them still has the deadline of the whole call.
        let _ = options.set_connect_timeout(wait);
        let _ = options.set_first_byte_timeout(wait);
        let _ = options.set_between_bytes_timeout(wait);
        Some(options)
    }

    fn write(&self, body: OutgoingBody) -> Result<(), Error> {
        let stream = body.write().map_err(|()| Error::failed("The request's body could not be opened."))?;
        for chunk in self.body.chunks(WRITE) {
            // The other side may answer without reading on; the response says what it thought of that.
            if stream.blocking_write_and_flush(chunk).is_err() {
                break;
            }
        }
        drop(stream);
        // Too little written is an error only if no response comes.
        let _ = OutgoingBody::finish(body, None);
        Ok(())
    }

    fn error(&self, code: &ErrorCode) -> Error {
        let host = self.url.host_str().unwrap_or_default();
        match code {
            ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
                Error::denied(format!("The request {} {} was not allowed.", self.method, self.url))
            }
            ErrorCode::DnsTimeout
            | ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::ConnectionWriteTimeout
            | ErrorCode::HttpResponseTimeout => Error::timeout(format!("{host} took too long to answer.")),
            ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
                Error::failed(format!("There is no host \"{host}\"."))
                    .fix("Check the spelling of the address.")
                    .pointer("/url")
            }
            ErrorCode::ConnectionRefused
            | ErrorCode::DestinationUnavailable
            | ErrorCode::DestinationIpUnroutable => {
                Error::failed(format!("{host} does not accept connections."))
            }
            ErrorCode::TlsCertificateError | ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => {
                Error::failed(format!("No secure connection to {host} could be made."))
            }
            ErrorCode::HttpRequestUriInvalid | ErrorCode::HttpRequestMethodInvalid => Error::invalid_input(
                format!("{} {} is not a request that can be sent.", self.method, self.url),
            ),
            other => Error::failed(format!("The request to {host} failed: {other}.")),
        }
    }
}

impl Response {
    /// The first value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Where a redirect leads, if this is one.
    pub fn redirect(&self) -> Option<Url> {
        let location =
            matches!(self.status, 301 | 302 | 303 | 307 | 308).then(|| self.header("location"))??;
        self.url.join(location).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
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

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

/// Header values that are not UTF-8 are ISO 8859-1 (RFC 9110, 5.5).
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}
