//! What a door knows of the one who called, beside who that is: where it is, what it says of itself, and of which trace the
//! call is part.

use std::net::IpAddr;

/// What is known of the one who called. But for the address, no proof of anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peer {
    /// Where it is, for doors that have a network behind them.
    pub address: Option<IpAddr>,
    /// The client's name and version.
    pub client: Option<(String, String)>,
    /// The version of the protocol that is spoken.
    pub protocol: Option<String>,
    /// The span that the call is part of.
    pub trace: Option<TraceParent>,
}

/// Where a client is, as a listener hands it on with each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl Peer {
    /// Cuts each text to so many bytes.
    pub(crate) fn cut(mut self, most: usize) -> Self {
        let client = self.client.iter_mut().flat_map(|(name, version)| [name, version]);
        let texts = client.chain(&mut self.protocol);
        texts.for_each(|text| text.truncate(text.floor_char_boundary(most)));
        self
    }
}

/// A `traceparent` (W3C Trace Context, section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace: u128,
    span: u64,
    sampled: bool,
}

impl TraceParent {
    /// Reads `00-` trace `-` span `-` flags, in lower-case hex. Later versions begin the same way. None where it is anything else:
    /// the call begins a trace of its own then, as section 3.2.2.5 asks.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version = hex(parts.next()?, 2)?;
        let (trace, span, flags) = (hex(parts.next()?, 32)?, hex(parts.next()?, 16)?, hex(parts.next()?, 2)?);
        let known = version != 0xff && (version != 0 || parts.next().is_none());
        let span = u64::try_from(span).ok()?;
        (known && trace != 0 && span != 0).then_some(Self { trace, span, sampled: flags & 1 == 1 })
    }

    /// The trace, in 32 hex digits.
    pub fn trace(&self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The span that the call is below, in 16 hex digits.
    pub fn span(&self) -> String {
        format!("{:016x}", self.span)
    }

    /// Whether the client may have recorded the trace.
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }
}

fn hex(text: &str, digits: usize) -> Option<u128> {
    let plain = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u128::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_read_of_a_traceparent_is_what_stands_in_it(
            version in "[0-9a-f]{2}",
            trace in "[0-9a-f]{32}|0{32}",
            span in "[0-9a-f]{16}|0{16}",
            flags in "[0-9a-f]{2}",
            more in "|-|-[ -~]{0,9}",
        ) {
            let read = TraceParent::parse(&format!("{version}-{trace}-{span}-{flags}{more}"));
            let zero = |digits: &str| digits.bytes().all(|digit| digit == b'0');
            let good = version != "ff" && (version != "00" || more.is_empty()) && !zero(&trace) && !zero(&span);
            prop_assert_eq!(read.is_some(), good);
            if let Some(read) = read {
                prop_assert_eq!((read.trace(), read.span()), (trace, span));
                prop_assert_eq!(read.is_sampled(), flags.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']));
            }
        }

        #[test]
        fn whatever_else_a_client_sends_is_no_traceparent(text in "\\PC{0,80}|[0-9a-fA-F-]{50,60}") {
            if let Some(read) = TraceParent::parse(&text) {
                let again = format!("-{}-{}-", read.trace(), read.span());
                prop_assert!(text.get(2..).is_some_and(|rest| rest.starts_with(&again)), "{}", text);
            }
        }
    }

    #[test]
    fn a_traceparent_is_read_to_the_letter() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = TraceParent::parse(good).expect("the example of the specification");
        assert_eq!(read.trace(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(read.span(), "00f067aa0ba902b7");
        assert!(read.is_sampled());
        let later = TraceParent::parse(&format!("cc{}-more", &good[2..]));
        assert_eq!(later, Some(read), "a later version may say more");
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
    }
}
