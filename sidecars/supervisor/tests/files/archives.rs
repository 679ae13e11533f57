//! Trees as archives: what GNU tar makes of them and of ours, and what an archive may not do.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use packhost_session_protocol::Kind;
use packhost_session_protocol::message::{ExecInput, Fault, FileReply, Opening, Pack, Unpack};

use crate::archive::Tar;
use crate::place::{Place, ask, fault, give, open, send, snapshot};

/// Every kind of thing that is packed, with names that are long, odd, and no UTF-8.
fn tree(at: &Path) {
    let long = "long/".repeat(60) + &"n".repeat(200);
    for (name, content) in [("a", "1"), ("d/e/f\n \\\"", "22"), ("empty", ""), (&long, "333"), ("ä", "4")] {
        let path = at.join(name);
        fs::create_dir_all(path.parent().expect("below")).expect("root");
        fs::write(&path, content).expect("root");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("root");
        let file = fs::File::options().write(true).open(path).expect("root");
        file.set_modified(UNIX_EPOCH + Duration::new(1_600_000_000, 123_456_789)).expect("root");
    }
    fs::create_dir(at.join("nothing")).expect("root");
    symlink("a", at.join("link")).expect("root");
    symlink("/".to_owned() + &"t".repeat(300), at.join("far")).expect("root");
    fs::write(at.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff\x01")), "5")
        .expect("root");
    fs::set_permissions(at.join("d/e"), fs::Permissions::from_mode(0o555)).expect("root");
    give(at);
}

fn tar(args: &[&str], dir: &Path, input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("tar");
    command.args(args).arg("-C").arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
    if args.contains(&"-cf") {
        command.arg(".");
    }
    let mut child = command.spawn().expect("GNU tar");
    child.stdin.take().expect("piped").write_all(input).expect("it reads");
    let output = child.wait_with_output().expect("it runs");
    assert!(output.status.success());
    output.stdout
}

#[tokio::test]
async fn what_gnu_tar_packs_is_unpacked_alike() {
    for (format, exact) in [("--format=posix", true), ("--format=gnu", false)] {
        let place = Place::new();
        fs::create_dir(place.path("from")).expect("root");
        tree(&place.path("from"));
        let archive = tar(&[format, "-cf", "-"], &place.path("from"), b"");
        assert_eq!(send(Opening::Unpack(place.unpack(place.path("to"))), &archive).await, FileReply::Done);
        let (mut from, to) = (snapshot(&place.path("from")), snapshot(&place.path("to")));
        if !exact {
            // That format has whole seconds.
            from.values_mut().for_each(|about| about.2 = 0);
        }
        assert_eq!(to, from, "{format}");
        assert_eq!(fs::metadata(place.path("to/a")).expect("unpacked").uid(), 1000);
    }
}

#[tokio::test]
async fn gnu_tar_unpacks_alike_what_is_packed() {
    let place = Place::new();
    fs::create_dir(place.path("from")).expect("root");
    tree(&place.path("from"));
    std::os::unix::net::UnixListener::bind(place.path("from/socket")).expect("a socket");
    let answer = ask(Opening::Pack(place.pack(place.path("from")))).await;
    assert_eq!(answer.last, FileReply::Done);
    fs::remove_file(place.path("from/socket")).expect("root");
    fs::create_dir(place.path("to")).expect("root");
    tar(&["-xpf", "-"], &place.path("to"), &answer.output);
    let (mut from, mut to) = (snapshot(&place.path("from")), snapshot(&place.path("to")));
    // Where the socket was removed.
    for all in [&mut from, &mut to] {
        all.values_mut().for_each(|about| about.2 = about.2.min(1));
    }
    assert_eq!(to, from);
}

#[tokio::test]
async fn an_archive_that_reaches_outside_is_refused_and_reaches_nothing() {
    let place = Place::new();
    fs::create_dir(place.path("canary")).expect("root");
    fs::write(place.path("canary/keep"), "kept").expect("root");
    give(&place.path("canary"));
    let canary = crate::place::bytes(place.path("canary"));
    let absolute = [&canary[..], b"/keep"].concat();
    let evil: [(&str, Tar); 9] = [
        ("dots", Tar::new().file(b"../canary/keep", b"evil")),
        ("dots within", Tar::new().dir(b"a").file(b"a/../../canary/keep", b"evil")),
        ("dots in records", Tar::new().records(&[b"path=../canary/keep"]).file(b"a", b"evil")),
        ("absolute", Tar::new().file(&absolute, b"evil")),
        ("absolute dir", Tar::new().dir(b"/tmp/evil")),
        ("through a link", Tar::new().link(b"l", b"../canary").file(b"l/keep", b"evil")),
        ("through an absolute link", Tar::new().link(b"l", &canary).file(b"l/keep", b"evil")),
        ("dir through a link", Tar::new().link(b"l", &canary).dir(b"l/evil")),
        ("link through a link", Tar::new().link(b"l", &canary).dir(b"l").link(b"l/evil", b"x")),
    ];
    for (what, archive) in evil {
        let reply = send(Opening::Unpack(place.unpack(place.path("to"))), &archive.finish()).await;
        assert_eq!(fault(&reply), Some(Fault::Denied), "{what}: {reply:?}");
        assert_eq!(fs::read(place.path("canary/keep")).expect("root"), b"kept", "{what}");
        assert_eq!(fs::read_dir(place.path("canary")).expect("root").count(), 1, "{what}");
        let _ = fs::remove_dir_all(place.path("to"));
    }
    // A file in a link's place is the file, and not what the link leads to.
    let archive = Tar::new().link(b"l", &absolute).file(b"l", b"new").finish();
    assert_eq!(send(Opening::Unpack(place.unpack(place.path("to"))), &archive).await, FileReply::Done);
    assert!(place.path("to/l").symlink_metadata().expect("unpacked").is_file());
    assert_eq!(fs::read(place.path("canary/keep")).expect("root"), b"kept");
    // Nor is the directory itself a link.
    symlink(place.path("canary"), place.path("start")).expect("root");
    let archive = Tar::new().file(b"keep", b"evil").finish();
    let reply = send(Opening::Unpack(place.unpack(place.path("start"))), &archive).await;
    assert_eq!(fault(&reply), Some(Fault::WrongKind));
}

#[tokio::test]
async fn what_is_neither_file_nor_directory_nor_link_is_refused() {
    let place = Place::new();
    for kind in *b"1346SVMDN" {
        let archive = Tar::new().member(kind, b"x", b"a", 0, b"").finish();
        let reply = send(Opening::Unpack(place.unpack(place.path("to"))), &archive).await;
        assert_eq!(fault(&reply), Some(Fault::Unsupported), "{}", char::from(kind));
    }
    let sparse: &[&[u8]] = &[b"GNU.sparse.major=1", b"GNU.sparse.realsize=99999999999"];
    let archive = Tar::new().records(sparse).file(b"x", b"0\n").finish();
    let reply = send(Opening::Unpack(place.unpack(place.path("to"))), &archive).await;
    assert_eq!(fault(&reply), Some(Fault::Unsupported));
    assert_eq!(fs::read_dir(place.path("to")).expect("made").count(), 0);
}

#[tokio::test]
async fn archives_that_are_broken_are_malformed() {
    let place = Place::new();
    let mut flipped = Tar::new().file(b"a", b"1").finish();
    flipped[1] ^= 1;
    let deep = [b"a/".repeat(300_000).as_slice()].concat();
    let broken: [(&str, Vec<u8>); 14] = [
        ("nothing", Vec::new()),
        ("half a header", vec![1; 100]),
        ("no archive", vec![b'x'; 2048]),
        ("a flipped bit", flipped),
        ("no end", Tar::new().file(b"a", b"1").cut()),
        ("half a file", Tar::new().file(b"a", &[1; 2000]).cut()[..1500].to_vec()),
        ("a size of all bits", Tar::new().member(b'5', b"a", b"", u64::MAX, b"").finish()),
        ("a directory with a size", Tar::new().member(b'5', b"a", b"", 5, b"12345").finish()),
        ("records that are none", Tar::new().member(b'x', b"", b"", 5, b"12345").finish()),
        ("records without an end", Tar::new().member(b'x', b"", b"", 1 << 40, b"1").finish()),
        ("a long name without an end", Tar::new().member(b'L', b"", b"", 1 << 40, b"1").finish()),
        ("a NUL in a name", Tar::new().records(&[b"path=a\0b"]).file(b"a", b"1").finish()),
        (
            "a path that is too long",
            Tar::new().records(&[&[b"path=", &deep[..]].concat()]).file(b"a", b"1").finish(),
        ),
        ("a global path", Tar::new().member(b'g', b"", b"", 10, b"10 path=a\n").file(b"b", b"1").finish()),
    ];
    for (what, archive) in broken {
        let reply = send(Opening::Unpack(place.unpack(place.path("to"))), &archive).await;
        assert_eq!(fault(&reply), Some(Fault::Malformed), "{what}: {reply:?}");
    }
    let many = (0..20).fold(Tar::new(), |tar, _| tar.records(&[b"comment=a"])).file(b"a", b"1").finish();
    assert_eq!(
        fault(&send(Opening::Unpack(place.unpack(place.path("to"))), &many).await),
        Some(Fault::Malformed)
    );
    let mut endless = Tar::new().file(b"a", b"1").finish();
    endless.resize(3 << 20, 0);
    assert_eq!(
        fault(&send(Opening::Unpack(place.unpack(place.path("to"))), &endless).await),
        Some(Fault::Malformed)
    );
}

#[tokio::test]
async fn the_limits_on_bytes_and_entries_hold_both_ways() {
    let place = Place::new();
    let limited = |most_bytes, most_entries| {
        Opening::Unpack(Unpack { most_bytes, most_entries, ..place.unpack(place.path("to")) })
    };
    let two = || Tar::new().file(b"a", b"12345").file(b"b/c", b"123456").finish();
    assert_eq!(fault(&send(limited(10, 9), &two()).await), Some(Fault::Full));
    // The directory that nothing is said of counts.
    assert_eq!(fault(&send(limited(11, 2), &two()).await), Some(Fault::Full));
    fs::remove_dir_all(place.path("to")).expect("root");
    assert_eq!(send(limited(11, 3), &two()).await, FileReply::Done);
    // What a header says is believed before a byte is written.
    let bomb = Tar::new().member(b'0', b"bomb", b"", 1 << 60, b"1").cut();
    assert_eq!(fault(&send(limited(1 << 40, 9), &bomb).await), Some(Fault::Full));
    let bomb = Tar::new().records(&[b"size=18446744073709551615"]).file(b"bomb", b"1").cut();
    assert_eq!(fault(&send(limited(1 << 40, 9), &bomb).await), Some(Fault::Full));
    assert!(!place.path("to/bomb").exists());

    let limited = |most_bytes, most_entries| {
        Opening::Pack(Pack { most_bytes, most_entries, ..place.pack(place.path("to")) })
    };
    assert_eq!(fault(&ask(limited(10, 3)).await.last), Some(Fault::Full));
    assert_eq!(fault(&ask(limited(11, 2)).await.last), Some(Fault::Full));
    assert_eq!(ask(limited(11, 3)).await.last, FileReply::Done);
}

#[tokio::test]
async fn an_archive_that_is_cut_off_leaves_no_half_a_file() {
    let place = Place::new();
    let archive = Tar::new().file(b"a", b"1").file(b"b", &[1; 200_000]).finish();
    let mut asked = open(Opening::Unpack(place.unpack(place.path("to"))));
    asked.host.data(Kind::Input, &archive[..150_000]).await.expect("it is read");
    drop(asked.host);
    asked.served.await.expect("it ends");
    crate::leaks::until_all_workers_are_gone().await;
    let names: Vec<_> =
        fs::read_dir(place.path("to")).expect("made").map(|entry| entry.expect("one").file_name()).collect();
    assert_eq!(names, ["a"]);
}

#[tokio::test]
async fn what_is_there_is_replaced_and_directories_stay_as_they_are() {
    let place = Place::new();
    fs::create_dir_all(place.path("to/d")).expect("root");
    fs::write(place.path("to/f"), "old").expect("root");
    fs::set_permissions(place.path("to/d"), fs::Permissions::from_mode(0o700)).expect("root");
    give(&place.path("to"));
    let archive =
        Tar::new().dir(b"./").dir(b"d/").file(b"./d//x", b"1").file(b"f", b"new").link(b"d/x", b"f").finish();
    assert_eq!(send(Opening::Unpack(place.unpack(place.path("to"))), &archive).await, FileReply::Done);
    assert_eq!(fs::metadata(place.path("to/d")).expect("there").mode() & 0o777, 0o700);
    assert_eq!(fs::read(place.path("to/f")).expect("root"), b"new");
    assert_eq!(fs::read_link(place.path("to/d/x")).expect("a link"), Path::new("f"));
    for wrong in [
        Tar::new().file(b"d", b"1"),
        Tar::new().dir(b"f"),
        Tar::new().file(b"f/x", b"1"),
        Tar::new().link(b"d", b"f"),
    ] {
        let reply = send(Opening::Unpack(place.unpack(place.path("to"))), &wrong.finish()).await;
        assert_eq!(fault(&reply), Some(Fault::WrongKind));
    }
    assert_eq!(snapshot(&place.path("to")).len(), 3, "nothing half done is left");
    let mut asked = open(Opening::Unpack(place.unpack(place.path("to"))));
    asked.host.say(&ExecInput::Kill).await.expect("it is read");
    asked.served.await.expect("what does not belong there ends it");
}
