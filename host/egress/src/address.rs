//! Whether a request may go to an address that a granted host has.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use ipnet::IpNet;
use packhost_manifest::{reachable, stands_for};

/// Why an address may not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// This host listens there.
    Own,
    /// It is not public, and nothing opens it.
    Special(packhost_manifest::Closed),
    /// It is in none of the networks that what is sent has to stay in.
    Outside,
}

/// Decides on one address that a granted host has. `opened` is what the rule lists under `addresses`, `own` is where this
/// host listens, which no rule opens.
pub(crate) fn check(target: SocketAddr, opened: &[IpNet], own: &[SocketAddr]) -> Result<(), Closed> {
    let port = target.port();
    for listener in own.iter().filter(|listener| listener.port() == port) {
        if stands_for(target.ip()).into_iter().any(|address| is_own(address, listener.ip())) {
            return Err(Closed::Own);
        }
    }
    reachable(target.ip(), opened).map_err(Closed::Special)
}

/// Decides whether an address is in these networks, where there are any to stay in; that a translator leads to it is enough.
pub(crate) fn stays(address: IpAddr, within: Option<&[IpNet]>) -> Result<(), Closed> {
    let inside = |networks: &[IpNet]| {
        stands_for(address).iter().any(|one| networks.iter().any(|network| network.contains(one)))
    };
    if within.is_none_or(inside) { Ok(()) } else { Err(Closed::Outside) }
}

fn is_own(target: IpAddr, listener: IpAddr) -> bool {
    let (target, listener) = (target.to_canonical(), listener.to_canonical());
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
