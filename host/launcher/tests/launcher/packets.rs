//! What a host sends that is no request.

use std::os::fd::OwnedFd;

use rustix::net::{RecvFlags, SendFlags};

use crate::scene::Scene;

crate::trials![what_is_no_request_is_refused_and_the_next_one_answered];

/// Request 7, for the list from its beginning, and its answer: the list is empty.
const LIST: &[u8] = &[0x82, 7, 0x82, 5, 0x81, 0x60];
const EMPTY: &[u8] = &[0x82, 7, 0x82, 6, 0x81, 0x80];
/// What a refusal begins with that belongs to no request.
const REFUSED: &[u8] = &[0x82, 0, 0x82, 0];

fn exchange(channel: &OwnedFd, packet: &[u8]) -> Vec<u8> {
    rustix::net::send(channel, packet, SendFlags::NOSIGNAL).expect("it is there");
    let mut answer = vec![0; 1 << 16];
    let (length, _) = rustix::net::recv(channel, &mut answer, RecvFlags::empty()).expect("it is there");
    answer.truncate(length);
    answer
}

async fn what_is_no_request_is_refused_and_the_next_one_answered() {
    let scene = Scene::new();
    let (mut launcher, channel) = scene.another();
    // Garbage, nothing, too much, a good beginning, a request that there is not, a list longer than everything.
    let giant = vec![0x82; 100_000];
    let bad: [&[u8]; 6] = [
        b"garbage",
        b"",
        &giant,
        &LIST[..4],
        &[0x82, 7, 0x82, 0x18, 99, 0x80],
        &[0x9b, 0xff, 0xff, 0xff, 0xff],
    ];
    for packet in bad {
        let answer = exchange(&channel, packet);
        assert!(answer.starts_with(REFUSED), "{packet:x?}: {answer:x?}");
        assert_eq!(exchange(&channel, LIST), EMPTY);
    }
    drop(channel);
    assert!(launcher.wait().expect("our child").success());
}
