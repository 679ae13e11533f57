//! Which addresses a request may go to: public ones, those that a rule opens, and some never.
//!
//! There is one table and one decision. The rules ask here when they are read and when they are tried, and whoever
//! connects asks here about the address that it resolved.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

mod registry;
#[cfg(test)]
mod tests;

use registry::{TABLE, UNLISTED};

/// What it takes to reach an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opening {
    /// Nothing: it is on the public Internet.
    Public,
    /// A rule that lists it under `addresses`.
    ByRule,
    /// No rule opens it.
    Never,
}

/// What the registries say about an address. Displays as the end of a sentence about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reach {
    /// What it takes to reach it.
    pub opening: Opening,
    /// What the block is for.
    pub name: &'static str,
    /// Who says so, such as `RFC 1918`.
    pub source: &'static str,
}

/// An address that may not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// The address that is closed: the one asked about, or the IPv4 address that it stands for.
    pub address: IpAddr,
    /// Why.
    pub reach: Reach,
}

/// Decides whether a request may go to an address, where a rule opens these networks besides the public Internet.
///
/// # Errors
/// The address that is in the way: of a block that no rule opens, or of one that none of these networks holds.
pub fn reachable(ip: IpAddr, opened: &[IpNet]) -> Result<(), Closed> {
    let reading = |address: IpAddr| Closed { address, reach: row(address) };
    let all: Vec<Closed> = stands_for(ip).into_iter().map(reading).collect();
    if let Some(never) = all.iter().find(|one| one.reach.opening == Opening::Never) {
        return Err(*never);
    }
    let shut = all[..certain(ip)].iter().filter(|one| one.reach.opening == Opening::ByRule);
    let shut = shut.into_iter().find(|one| !opened.iter().any(|net| net.contains(&one.address)));
    shut.map_or(Ok(()), |one| Err(*one))
}

/// How many of the addresses that it stands for are certain, from the first: which of its readings a local-use NAT64 address
/// has only its translator knows, and it is opened as it stands.
fn certain(ip: IpAddr) -> usize {
    1 + usize::from(nat64(ip).is_some())
}

/// The addresses that a rule must list before a request can go to this one; none for a public one.
pub(crate) fn needed(ip: IpAddr) -> Vec<IpAddr> {
    let certain = stands_for(ip).into_iter().take(certain(ip));
    certain.filter(|address| row(*address).opening == Opening::ByRule).collect()
}

/// The address itself, and the IPv4 addresses to which a translator may send what goes to it: the one that a NAT64
/// address carries (RFC 6052 section 2), or every one that a local-use NAT64 address (RFC 8215) can mean.
pub fn stands_for(ip: IpAddr) -> Vec<IpAddr> {
    let mut all = vec![ip];
    all.extend(nat64(ip).map(IpAddr::V4));
    // Zeros in front come from a longer prefix, not from an address.
    let readings = local_nat64(ip).into_iter().flatten().filter(|v4| v4.octets()[0] != 0);
    all.extend(readings.map(IpAddr::V4));
    all
}

/// The IPv4 address in the well-known NAT64 prefix.
fn nat64(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = ip else { return None };
    let [0x64, 0xff9b, 0, 0, 0, 0, ..] = v6.segments() else { return None };
    let [.., a, b, c, d] = v6.octets();
    Some(Ipv4Addr::new(a, b, c, d))
}

/// The IPv4 addresses of a local-use NAT64 address: each reading that RFC 6052 section 2.2 has for a prefix inside the
/// block, whose length only the translator knows.
fn local_nat64(ip: IpAddr) -> Option<[Ipv4Addr; 4]> {
    let IpAddr::V6(v6) = ip else { return None };
    let [0x64, 0xff9b, 1, ..] = v6.segments() else { return None };
    let octets = v6.octets();
    let readings = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]];
    Some(readings.map(|at| Ipv4Addr::from(at.map(|index| octets[index]))))
}

/// The IPv4 network that a network of the well-known NAT64 prefix stands for.
pub(crate) fn translated(net: &IpNet) -> Option<IpNet> {
    let length = net.prefix_len().checked_sub(96)?;
    Ipv4Net::new(nat64(net.addr())?, length).ok().map(IpNet::V4)
}

/// The most specific row that holds the address.
fn row(ip: IpAddr) -> Reach {
    let around = TABLE.iter().filter(|row| holds(&row.net, ip));
    around.max_by_key(|row| row.net.prefix_len()).map_or(UNLISTED, |row| row.reach)
}

/// Whether the address begins with the bits of the network's prefix. Each request asks this of the whole table.
fn holds(net: &IpNet, ip: IpAddr) -> bool {
    let shared = match (net.addr(), ip) {
        (IpAddr::V4(net), IpAddr::V4(ip)) => (net.to_bits() ^ ip.to_bits()).leading_zeros(),
        (IpAddr::V6(net), IpAddr::V6(ip)) => (net.to_bits() ^ ip.to_bits()).leading_zeros(),
        _ => return false,
    };
    shared >= u32::from(net.prefix_len())
}

fn around(net: &IpNet) -> Option<&'static registry::Row> {
    TABLE.iter().filter(|row| row.net.contains(net)).max_by_key(|row| row.net.prefix_len())
}

/// The block that no rule can open and that keeps a rule from listing this network: one that holds it or lies in it.
///
/// What lies in a block that a rule can open is no such: `fd00::/8` is a private network, and the metadata services in it
/// stay closed when it is opened.
pub(crate) fn unlistable(net: &IpNet) -> Option<(IpNet, Reach)> {
    let own = around(net);
    let never = |row: &&registry::Row| row.reach.opening == Opening::Never;
    let openable = own.is_some_and(|row| row.reach.opening == Opening::ByRule && row.net.prefix_len() > 0);
    let inside = TABLE.iter().filter(|row| !openable && net.contains(&row.net)).filter(never);
    let found = own.filter(never).or_else(|| inside.min_by_key(|row| row.net.prefix_len()))?;
    Some((found.net, found.reach))
}

/// What a rule that lists `net` opens, as networks that are each wholly inside or wholly outside of every one of `others`.
pub(crate) fn opens(net: IpNet, others: &[IpNet]) -> Vec<IpNet> {
    let edges = others.iter().copied().chain(TABLE.iter().map(|row| row.net));
    let edges: Vec<IpNet> = edges.filter(|edge| *edge != net && net.contains(edge)).collect();
    let mut parts = Vec::new();
    let mut open = vec![net];
    while let Some(part) = open.pop() {
        let split = edges.iter().any(|edge| *edge != part && part.contains(edge));
        match part.subnets(part.prefix_len() + 1) {
            Ok(halves) if split => open.extend(halves),
            _ => parts.push(part),
        }
    }
    parts.retain(|part| row(part.addr()).opening == Opening::ByRule);
    parts.sort();
    parts
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.opening {
            Opening::Public => "on the public internet",
            Opening::ByRule => "not on the public internet",
            Opening::Never => "never reachable",
        };
        write!(f, "{what} ({}, {})", self.name, self.source)
    }
}
