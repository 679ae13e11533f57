//! A name server (RFC 1035) on 127.0.0.1 port 53 that answers what a test wants, over UDP and TCP.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};

/// The types of records that are asked for.
pub(super) const A: u16 = 1;
pub(super) const AAAA: u16 = 28;
const CNAME: u16 = 5;

/// A record of an answer. It belongs to the name that was asked for, or that the alias before it names.
#[derive(Clone)]
pub(super) enum Record {
    A([u8; 4]),
    Aaaa(&'static str),
    Alias(&'static str),
}

/// What is answered.
#[derive(Clone)]
pub(super) enum Reply {
    Records(Vec<Record>),
    /// Over UDP no more than that there is more; over TCP these.
    Truncated(Vec<Record>),
    /// With this code (RFC 1035 section 4.1.1) and nothing else.
    Fails(u8),
    /// Counts that promise more than there is.
    Garbage,
}

/// The names that were asked for, with the type of record.
pub(super) type Log = Arc<Mutex<Vec<(String, u16)>>>;

/// A question, with how often it was asked before.
pub(super) type Zone = fn(name: &str, kind: u16, before: usize) -> Reply;

/// Answers until the process ends.
pub(super) fn start(zone: Zone) -> Log {
    let log = Log::default();
    let (udp, tcp) = (UdpSocket::bind("127.0.0.1:53").unwrap(), TcpListener::bind("127.0.0.1:53").unwrap());
    let asked = log.clone();
    std::thread::spawn(move || {
        let mut before = HashMap::<(String, u16), usize>::new();
        let mut query = [0; 512];
        while let Ok((length, from)) = udp.recv_from(&mut query) {
            let (name, kind, _) = question(&query[..length]);
            let before = before.entry((name.clone(), kind)).or_default();
            asked.lock().unwrap().push((name.clone(), kind));
            udp.send_to(&message(&query[..length], &zone(&name, kind, *before), true), from).unwrap();
            *before += 1;
        }
    });
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = tcp.accept() {
            let mut length = [0; 2];
            while stream.read_exact(&mut length).is_ok() {
                let mut query = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut query).unwrap();
                let (name, kind, _) = question(&query);
                let message = message(&query, &zone(&name, kind, 0), false);
                stream.write_all(&(message.len() as u16).to_be_bytes()).unwrap();
                stream.write_all(&message).unwrap();
            }
        }
    });
    log
}

/// The name and the type that are asked for, and where the question ends.
fn question(query: &[u8]) -> (String, u16, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).into_owned());
        at = end;
    }
    (labels.join("."), u16::from_be_bytes([query[at + 1], query[at + 2]]), at + 5)
}

fn message(query: &[u8], reply: &Reply, udp: bool) -> Vec<u8> {
    let (name, _, end) = question(query);
    let none = Vec::new();
    let (records, truncated, code) = match reply {
        Reply::Records(records) => (records, 0, 0),
        Reply::Truncated(_) if udp => (&none, 2, 0),
        Reply::Truncated(records) => (records, 0, 0),
        Reply::Fails(code) => (&none, 0, *code),
        Reply::Garbage => (&none, 0, 0),
    };
    let count = if matches!(reply, Reply::Garbage) { 9 } else { records.len() as u16 };
    // An answer, recursion as it was asked for and available.
    let mut message = [&query[..2], &[0x81 | truncated, 0x80 | code, 0, 1]].concat();
    message.extend_from_slice(&count.to_be_bytes());
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&query[12..end]);
    let mut owner = name;
    for record in records {
        let (kind, data) = match record {
            Record::A(octets) => (A, Ipv4Addr::from(*octets).octets().to_vec()),
            Record::Aaaa(address) => (AAAA, address.parse::<Ipv6Addr>().unwrap().octets().to_vec()),
            Record::Alias(target) => (CNAME, encoded(target)),
        };
        message.extend(encoded(&owner));
        // Of the internet, and to be kept for no time at all.
        message.extend([&kind.to_be_bytes()[..], &[0, 1, 0, 0, 0, 0]].concat());
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(data);
        if let Record::Alias(target) = record {
            owner = (*target).to_owned();
        }
    }
    if matches!(reply, Reply::Garbage) {
        message.extend_from_slice(&[0xc0, 0xff, 0, 1, 0, 1, 0, 0, 0, 0, 0xff, 0xff]);
    }
    message
}

fn encoded(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
    labels.chain([0]).collect()
}
