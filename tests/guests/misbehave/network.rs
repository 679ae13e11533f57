//! The network past `wasi:http`: sockets and names.

use std::io::{Result, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};

pub fn tcp(address: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"hello\n")?;
    Ok("connected".into())
}

pub fn listen(address: &str) -> Result<String> {
    Ok(format!("listening on {}", TcpListener::bind(address)?.local_addr()?))
}

pub fn udp(address: &str) -> Result<String> {
    let sent = UdpSocket::bind("0.0.0.0:0")?.send_to(b"hello\n", address)?;
    Ok(format!("{sent} bytes"))
}

pub fn lookup(name: &str) -> Result<String> {
    let found: Vec<String> = (name, 80).to_socket_addrs()?.map(|address| address.to_string()).collect();
    Ok(found.join(" "))
}
