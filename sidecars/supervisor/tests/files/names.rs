//! Names with every byte, and random trees.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use packhost_session_protocol::message::{FileReply, Opening, Put};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::place::{Place, ask, give, send, snapshot};

#[tokio::test]
async fn every_byte_is_good_in_a_name() {
    let place = Place::new();
    let names: BTreeSet<Vec<u8>> =
        (1..=255_u8).filter(|byte| *byte != b'/').map(|byte| vec![byte, b'x', byte]).collect();
    for name in &names {
        assert_eq!(send(Opening::Put(place.put(place.path(name))), name).await, FileReply::Done);
    }
    let listed = ask(Opening::List(place.list(place.path(""), 1, 1000))).await;
    let found: Vec<_> = listed.entries.iter().map(|entry| entry.path.to_vec()).collect();
    assert_eq!(found, names.iter().cloned().collect::<Vec<_>>(), "sorted by their bytes");
    let packed = ask(Opening::Pack(place.pack(place.path("")))).await.output;
    assert_eq!(send(Opening::Unpack(place.unpack(place.path("again"))), &packed).await, FileReply::Done);
    for name in &names {
        let path = place.path("again").join(OsStr::from_bytes(name));
        assert_eq!(ask(Opening::Get(place.get(&path))).await.output, *name);
        assert_eq!(ask(Opening::Remove(place.remove(&path))).await.last, FileReply::Done);
    }
    assert_eq!(fs::read_dir(place.path("again")).expect("unpacked").count(), 0);
}

#[tokio::test]
async fn a_path_may_be_as_long_as_the_kernel_takes() {
    let place = Place::new();
    let mut path = crate::place::bytes(place.path(""));
    while path.len() + 2 < 4095 {
        let part = 250.min(4095 - path.len() - 1);
        path.extend(b"/".iter().chain(&vec![b'p'; part]));
    }
    path.resize(4095, b'p');
    let path = PathBuf::from(OsStr::from_bytes(&path));
    let put = Put { parents: true, ..place.put(&path) };
    assert_eq!(send(Opening::Put(put), b"deep").await, FileReply::Done);
    assert_eq!(ask(Opening::Get(place.get(&path))).await.output, b"deep");
    assert_eq!(ask(Opening::Remove(place.remove(&path))).await.last, FileReply::Done);
}

#[derive(Debug, Clone)]
enum Thing {
    Directory(u32),
    File(u32, Vec<u8>),
    Link(Vec<u8>),
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), Just(b'\n'), Just(b'='), Just(b'a')];
    let length = prop_oneof![4 => 1..20_usize, 1 => 90..110_usize, 1 => 240..256_usize];
    length
        .prop_flat_map(move |length| vec(byte.clone(), length))
        .prop_filter("a name", |name| !name.iter().any(|byte| matches!(byte, 0 | b'/')) && name[0] != b'.')
}

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        (0..0o1000_u32).prop_map(|mode| Thing::Directory(mode | 0o500)),
        (0..0o1000_u32, vec(any::<u8>(), 0..2000)).prop_map(|(mode, bytes)| Thing::File(mode | 0o400, bytes)),
        vec(1..=255_u8, 1..300).prop_map(Thing::Link),
    ]
}

/// Makes things, each in one of the directories before it.
fn plant(place: &Place, things: &[(Vec<u8>, usize, Thing, i64)]) {
    let top = place.path("from");
    fs::create_dir(&top).expect("root");
    let mut dirs = vec![top.clone()];
    let mut modes = BTreeMap::new();
    for (name, within, thing, seconds) in things {
        let path = dirs[within % dirs.len()].join(OsStr::from_bytes(name));
        if path.symlink_metadata().is_ok() || path.as_os_str().len() > 3500 {
            continue;
        }
        match thing {
            Thing::Directory(mode) => {
                fs::create_dir(&path).expect("root");
                modes.insert(path.clone(), *mode);
                dirs.push(path);
            }
            Thing::File(mode, bytes) => {
                fs::write(&path, bytes).expect("root");
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).expect("root");
                let age = Duration::from_millis(seconds.unsigned_abs());
                let time = if *seconds < 0 { UNIX_EPOCH - age } else { UNIX_EPOCH + age };
                fs::File::options().write(true).open(&path).expect("root").set_modified(time).expect("root");
            }
            Thing::Link(target) => symlink(OsStr::from_bytes(target), &path).expect("root"),
        }
    }
    give(&top);
    for (path, mode) in modes.iter().rev() {
        fs::set_permissions(path, fs::Permissions::from_mode(*mode)).expect("root");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_that_is_packed_is_unpacked_alike(
        things in vec((name(), any::<usize>(), thing(), -5_000_000_000_i64..5_000_000_000_000), 0..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let place = Place::new();
        plant(&place, &things);
        let unpacked = runtime.block_on(async {
            let packed = ask(Opening::Pack(place.pack(place.path("from")))).await;
            assert_eq!(packed.last, FileReply::Done);
            send(Opening::Unpack(place.unpack(place.path("to"))), &packed.output).await
        });
        prop_assert_eq!(unpacked, FileReply::Done);
        prop_assert_eq!(snapshot(&place.path("to")), snapshot(&place.path("from")));
    }

    #[test]
    fn a_file_of_any_name_is_found_again(name in name(), content in vec(any::<u8>(), 0..100)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let place = Place::new();
        let got = runtime.block_on(async {
            assert_eq!(send(Opening::Put(place.put(place.path(&name))), &content).await, FileReply::Done);
            let listed = ask(Opening::List(place.list(place.path(""), 1, 10))).await.entries;
            assert!(listed.len() == 1 && *listed[0].path == name);
            ask(Opening::Get(place.get(place.path(&name)))).await.output
        });
        prop_assert_eq!(got, content);
    }

    #[test]
    fn no_bytes_make_the_reader_panic_or_reach_outside(
        members in vec((any::<u8>(), vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..600)), 0..6),
        flips in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
    ) {
        use std::os::fd::AsFd;
        let tar = members.iter().fold(crate::archive::Tar::new(), |tar, (kind, name, target, body)| {
            let kind = b"05xgLK27"[usize::from(*kind) % 8];
            let body = if matches!(kind, b'5' | b'2') { &[][..] } else { body };
            tar.member(kind, name, target, body.len() as u64, body)
        });
        let mut bytes = tar.finish();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let top = tempfile::tempdir().expect("a directory");
        fs::create_dir(top.path().join("in")).expect("root");
        let into = fs::File::open(top.path().join("in")).expect("root");
        let limits = packhost_supervisor::files::Limits { most_bytes: 10_000, most_entries: 10 };
        let _ = packhost_supervisor::files::unpack(&bytes[..], into.as_fd(), limits);
        prop_assert_eq!(fs::read_dir(top.path()).expect("root").count(), 1);
    }
}
