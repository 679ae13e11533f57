//! Whatever comes over a stream: the host does not panic, and no server reads a byte of it.

use super::super::support::*;
use super::support::*;
use packhost_egress::*;
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Pieces of requests and of TLS, and bytes that are neither.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        &b"GET "[..],
        b"CONNECT ",
        b"POST ",
        b"http://granted.test/",
        b"https://granted.test:443/",
        b"granted.test:443",
        b"[::1]:443",
        b"/",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"Host: granted.test\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Upgrade: h2c\r\n",
        b"Expect: 100-continue\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x00\x05",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ]);
    let piece = prop_oneof![
        3 => words.prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_make_a_request_that_no_rule_grants(bytes in noise()) {
        runtime().block_on(async {
            let names = names();
            let call = call(&[], &[]);
            let mut client = proxied(&egress(&names), &call);
            client.send(&bytes).await;
            drop(client.close().await);
            assert!(names.asked().is_empty(), "a name was looked up");
            let denied = |contact: &Contact| contact.decision == Decision::DeniedByRule;
            assert!(call.contacts().list.iter().all(denied), "{:?}", call.contacts());
        });
    }

    #[test]
    fn no_bytes_get_through_a_tunnel_but_behind_a_hello(
        bytes in noise(),
        cut in 0..600_usize,
        flips in prop::collection::vec((0..300_usize, 1..=255_u8), 0..3),
    ) {
        runtime().block_on(async {
            let mut server = Silent::start().await;
            // A hello to another server, cut and damaged, and noise behind it.
            let mut sent = hello("other.test");
            sent.truncate(cut);
            for (at, flip) in flips {
                if let Some(byte) = sent.get_mut(at) {
                    *byte ^= flip;
                }
            }
            sent.extend_from_slice(&bytes);
            let call = loopback();
            let mut client = proxied(&named(), &call);
            client.connect(&format!("granted.test:{}", server.address.port())).await;
            client.send(&sent).await;
            drop(client.close().await);
            assert_eq!(server.read().await, b"");
            assert_eq!(contact(&call).sent, 0);
        });
    }
}
