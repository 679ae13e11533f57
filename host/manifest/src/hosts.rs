//! Which hosts a rule means.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde_json::Value;
use url::Host;

use crate::template::{Template, TemplateError};

/// A pattern of hosts.
///
/// ```text
/// pattern   = name / "*." name / address
/// name      = label *( "." label ) [ "." ]
/// label     = 1*63( letter / digit / "-" / "_" / template )
/// address   = an IPv4 or IPv6 address in canonical form (RFC 6943 section 3.1.1, RFC 5952), IPv6 with or without "[]"
/// ```
///
/// * A name means that host alone, in any case. It is brought to its ASCII form (UTS 46, as browsers do), so
///   `bücher.example` and `xn--bcher-kva.example` are the same; one trailing dot changes nothing, in a pattern and in
///   a request.
/// * `*.example.com` means every host below `example.com`, at any depth, and never `example.com` itself: name both where
///   both are meant. What follows `*.` has at least two labels. `*` stands nowhere else: not alone, not inside a label.
/// * An address means itself. It is never matched by a name pattern, nor the reverse. `127.1`, `0x7f.0.0.1` and
///   `2130706433` are not canonical and are refused.
/// * A [`Template`] may stand in any label but the last two. Its values must be letters, digits and `-` within one
///   label, so that an input can choose a host below the literal labels and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// One name, lower case ASCII without the trailing dot.
    Name(String),
    /// Everything below this name.
    Below(String),
    /// One address.
    Address(IpAddr),
    /// One name that the call's input completes.
    Template(Template),
}

/// Why a text is not a host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// `*` anywhere but as the whole first label.
    #[error("\"*\" stands only in front, as in \"*.example.com\"")]
    Star,
    /// `*.com`: a whole top-level domain.
    #[error("\"*.\" is followed by at least two labels, as in \"*.example.com\"")]
    TooBroad,
    /// An address in another than its canonical form.
    #[error("an address is written in its canonical form: {0}")]
    NotCanonical(IpAddr),
    /// A scheme, port, path or user where only a host belongs.
    #[error("a host has no scheme, port, path or user: those have keys of their own")]
    MoreThanHost,
    /// A template in one of the last two labels.
    #[error(
        "a template does not stand in the last two labels; url: \"${{input.url}}\" grants the origin asked for"
    )]
    TemplateTooBroad,
    /// Not a name at all.
    #[error("\"{0}\" is not a host name")]
    NotAName(String),
    /// A template that is none.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// The longest name with an open label, in bytes: something must still fit in front of it (253 are a name's most).
const OPEN_MAX: usize = 180;

impl FromStr for HostPattern {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if text.contains("${") {
            return templated(text);
        }
        if let Some(address) = address(text)? {
            return Ok(Self::Address(address));
        }
        if text.contains(['/', ':', '@', '?', '#', '\\']) {
            return Err(HostError::MoreThanHost);
        }
        let (below, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        if rest.contains('*') {
            return Err(HostError::Star);
        }
        let name = ascii_name(rest).ok_or_else(|| HostError::NotAName(text.chars().take(80).collect()))?;
        match (below, name.contains('.')) {
            (true, false) => Err(HostError::TooBroad),
            (true, true) if name.len() > OPEN_MAX => Err(HostError::NotAName(name)),
            (true, true) => Ok(Self::Below(name)),
            (false, _) => Ok(Self::Name(name)),
        }
    }
}

impl HostPattern {
    /// Whether a request's host is meant. A pattern that still holds a template means nothing.
    pub fn matches(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Address(IpAddr::V4(a)), Host::Ipv4(b)) => a == b,
            (Self::Address(IpAddr::V6(a)), Host::Ipv6(b)) => a == b,
            (Self::Name(name), Host::Domain(host)) => request_name(host).is_some_and(|host| host == name),
            (Self::Below(name), Host::Domain(host)) => {
                request_name(host).is_some_and(|host| is_below(host, name))
            }
            _ => false,
        }
    }

    /// The pattern with the input's values in place; the error says which value does not fit.
    pub(crate) fn narrow(&self, input: &Value) -> Result<Self, String> {
        let Self::Template(template) = self else { return Ok(self.clone()) };
        let name = template.fill(input, fits_label)?.to_ascii_lowercase();
        // The filled label may be too long, or a malformed "xn--": only what the URL parser leaves as it is passes.
        match ascii_name(&name) {
            Some(parsed) if parsed == name => Ok(Self::Name(name)),
            _ => Err(format!("\"{}\" is not a host name", name.chars().take(80).collect::<String>())),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Address(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Template(template) => template.fmt(f),
        }
    }
}

/// A label that makes a host of `pattern` which no pattern of `known` names: in none of its labels where the fresh one
/// stands. Short, so that it fits wherever a value of the input may stand.
pub(crate) fn fresh_label(pattern: Option<&HostPattern>, known: &[&HostPattern]) -> String {
    let names: Vec<String> = known.iter().map(|pattern| pattern.to_string()).collect();
    let labels: Vec<&str> = names.iter().flat_map(|name| name.split('.')).collect();
    let is_new = |fresh: &String| {
        let filled = match pattern {
            Some(HostPattern::Template(template)) => template.with(fresh).to_ascii_lowercase(),
            _ => fresh.clone(),
        };
        let open = match pattern {
            Some(HostPattern::Template(template)) => template.with("\u{0}"),
            _ => "\u{0}".to_owned(),
        };
        let open = open.split('.').map(|label| label.contains('\u{0}'));
        filled.split('.').zip(open).all(|(label, open)| !open || !labels.contains(&label))
    };
    let candidates = std::iter::once("any".to_owned()).chain((0..).map(|n: u64| format!("any{n}")));
    candidates.take(labels.len() + 2).find(is_new).unwrap_or_default()
}

/// The name of a request's host, without its trailing dot; `None` where it is nothing that a name pattern may match.
pub(crate) fn request_name(host: &str) -> Option<&str> {
    let name = host.strip_suffix('.').unwrap_or(host);
    is_plain(name).then_some(name)
}

fn is_below(host: &str, name: &str) -> bool {
    host.strip_suffix(name).and_then(|head| head.strip_suffix('.')).is_some_and(|head| !head.is_empty())
}

fn is_plain(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// The ASCII form of a name, as the URL parser (UTS 46) has it.
fn ascii_name(text: &str) -> Option<String> {
    // The URL parser would decode "%41" and take "0x7f.1" for an address; neither is a name here.
    if text.contains('%') {
        return None;
    }
    match Host::parse(text) {
        Ok(Host::Domain(name)) => request_name(&name).map(String::from),
        _ => None,
    }
}

fn address(text: &str) -> Result<Option<IpAddr>, HostError> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Ok(ip) = bare.unwrap_or(text).parse::<Ipv6Addr>() {
        let canonical = ip.to_string() == bare.unwrap_or(text);
        return if canonical { Ok(Some(ip.into())) } else { Err(HostError::NotCanonical(ip.into())) };
    }
    if let Ok(ip) = text.parse::<Ipv4Addr>() {
        return Ok(Some(ip.into()));
    }
    match Host::parse(text) {
        Ok(Host::Ipv4(ip)) => Err(HostError::NotCanonical(ip.into())),
        _ => Ok(None),
    }
}

fn templated(text: &str) -> Result<HostPattern, HostError> {
    let template = Template::parse(text)?;
    let not_a_name = || HostError::NotAName(text.chars().take(80).collect());
    if text.starts_with("*.") || template.with("x").contains('*') {
        return Err(HostError::Star);
    }
    let filled = template.with("x");
    if filled.contains(['/', ':', '@', '?', '#', '\\']) {
        return Err(HostError::MoreThanHost);
    }
    let lower = filled.to_ascii_lowercase();
    if ascii_name(&filled).is_none_or(|name| name != lower) {
        return Err(not_a_name());
    }
    let too_long = |label: &str| label.contains('\u{0}') && label.len() > 40;
    let open = template.with("\u{0}");
    if open.len() > OPEN_MAX || open.split('.').any(too_long) {
        return Err(not_a_name());
    }
    if open.split('.').rev().take(2).any(|label| label.contains('\u{0}')) {
        return Err(HostError::TemplateTooBroad);
    }
    Ok(HostPattern::Template(template))
}

fn fits_label(value: &str) -> Result<(), &'static str> {
    let plain = !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if plain && value.len() <= 63 && !value.starts_with('-') && !value.ends_with('-') {
        Ok(())
    } else {
        Err("is not one label of a host name")
    }
}
