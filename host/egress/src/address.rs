//! What an address is, and whether a request may go there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use ipnet::IpNet;

use crate::registry::{METADATA_V4, METADATA_V6, V4, V6};

/// What the registries say about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Whether the address is on the public internet (registry column "Globally Reachable"). For an address that
    /// carries an IPv4 address, that one is public too.
    pub public: bool,
    /// The registry's name for the block.
    pub name: &'static str,
    /// Where that is written, such as `RFC 1918`.
    pub source: &'static str,
}

/// Classifies an address by the IANA special-purpose registries; total. An IPv6 address that carries an IPv4 one
/// (mapped, compatible, translated, NAT64, 6to4, Teredo) is public only if both are.
pub fn classify(address: IpAddr) -> Reach {
    let own = block(address);
    if !own.public {
        return own;
    }
    let carried = carried_v4(address).into_iter().flatten().map(|v4| block(IpAddr::V4(v4)));
    carried.into_iter().find(|reach| !reach.public).unwrap_or(own)
}

/// The most specific registry row that holds the address.
fn block(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(a) => V4
            .iter()
            .filter(|row| (a.to_bits() ^ row.net.to_bits()).leading_zeros() >= u32::from(row.prefix))
            .max_by_key(|row| row.prefix)
            .map_or(Reach { public: true, name: "public", source: "RFC 6890" }, |row| Reach {
                public: row.global,
                name: row.name,
                source: row.source,
            }),
        IpAddr::V6(a) => V6
            .iter()
            .filter(|row| (a.to_bits() ^ row.net.to_bits()).leading_zeros() >= u32::from(row.prefix))
            .max_by_key(|row| row.prefix)
            .map_or(Reach { public: false, name: "unassigned", source: "RFC 4291" }, |row| Reach {
                public: row.global,
                name: row.name,
                source: row.source,
            }),
    }
}

/// The IPv4 addresses that an IPv6 address carries: where a translator or relay would send the packet.
fn carried_v4(address: IpAddr) -> [Option<Ipv4Addr>; 2] {
    let IpAddr::V6(v6) = address else { return [None, None] };
    if v6.is_loopback() || v6.is_unspecified() {
        return [None, None];
    }
    let o = v6.octets();
    let at = |i: usize| Some(Ipv4Addr::new(o[i], o[i + 1], o[i + 2], o[i + 3]));
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => {
            [at(12), None]
        }
        [0x2002, ..] => [at(2), None],
        // Server, and the client's address with every bit inverted (RFC 4380 section 4).
        [0x2001, 0, ..] => [at(4), Some(Ipv4Addr::new(!o[12], !o[13], !o[14], !o[15]))],
        _ => [None, None],
    }
}

/// The IPv4 addresses that a local-use NAT64 address may stand for: only the operator's translator knows how long
/// its prefix is, so this is each reading that RFC 6052 section 2.2 has for a prefix inside the block.
fn possible_v4(address: IpAddr) -> [Option<Ipv4Addr>; 4] {
    let IpAddr::V6(v6) = address else { return [None; 4] };
    let [0x64, 0xff9b, 1, ..] = v6.segments() else { return [None; 4] };
    let o = v6.octets();
    [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]]
        .map(|at| Some(Ipv4Addr::from(at.map(|i| o[i]))))
}

/// Why an address may not be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Closed {
    /// No rule opens it, whatever it says.
    Always(String),
    /// A rule's `addresses` could open it.
    ByRule(String),
}

/// Decides on one address that a granted host has. `opened` is what the rule lists under `addresses`.
pub(crate) fn check(target: SocketAddr, opened: &[IpNet], own: &[SocketAddr]) -> Result<(), Closed> {
    let address = target.ip();
    // A connection to the unspecified address goes to this machine.
    if address.to_canonical().is_unspecified() {
        return Err(Closed::Always("the unspecified address, which is never reachable".into()));
    }
    let carried = carried_v4(address).into_iter().flatten().map(IpAddr::V4);
    let opening: Vec<IpAddr> = std::iter::once(address).chain(carried).collect();
    let possible = possible_v4(address).into_iter().flatten().map(IpAddr::V4);
    for a in opening.iter().copied().chain(possible) {
        if let Some(what) = metadata(a) {
            return Err(Closed::Always(format!("{what}, which is never reachable")));
        }
        if own.iter().any(|listener| is_own(SocketAddr::new(a, target.port()), *listener)) {
            return Err(Closed::Always("where this host itself listens, which is never reachable".into()));
        }
    }
    for a in opening {
        let reach = block(a);
        if !reach.public && !opened.iter().any(|net| net.contains(&a)) {
            return Err(Closed::ByRule(format!(
                "not on the public internet ({}, {})",
                reach.name, reach.source
            )));
        }
    }
    Ok(())
}

fn metadata(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(a) => METADATA_V4.iter().find(|(m, _)| *m == a).map(|(_, what)| *what),
        IpAddr::V6(a) => METADATA_V6.iter().find(|(m, _)| *m == a).map(|(_, what)| *what),
    }
}

fn is_own(target: SocketAddr, listener: SocketAddr) -> bool {
    if target.port() != listener.port() {
        return false;
    }
    let (target, listener) = (target.ip().to_canonical(), listener.ip().to_canonical());
    target == listener || (listener.is_unspecified() && is_local(target))
}

/// Whether the address belongs to this machine: only then can a socket be bound to it. When in doubt, it does.
fn is_local(address: IpAddr) -> bool {
    match UdpSocket::bind(SocketAddr::new(address, 0)) {
        Ok(_) => true,
        Err(e) => e.kind() != std::io::ErrorKind::AddrNotAvailable,
    }
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
