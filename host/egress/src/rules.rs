//! The question that egress asks before anything happens.

use http::Method;
use ipnet::IpNet;
use packhost_core::CredentialName;
use url::Url;

/// What may leave. Asked once per request, before any name is resolved, with the URL that will be sent.
///
/// An implementation may look at state that changes while a call runs: each request asks anew.
pub trait Rules: Send + Sync {
    /// Decides on one request. `url` is `http` or `https`, has a host and no user name, and its path has no dot
    /// segments left.
    fn decide(&self, method: &Method, url: &Url) -> Verdict;

    /// Networks that whatever leaves stays in, although [`Verdict::Allowed`] lets it go to public addresses as well. Without an
    /// implementation there are none, and nothing is kept from a public address.
    fn within(&self) -> Option<&[IpNet]> {
        None
    }

    /// Decides on one tunnel, which a `CONNECT` asks for (RFC 9110 section 9.3.6). `origin` is the https origin that it leads
    /// to, with the path `/`. What goes through a tunnel cannot be looked into: whoever allows one allows every method and
    /// every path of that origin. Credentials of the verdict are not used. Without an implementation no tunnel is allowed.
    fn tunnel(&self, origin: &Url) -> Verdict {
        Verdict::Denied {
            message: format!("no tunnel may be opened to {}", origin.host_str().unwrap_or_default()),
            fix: "Send requests in absolute form instead of CONNECT.".to_owned(),
        }
    }

    /// Whether a tunnel to this https origin ends at the host, which reads the requests in it: each is then asked of
    /// [`Rules::decide`] like any other, and [`Rules::tunnel`] is not asked at all. Needs a call with an authority
    /// ([`CallEgress::terminating`](crate::CallEgress::terminating)); without one the tunnel is refused. Without an
    /// implementation no tunnel ends here.
    fn terminates(&self, origin: &Url) -> bool {
        let _ = origin;
        false
    }
}

/// The answer of [`Rules::decide`] and of [`Rules::tunnel`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The request may leave.
    Allowed {
        /// Networks outside the public internet that this rule opens; empty for none. What no rule can open
        /// ([`packhost_manifest::reachable`]) and the host's own listeners stay closed whatever stands here.
        addresses: Vec<IpNet>,
        /// Credentials that the request may carry; empty for none. Where each may be used, [`Credentials`](crate::Credentials)
        /// says as well.
        credentials: Vec<CredentialName>,
    },
    /// The request may not leave.
    Denied {
        /// What was denied and why, for the agent.
        message: String,
        /// What would have to change, for the agent; names the missing rule.
        fix: String,
    },
}
