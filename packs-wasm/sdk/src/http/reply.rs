//! The whole answer of an API: status, headers, and a body that is read to its end.

use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;

use super::Response;
use crate::Error;

/// The longest wait that is passed on to an agent.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A response with its whole body.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names in lower case and values, in order.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// `failed` where it is not a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Error::failed(format!("The answer (status {}) is not what was expected: {error}.", self.status))
        })
    }

    /// How long the other side asks to wait: `retry-after` in seconds or as a date (RFC 9110, 10.2.3). At most a day.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.header("retry-after")?.trim();
        match value.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds).min(LONGEST)),
            Err(_) => self.until(httpdate::parse_http_date(value).ok()?),
        }
    }

    /// How long it is from the response's own `date` until then, so that no clock of this side counts; zero where that
    /// has passed, and at most a day.
    pub fn until(&self, then: SystemTime) -> Option<Duration> {
        let date = httpdate::parse_http_date(self.header("date")?).ok()?;
        Some(then.duration_since(date).unwrap_or_default().min(LONGEST))
    }
}

impl Response {
    /// Reads all of the body.
    ///
    /// # Errors
    ///
    /// `resource-exhausted` for more than `limit` bytes; `failed` where the connection breaks.
    pub fn whole(self, limit: usize) -> Result<Reply, Error> {
        let (status, headers) = (self.status, self.headers.clone());
        let body = self.read(limit)?;
        if body.truncated {
            let message = format!("The answer (status {status}) has more than {limit} bytes.");
            return Err(Error::resource_exhausted(message).fix("Ask for less at once."));
        }
        Ok(Reply { status, headers, body: body.bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(headers: &[(&str, &str)]) -> Reply {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Reply { status: 429, headers: headers.collect(), body: Vec::new() }
    }

    #[test]
    fn a_wait_is_told_in_seconds_or_as_a_date_and_is_never_longer_than_a_day() {
        let date = ("date", "Tue, 10 Oct 2017 16:00:00 GMT");
        let cases = [
            (reply(&[("retry-after", "90")]), Some(90)),
            (reply(&[("retry-after", "999999999")]), Some(86_400)),
            (reply(&[("retry-after", "Tue, 10 Oct 2017 16:01:30 GMT"), date]), Some(90)),
            (reply(&[("retry-after", "Tue, 10 Oct 2017 15:00:00 GMT"), date]), Some(0)),
            (reply(&[("retry-after", "Tue, 10 Oct 2017 16:01:30 GMT")]), None),
            (reply(&[("retry-after", "-5"), date]), None),
            (reply(&[("retry-after", "soon"), date]), None),
            (reply(&[]), None),
        ];
        for (reply, seconds) in cases {
            assert_eq!(reply.retry_after(), seconds.map(Duration::from_secs), "{reply:?}");
        }
    }
}
