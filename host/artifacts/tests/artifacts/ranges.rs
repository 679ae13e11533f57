//! Ranges of bytes, as RFC 9110 has them.

use futures::StreamExt as _;
use packhost_artifacts::{ArtifactError, Artifacts, ByteRange, InvalidRange, Unsatisfiable};
use proptest::prelude::*;

use crate::{Scene, ada, made, noise};

/// What a range means, in other words.
fn naive(bytes: &[u8], range: ByteRange) -> Option<&[u8]> {
    let size = bytes.len();
    let usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    match range {
        ByteRange::All => Some(bytes),
        ByteRange::From(first) => bytes.get(usize(first)..).filter(|rest| !rest.is_empty()),
        ByteRange::Between(first, last) if first <= last => {
            let end = usize(last).saturating_add(1).min(size);
            bytes.get(usize(first)..end).filter(|some| !some.is_empty())
        }
        ByteRange::Between(..) => None,
        ByteRange::Suffix(0) => None,
        ByteRange::Suffix(length) => Some(&bytes[size.saturating_sub(usize(length))..]),
    }
}

fn number(size: usize) -> impl Strategy<Value = u64> {
    let size = size as u64;
    prop_oneof![0..=size + 2, Just(size.saturating_sub(1)), Just(u64::MAX), any::<u64>()]
}

fn range(size: usize) -> impl Strategy<Value = ByteRange> {
    prop_oneof![
        Just(ByteRange::All),
        number(size).prop_map(ByteRange::From),
        (number(size), number(size)).prop_map(|(first, last)| ByteRange::Between(first, last)),
        number(size).prop_map(ByteRange::Suffix),
    ]
}

async fn agrees(artifacts: &Artifacts, id: &packhost_artifacts::ArtifactId, bytes: &[u8], range: ByteRange) {
    match (artifacts.read(&ada(), id, range).await, naive(bytes, range)) {
        (Ok(mut reading), Some(expected)) => {
            assert_eq!(reading.range.end - reading.range.start, expected.len() as u64);
            let mut got = Vec::new();
            while let Some(piece) = reading.next().await {
                got.extend_from_slice(&piece.expect("readable"));
            }
            assert!(got == expected, "{range:?} of {}", bytes.len());
        }
        (Err(ArtifactError::Range(Unsatisfiable { size })), None) => assert_eq!(size, bytes.len() as u64),
        (got, expected) => panic!("{range:?}: {got:?}, {:?}", expected.map(<[u8]>::len)),
    }
}

#[test]
fn a_range_is_the_slice_that_it_says() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let scene = Scene::new();
    let artifacts = runtime.block_on(scene.open());
    // None, one, and on both sides of the edge of a piece.
    let sizes = [0, 1, 2, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (2 << 20) + 77];
    let kept = sizes.map(|size| {
        let bytes = noise(size as u64, size);
        let id = runtime.block_on(made(&artifacts, &bytes)).id;
        (id, bytes)
    });
    let one = (0..sizes.len()).prop_flat_map(|at| (Just(at), range(sizes[at])));
    proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) }, |((at, range) in one)| {
        let (id, bytes) = &kept[at];
        runtime.block_on(agrees(&artifacts, id, bytes, range));
    });
}

#[test]
fn a_header_is_one_range_or_none() {
    for (text, range) in [
        ("bytes=0-0", ByteRange::Between(0, 0)),
        ("bytes=5-10", ByteRange::Between(5, 10)),
        ("Bytes= 5-10 ", ByteRange::Between(5, 10)),
        ("bytes=7-", ByteRange::From(7)),
        ("bytes=-7", ByteRange::Suffix(7)),
        ("bytes=99999999999999999999999-", ByteRange::From(u64::MAX)),
    ] {
        assert_eq!(text.parse(), Ok(range), "{text}");
    }
    for text in [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "0-1",
        "bits=0-1",
        "bytes=1-0",
        "bytes=0-1,3-4",
        "bytes=+1-2",
        "bytes=a-b",
        "bytes=1--2",
        "bytes=0x1-2",
        "bytes=٣-٤",
        "bytes=0 -1",
    ] {
        assert_eq!(text.parse::<ByteRange>(), Err(InvalidRange), "{text}");
    }
}
