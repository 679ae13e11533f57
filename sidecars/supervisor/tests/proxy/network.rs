//! Loopback in a network namespace that is new.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use packhost_supervisor::net::loopback_up;

/// Runs this in a network namespace of its own; not at all where that is not allowed.
fn in_new_namespace(body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // SAFETY: takes no pointer. A network namespace is this thread's own, and the thread ends with it.
        let made = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        if made == 0 {
            body();
        } else {
            eprintln!("no network namespace: {}", std::io::Error::last_os_error());
        }
    });
    thread.join().expect("the body does not panic");
}

#[test]
fn loopback_is_brought_up_and_carries_a_connection() {
    in_new_namespace(|| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().unwrap();
        assert!(TcpStream::connect(address).is_err(), "it is down");
        loopback_up().expect("lo");
        loopback_up().expect("lo, once more");
        let mut client = TcpStream::connect(address).expect("it is up");
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"x").unwrap();
        let mut read = [0];
        server.read_exact(&mut read).unwrap();
        assert_eq!(read, *b"x");
    });
}

#[test]
fn a_loopback_that_is_up_already_is_fine() {
    loopback_up().expect("lo is up on every machine that runs tests");
}

#[test]
fn where_it_may_not_be_brought_up_nothing_happens() {
    in_new_namespace(|| {
        // SAFETY: all zero is a value of this.
        let (mut header, mut none) = unsafe {
            (std::mem::zeroed::<Header>(), [std::mem::zeroed::<Sets>(), std::mem::zeroed::<Sets>()])
        };
        // _LINUX_CAPABILITY_VERSION_3, this thread (capset(2)).
        header.version = 0x2008_0522;
        // SAFETY: both have the layout that version 3 has.
        let dropped = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, none.as_mut_ptr()) };
        assert_eq!(dropped, 0);
        loopback_up().expect("it is not an error");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        assert!(TcpStream::connect(listener.local_addr().unwrap()).is_err(), "it is down as before");
    });
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}
