//! Large trees and deep ones.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use packhost_session_protocol::message::{EntryKind, FileReply, Opening};

use crate::place::{Place, ask, give, send};

/// Makes directories in one another, further than one path reaches.
fn deep(place: &Place, levels: usize, name: &str) {
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    let name = std::ffi::CString::new(name).expect("no NUL");
    let mut at: OwnedFd = fs::File::open(place.path("")).expect("root").into();
    for _ in 0..levels {
        // SAFETY: the name ends with a NUL, and the new descriptor belongs to nobody else.
        at = unsafe {
            assert_eq!(libc::mkdirat(at.as_raw_fd(), name.as_ptr(), 0o755), 0);
            assert_eq!(libc::fchownat(at.as_raw_fd(), name.as_ptr(), 1000, 1000, 0), 0);
            let next = libc::openat(at.as_raw_fd(), name.as_ptr(), libc::O_DIRECTORY | libc::O_CLOEXEC);
            assert!(next >= 0);
            OwnedFd::from_raw_fd(next)
        };
    }
}

#[tokio::test]
async fn a_thousand_levels_are_listed_packed_unpacked_and_removed_with_few_descriptors() {
    let mut place = Place::new();
    place.confinement.rlimits.open_files = Some(64);
    let name = "n".repeat(60);
    deep(&place, 1000, &name);
    let listed = ask(Opening::List(place.list(place.path(""), u32::MAX, 10_000))).await;
    assert_eq!((listed.entries.len(), listed.last), (1000, FileReply::Done));
    assert_eq!(listed.entries[999].path.len(), 1000 * 61 - 1);
    assert!(listed.entries.iter().zip(1..).all(|(entry, depth)| entry.path.len() == depth * 61 - 1));
    let packed = ask(Opening::Pack(place.pack(place.path("")))).await;
    assert_eq!(packed.last, FileReply::Done);
    assert_eq!(send(Opening::Unpack(place.unpack(place.path("to"))), &packed.output).await, FileReply::Done);
    let again = ask(Opening::List(place.list(place.path("to"), u32::MAX, 10_000))).await;
    assert_eq!(again.entries.len(), 1000);
    for top in [place.path("to"), place.path(&name)] {
        assert_eq!(ask(Opening::Remove(place.remove(top))).await.last, FileReply::Done);
    }
    assert_eq!(fs::read_dir(place.path("")).expect("root").count(), 0);
}

#[tokio::test]
async fn ten_thousand_files_are_listed_in_order_and_removed() {
    let place = Place::new();
    let mut paths = Vec::new();
    for number in 0..10_000_u32 {
        let path = PathBuf::from(format!("{:02}/{:04}", number % 10, number.wrapping_mul(7919) % 10_000));
        fs::create_dir_all(place.path("t").join(&path).parent().expect("below")).expect("root");
        fs::write(place.path("t").join(&path), b"").expect("root");
        paths.push(path);
    }
    give(&place.path("t"));
    paths.sort();
    let listed = ask(Opening::List(place.list(place.path("t"), 2, 20_000))).await;
    assert_eq!(listed.last, FileReply::Done);
    let files = listed.entries.iter().filter(|entry| entry.kind == EntryKind::File);
    let found: Vec<_> = files.map(|entry| String::from_utf8(entry.path.to_vec()).expect("text")).collect();
    assert_eq!(found, paths.iter().map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>());
    let some = ask(Opening::List(place.list(place.path("t"), 2, 1500))).await;
    assert_eq!((some.entries.len(), some.last), (1500, FileReply::More));
    assert_eq!(some.entries, listed.entries[..1500]);
    assert_eq!(ask(Opening::Remove(place.remove(place.path("t")))).await.last, FileReply::Done);
    assert_eq!(fs::read_dir(place.path("")).expect("root").count(), 0);
}

#[tokio::test]
async fn a_list_goes_as_deep_as_asked_and_never_through_links() {
    let place = Place::new();
    fs::create_dir_all(place.path("a/b/c")).expect("root");
    fs::write(place.path("a/b/f"), "1").expect("root");
    symlink("a", place.path("l")).expect("root");
    symlink("/", place.path("a/up")).expect("root");
    give(&place.path(""));
    let paths = async |depth, most| {
        let answer = ask(Opening::List(place.list(place.path(""), depth, most))).await;
        let entries = answer.entries.iter();
        let paths: Vec<_> =
            entries.map(|entry| String::from_utf8(entry.path.to_vec()).expect("text")).collect();
        (paths.join(" "), answer.last)
    };
    assert_eq!(paths(0, 9).await, (String::new(), FileReply::Done));
    assert_eq!(paths(1, 9).await, ("a l".into(), FileReply::Done));
    assert_eq!(paths(2, 9).await, ("a a/b a/up l".into(), FileReply::Done));
    assert_eq!(paths(9, 9).await, ("a a/b a/b/c a/b/f a/up l".into(), FileReply::Done));
    assert_eq!(paths(9, 6).await, ("a a/b a/b/c a/b/f a/up l".into(), FileReply::Done));
    assert_eq!(paths(9, 5).await, ("a a/b a/b/c a/b/f a/up".into(), FileReply::More));
    assert_eq!(paths(9, 0).await, (String::new(), FileReply::More));
    let answer = ask(Opening::List(place.list(place.path("l"), 1, 9))).await;
    assert_eq!(crate::place::fault(&answer.last), Some(packhost_session_protocol::message::Fault::WrongKind));
}
