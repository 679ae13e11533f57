//! Why there is no response, in words.

use url::Url;
use wasip2::http::types::ErrorCode;

use super::Request;
use crate::Error;

pub(super) fn explain(request: &Request, code: &ErrorCode) -> Error {
    let (method, url) = (&request.method, &request.url);
    let host = url.host_str().unwrap_or_default();
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            Error::denied(format!("The request {method} {url} was not allowed."))
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
        | ErrorCode::DestinationIpUnroutable => Error::failed(format!("{host} does not accept connections.")),
        ErrorCode::TlsCertificateError | ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => {
            Error::failed(format!("No secure connection to {host} could be made."))
        }
        ErrorCode::HttpRequestUriInvalid | ErrorCode::HttpRequestMethodInvalid => {
            Error::invalid_input(format!("{method} {url} is not a request that can be sent."))
        }
        other => Error::failed(format!("The request to {host} failed: {other}.")),
    }
}

/// A grant for the address that was asked for does not reach another one: the agent has to name it itself.
pub(super) fn moved(asked: &Url, to: &Url) -> Error {
    Error::invalid_input(format!("{asked} has moved to {to}"))
        .fix("Call again with that url.")
        .pointer("/url")
}
