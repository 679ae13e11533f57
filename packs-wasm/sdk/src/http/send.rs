//! A request as `wasi:http` takes it.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{ErrorCode, Fields, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme};

use super::{Request, Response};
use crate::Error;

/// The most that one `blocking-write-and-flush` takes (wasi:io).
const WRITE: usize = 4096;

impl Request {
    /// Sends it and waits for the status and headers; inside, what the host says where there are none.
    pub(super) fn exchange(&self) -> Result<Result<Response, ErrorCode>, Error> {
        let request = self.outgoing()?;
        let body = request.body().map_err(|()| Error::failed("The request's body could not be opened."))?;
        let future = match outgoing_handler::handle(request, self.options()) {
            Ok(future) => future,
            Err(code) => return Ok(Err(code)),
        };
        self.write(body)?;
        future.subscribe().block();
        match future.get() {
            Some(Ok(Ok(response))) => Response::open(&self.url, response).map(Ok),
            Some(Ok(Err(code))) => Ok(Err(code)),
            Some(Err(())) | None => Err(Error::failed("The response was lost.")),
        }
    }

    fn outgoing(&self) -> Result<OutgoingRequest, Error> {
        let request = OutgoingRequest::new(self.fields()?);
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

    fn fields(&self) -> Result<Fields, Error> {
        let fields = Fields::new();
        for (name, value) in &self.headers {
            fields.append(name, value.as_bytes()).map_err(|error| {
                Error::invalid_input(format!("The header {name:?} cannot be sent: {error}."))
                    .pointer("/headers")
            })?;
        }
        // Where a body may be and none is, its length says so (RFC 9110, 8.6).
        let may_carry = matches!(self.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE");
        if (may_carry || !self.body.is_empty()) && !self.has("content-length") {
            // A host that sets it itself refuses it here, which is as well.
            let _ = fields.append("content-length", self.body.len().to_string().as_bytes());
        }
        if !self.has("accept-encoding") {
            // Nothing here unpacks a compressed answer.
            let _ = fields.append("accept-encoding", b"identity");
        }
        Ok(fields)
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
