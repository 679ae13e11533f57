//! The places in a request where a credential may be bound to stand.

use packhost_core::Placement;

use super::{BindingError, wrong};

/// Headers that come back in answers, logs and traces, or that say where a message goes and where it ends.
const REFUSED: [(&str, &str); 15] = [
    ("user-agent", "servers write it down and send it back"),
    ("origin", "servers send it back"),
    ("referer", "servers write it down and hand it on"),
    ("x-request-id", "servers send it back"),
    ("x-correlation-id", "servers send it back"),
    ("traceparent", "it is handed on and written down"),
    ("tracestate", "it is handed on and written down"),
    ("baggage", "it is handed on and written down"),
    ("accept", "it is not a place for credentials"),
    ("content-type", "servers send it back"),
    ("host", "the host sets it"),
    ("content-length", "the host sets it"),
    ("transfer-encoding", "the host sets it"),
    ("connection", "the host sets it"),
    ("upgrade", "the host sets it"),
];
/// The same, by how they begin.
const REFUSED_FAMILIES: [&str; 3] = ["sec-", "access-control-", "x-forwarded-"];

/// The place as it is compared, where a credential may stand there.
pub(super) fn place(place: Placement) -> Result<Placement, BindingError> {
    match place {
        Placement::Header { name, scheme } => {
            let name = name.to_ascii_lowercase();
            if !is_token(&name) {
                return Err(wrong(&name, "header name", "see RFC 9110 section 5.1"));
            }
            let refused = REFUSED.iter().find(|(header, _)| *header == name).map(|(_, why)| *why);
            let family = REFUSED_FAMILIES.iter().any(|family| name.starts_with(family));
            if let Some(why) = refused.or(family.then_some("it is handed on or sent back")) {
                return Err(BindingError::Header(name, why));
            }
            match scheme {
                Some(scheme) if !is_token(&scheme) => {
                    Err(wrong(&scheme, "scheme", "it is a word such as Bearer"))
                }
                scheme => Ok(Placement::Header { name, scheme }),
            }
        }
        Placement::Query { name } if name.is_empty() => Err(wrong(&name, "parameter", "it has no name")),
        place => Ok(place),
    }
}

/// A token (RFC 9110 section 5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
