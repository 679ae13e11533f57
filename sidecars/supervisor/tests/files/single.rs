//! One file at a time.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, UNIX_EPOCH};

use packhost_session_protocol::message::{EntryKind, ExecInput, Fault, FileReply, Get, Opening, Put, Remove};
use packhost_session_protocol::{FrameError, Kind};
use tokio::io::AsyncWriteExt;

use crate::place::{Place, ask, fault, open, send};

fn names(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.path("")).expect("it is there");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
    names.sort();
    names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn what_is_put_is_got_with_its_mode_and_owner() {
    let place = Place::new();
    let content: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let put = Put { mode: 0o107_751, ..place.put(place.path("a")) };
    assert_eq!(send(Opening::Put(put), &content).await, FileReply::Done);
    let about = fs::metadata(place.path("a")).expect("it is there");
    assert_eq!((about.mode() & 0o7777, about.uid(), about.gid()), (0o751, 1000, 1000));
    let answer = ask(Opening::Get(place.get(place.path("a")))).await;
    assert_eq!((answer.last, answer.entries[0].size), (FileReply::Done, 300_000));
    assert!(answer.output == content);
    assert_eq!(names(&place), ["a"]);
}

#[tokio::test]
async fn a_part_of_a_file_is_got_by_offset_and_length() {
    let place = Place::new();
    fs::write(place.path("a"), "0123456789").expect("root");
    for (offset, length, expected) in [
        (3, Some(4), "3456"),
        (8, Some(100), "89"),
        (5, None, "56789"),
        (0, Some(0), ""),
        (10, None, ""),
        (u64::MAX, Some(u64::MAX), ""),
    ] {
        let get = Get { offset, length, ..place.get(place.path("a")) };
        let answer = ask(Opening::Get(get)).await;
        assert_eq!((answer.output, answer.last), (expected.into(), FileReply::Done));
    }
}

#[tokio::test]
async fn sixty_four_mebibytes_pass_in_bounded_memory() {
    const SIZE: usize = 64 << 20;
    let mut place = Place::new();
    // The kernel holds the worker to it: one that kept the file would not end well.
    place.confinement.rlimits.data = Some(40 << 20);
    let piece: Vec<u8> = (0..65_521_u32).map(|number| (number * 31 % 251) as u8).collect();
    let mut asked = open(Opening::Put(place.put(place.path("a"))));
    let mut sent = 0;
    while sent < SIZE {
        let length = piece.len().min(SIZE - sent);
        asked.host.data(Kind::Input, &piece[..length]).await.expect("it is read");
        sent += length;
    }
    asked.host.say(&ExecInput::End).await.expect("it is read");
    assert_eq!(asked.answer().await.last, FileReply::Done);
    let mut asked = open(Opening::Get(place.get(place.path("a"))));
    let mut got = 0;
    loop {
        let frame = asked.host.next().await.expect("frames").expect("a last message");
        if frame.kind == Kind::Output {
            let expected = piece.iter().cycle().skip(got % piece.len());
            assert!(frame.payload.iter().zip(expected).all(|(byte, expected)| byte == expected));
            got += frame.payload.len();
        } else if frame.message::<FileReply>().expect("a reply") == FileReply::Done {
            break;
        }
    }
    assert_eq!(got, SIZE);
    let status = fs::read_to_string("/proc/self/status").expect("proc");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let peak: usize = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(peak < 40 << 10, "{peak} KiB");
}

#[tokio::test]
async fn a_put_takes_the_place_of_a_file_or_link_and_of_nothing_else() {
    let place = Place::new();
    fs::write(place.path("target"), "kept").expect("root");
    symlink(place.path("target"), place.path("link")).expect("root");
    fs::write(place.path("file"), "old").expect("root");
    fs::create_dir(place.path("dir")).expect("root");
    for name in ["link", "file", "link/"] {
        assert_eq!(send(Opening::Put(place.put(place.path(name))), b"new").await, FileReply::Done, "{name}");
        let name = name.trim_end_matches('/');
        assert!(place.path(name).symlink_metadata().expect("it is there").is_file());
        assert_eq!(fs::read(place.path(name)).expect("root"), b"new");
    }
    assert_eq!(fs::read(place.path("target")).expect("root"), b"kept");
    let reply = send(Opening::Put(place.put(place.path("dir"))), b"new").await;
    assert_eq!(fault(&reply), Some(Fault::WrongKind));
    assert_eq!(names(&place), ["dir", "file", "link", "target"]);
}

#[tokio::test]
async fn a_new_file_is_none_that_is_there() {
    let place = Place::new();
    let put = || Opening::Put(Put { new: true, ..place.put(place.path("a")) });
    assert_eq!(send(put(), b"1").await, FileReply::Done);
    assert_eq!(fault(&send(put(), b"2").await), Some(Fault::Exists));
    symlink("/nowhere", place.path("link")).expect("root");
    let link = Put { new: true, ..place.put(place.path("link")) };
    assert_eq!(fault(&send(Opening::Put(link), b"2").await), Some(Fault::Exists));
    // Somebody makes it while it is sent.
    let mut asked = open(Opening::Put(Put { new: true, ..place.put(place.path("b")) }));
    asked.host.data(Kind::Input, b"mine").await.expect("it is read");
    fs::write(place.path("b"), "theirs").expect("root");
    asked.host.say(&ExecInput::End).await.expect("it is read");
    assert_eq!(fault(&asked.answer().await.last), Some(Fault::Exists));
    assert_eq!(fs::read(place.path("b")).expect("root"), b"theirs");
    assert_eq!(names(&place), ["a", "b", "link"]);
}

#[tokio::test]
async fn missing_directories_are_made_where_that_is_asked_for() {
    let place = Place::new();
    let put = place.put(place.path("a/b/c"));
    assert_eq!(fault(&send(Opening::Put(put.clone()), b"1").await), Some(Fault::NotFound));
    assert_eq!(send(Opening::Put(Put { parents: true, ..put }), b"1").await, FileReply::Done);
    assert_eq!(fs::metadata(place.path("a/b")).expect("made").mode() & 0o7777, 0o755);
    let made = place.make(place.path("d/e/"), 0o700);
    for _ in 0..2 {
        assert_eq!(ask(Opening::MakeDirectory(made.clone())).await.last, FileReply::Done);
    }
    let modes = ["d", "d/e"].map(|name| fs::metadata(place.path(name)).expect("made").mode() & 0o7777);
    assert_eq!(modes, [0o755, 0o700]);
    let reply = ask(Opening::MakeDirectory(place.make(place.path("a/b/c"), 0o755))).await.last;
    assert_eq!(fault(&reply), Some(Fault::WrongKind));
    assert_eq!(ask(Opening::MakeDirectory(place.make("/", 0o755))).await.last, FileReply::Done);
}

#[tokio::test]
async fn a_put_that_is_cut_off_leaves_nothing() {
    let place = Place::new();
    let mut asked = open(Opening::Put(place.put(place.path("a"))));
    asked.host.data(Kind::Input, &[1; 200_000]).await.expect("it is read");
    drop(asked.host);
    asked.served.await.expect("it ends");
    let mut asked = open(Opening::Put(place.put(place.path("b"))));
    asked.host.data(Kind::Input, &[1; 200_000]).await.expect("it is read");
    asked.host.get_mut().write_all(&[1, 0, 1]).await.expect("half a frame");
    asked.host.get_mut().shutdown().await.expect("it is open");
    assert!(matches!(asked.host.next().await, Ok(None) | Err(FrameError::Broken(_))), "no answer");
    asked.served.await.expect("it ends");
    // A future that nobody waits for any more.
    let mut asked = open(Opening::Put(place.put(place.path("c"))));
    asked.host.data(Kind::Input, &[1; 200_000]).await.expect("it is read");
    asked.served.abort();
    crate::leaks::until_all_workers_are_gone().await;
    assert!(names(&place).is_empty(), "{:?}", names(&place));
}

#[tokio::test]
async fn what_is_no_regular_file_is_not_read_and_does_not_block() {
    let place = Place::new();
    let fifo = std::ffi::CString::new(crate::place::bytes(place.path("fifo"))).expect("no NUL");
    // SAFETY: the string ends with a NUL.
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o666) }, 0);
    std::os::unix::net::UnixListener::bind(place.path("socket")).expect("a socket");
    fs::create_dir(place.path("dir")).expect("root");
    symlink("fifo", place.path("link")).expect("root");
    for name in ["fifo", "socket", "dir", "link"] {
        let answer = ask(Opening::Get(place.get(place.path(name)))).await;
        assert_eq!(fault(&answer.last), Some(Fault::WrongKind), "{name}");
        assert!(answer.entries.is_empty());
    }
    assert_eq!(fault(&ask(Opening::Get(place.get("/dev/zero"))).await.last), Some(Fault::WrongKind));
}

#[tokio::test]
async fn stat_tells_what_is_under_a_name() {
    let place = Place::new();
    fs::write(place.path("file"), "12345").expect("root");
    fs::set_permissions(place.path("file"), fs::Permissions::from_mode(0o4640)).expect("root");
    let file = fs::File::options().write(true).open(place.path("file")).expect("root");
    file.set_modified(UNIX_EPOCH - Duration::from_millis(1500)).expect("root");
    symlink("file", place.path("link")).expect("root");
    let stat = async |name: &str, follow| match ask(Opening::Stat(place.stat(place.path(name), follow)))
        .await
        .last
    {
        FileReply::Entry(entry) => entry,
        other => panic!("{other:?}"),
    };
    let file = stat("file", false).await;
    assert_eq!((file.kind, file.size, file.mode, file.modified_ms), (EntryKind::File, 5, 0o4640, -1500));
    assert!(file.path.is_empty() && file.target.is_none());
    let link = stat("link", false).await;
    assert_eq!((link.kind, link.size, link.target), (EntryKind::Link, 0, Some(b"file".to_vec().into())));
    assert_eq!(stat("link", true).await, file);
    assert_eq!(stat("", false).await.kind, EntryKind::Directory);
    let gone = ask(Opening::Stat(place.stat(place.path("gone"), false))).await;
    assert_eq!(fault(&gone.last), Some(Fault::NotFound));
}

#[tokio::test]
async fn rename_and_remove_act_on_the_name_itself() {
    let place = Place::new();
    fs::write(place.path("a"), "a").expect("root");
    fs::write(place.path("b"), "b").expect("root");
    symlink("b", place.path("link")).expect("root");
    let renamed = ask(Opening::Rename(place.rename(place.path("a"), place.path("link")))).await;
    assert_eq!(renamed.last, FileReply::Done);
    assert_eq!((fs::read(place.path("link")), fs::read(place.path("b"))).0.expect("root"), b"a");
    fs::create_dir_all(place.path("d/e")).expect("root");
    crate::place::give(&place.path("d"));
    let below = ask(Opening::Rename(place.rename(place.path("d"), place.path("d/e/f")))).await;
    assert_eq!(fault(&below.last), Some(Fault::WrongKind));
    let once = Remove { recursive: false, ..place.remove(place.path("d")) };
    assert_eq!(fault(&ask(Opening::Remove(once)).await.last), Some(Fault::WrongKind));
    symlink("d", place.path("to-d")).expect("root");
    for name in ["to-d", "link", "d"] {
        assert_eq!(
            ask(Opening::Remove(place.remove(place.path(name)))).await.last,
            FileReply::Done,
            "{name}"
        );
    }
    assert_eq!(names(&place), ["b"]);
    let again = ask(Opening::Remove(place.remove(place.path("d")))).await;
    assert_eq!(fault(&again.last), Some(Fault::NotFound));
}

#[tokio::test]
async fn paths_that_are_none_are_malformed() {
    let place = Place::new();
    for path in ["", "a", "/a\0b", &"/a".repeat(2048)] {
        let reply = send(Opening::Put(place.put(path)), b"1").await;
        assert_eq!(fault(&reply), Some(Fault::Malformed), "{path:?}");
    }
    for path in ["/", "/tmp/..", "/tmp/."] {
        let answer = ask(Opening::Remove(place.remove(path))).await;
        assert_eq!(fault(&answer.last), Some(Fault::Malformed), "{path:?}");
    }
    assert!(packhost_supervisor::files::Request::try_from(Opening::Ping) == Err(Opening::Ping));
}
