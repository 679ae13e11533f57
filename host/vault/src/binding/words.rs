//! A binding in words, for people.

use std::fmt;

use packhost_core::Placement;
use packhost_manifest::Callers;

use super::{Binding, is_https};

impl Binding {
    /// The packs that may use the credential, as they are written: `github.search`, `github.*`.
    pub fn packs(&self) -> Vec<String> {
        self.packs.iter().map(ToString::to_string).collect()
    }

    /// Everything but the packs, such as `api.github.com, in the header authorization as Bearer`.
    pub fn uses(&self) -> String {
        let mut words = any(self.hosts.iter().map(ToString::to_string).collect());
        if !is_https(&self.ports) {
            let ports = any(self.ports.iter().map(ToString::to_string).collect());
            words.push_str(&format!(" at port {ports}"));
        }
        words.push_str(&format!(", {}", any(self.places.iter().map(place).collect())));
        if let Some(methods) = &self.methods {
            words.push_str(&format!(", with {}", any(methods.clone())));
        }
        if let Some(paths) = &self.paths {
            words.push_str(&format!(", at {}", any(paths.iter().map(ToString::to_string).collect())));
        }
        if let Callers::Only(callers) = &self.callers {
            words.push_str(&format!(", on behalf of {}", any(callers.clone())));
        }
        if let Some(sign) = &self.sign {
            words.push_str(&format!(", {sign}"));
        }
        if self.plain {
            words.push_str(", also without TLS");
        }
        words
    }
}

/// `api.github.com, in the header authorization as Bearer, by github.*`
impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, by {}", self.uses(), any(self.packs()))
    }
}

fn place(place: &Placement) -> String {
    match place {
        Placement::Header { name, scheme: Some(scheme) } => format!("in the header {name} as {scheme}"),
        Placement::Header { name, scheme: None } => format!("in the header {name}"),
        Placement::Query { name } => format!("in the query parameter {name}"),
        Placement::Path => "in the path".into(),
        Placement::Body => "in the body".into(),
    }
}

/// `a`, `a or b`, `a, b or c`.
fn any(words: Vec<String>) -> String {
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_is_said_in_words() {
        for (json, words) in [
            (
                r#"{ "hosts": ["api.github.com"], "packs": ["github.*"],
                     "places": [{ "header": { "name": "Authorization", "scheme": "Bearer" } }] }"#,
                "api.github.com, in the header authorization as Bearer, by github.*",
            ),
            (
                r#"{ "hosts": ["a.example", "*.b.example", "10.0.0.1"], "ports": [443, 8443], "plain": true,
                     "methods": ["GET", "POST"], "paths": ["/v1/**"], "packs": ["http.fetch", "web.*"],
                     "callers": ["local"],
                     "places": [{ "header": { "name": "x-key" } }, { "query": { "name": "key" } }, "path", "body"] }"#,
                "a.example, *.b.example or 10.0.0.1 at port 443 or 8443, in the header x-key, in the query parameter \
                 key, in the path or in the body, with GET or POST, at /v1/**, on behalf of local, also without TLS, \
                 by http.fetch or web.*",
            ),
            (
                r#"{ "hosts": ["api.github.com"], "packs": ["github.*"],
                     "places": [{ "header": { "name": "authorization", "scheme": "Bearer" } }],
                     "sign": { "jwt": { "algorithm": "RS256", "claims": { "iss": "1" } } } }"#,
                "api.github.com, in the header authorization as Bearer, as a JWT (RS256) of 300 s, by github.*",
            ),
            (
                r#"{ "hosts": ["a.example"], "packs": ["a"], "places": [{ "header": { "name": "x-signature" } }],
                     "sign": { "hmac": { "over": [{ "text": "v0:" }, { "header": "x-time" }, "body"] } } }"#,
                "a.example, in the header x-signature, signed with HMAC-SHA256 over \"v0:\" + header x-time + body, by a",
            ),
            (
                r#"{ "hosts": ["*.amazonaws.com"], "packs": ["a"], "places": [{ "header": { "name": "authorization" } }],
                     "sign": { "sigv4": { "key_id": "AKIDEXAMPLE", "region": "eu-west-1", "service": "s3" } } }"#,
                "*.amazonaws.com, in the header authorization, signed by AKIDEXAMPLE for s3 in eu-west-1 (AWS Signature \
                 Version 4), by a",
            ),
        ] {
            let binding: Binding = serde_json::from_str(json).expect("a good binding");
            assert_eq!(binding.to_string(), words);
        }
    }
}
