//! The network interface that every sandbox has: its own loopback.

use std::ffi::{c_char, c_short};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Brings `lo` up, which is down in a network namespace that is new (network_namespaces(7)). Does nothing where it is up, and
/// where this process may not: then whoever made the namespace has to.
///
/// # Errors
///
/// There is no `lo`, or the kernel has no sockets of the Internet.
pub fn loopback_up() -> io::Result<()> {
    // SAFETY: takes no pointer; the descriptor is looked at before it is used.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let mut request = named_lo();
    ask(&socket, libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: SIOCGIFFLAGS has written this member (netdevice(7)).
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    // IFF_UP is 1.
    let up = libc::IFF_UP as c_short;
    if flags & up != 0 {
        return Ok(());
    }
    request.ifr_ifru.ifru_flags = flags | up;
    match ask(&socket, libc::SIOCSIFFLAGS, &mut request) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

fn named_lo() -> libc::ifreq {
    let mut name = [0; libc::IFNAMSIZ];
    for (place, byte) in name.iter_mut().zip(b"lo") {
        // Two letters of ASCII.
        *place = *byte as c_char;
    }
    libc::ifreq { ifr_name: name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: 0 } }
}

fn ask(socket: &OwnedFd, what: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
    // musl has requests as an `int`, of which they are the bits.
    // SAFETY: the socket is open, and both requests take a whole `ifreq`, which this one is.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), what as libc::Ioctl, std::ptr::from_mut(request)) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
