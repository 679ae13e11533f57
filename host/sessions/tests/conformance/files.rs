//! Files, as the host puts and gets them.

use std::io;

use packhost_session_protocol::message::{EntryKind, Fault, MakeDirectory, Put, Remove, Rename, Stat};
use packhost_sessions::link::LinkError;
use tokio::io::AsyncReadExt;

use crate::bench::{Bench, until};
use crate::room::{fault, get, list, profile, put, reaching, rest, shell};

crate::behaviours![
    what_is_put_is_got_as_it_was,
    a_file_belongs_to_the_sandboxs_user_with_the_mode_that_was_asked_for,
    a_name_may_have_every_byte,
    a_part_of_a_file_is_got_by_place_and_length,
    a_file_is_replaced_as_a_whole,
    a_file_that_must_be_new_is_not_replaced,
    a_put_that_is_cut_off_leaves_nothing,
    a_directory_is_listed_as_deep_as_was_asked_and_no_more_entries,
    a_directory_is_removed_with_all_that_is_in_it_or_not_at_all,
    a_file_is_renamed_over_another,
    a_link_is_seen_as_one_or_followed,
    a_pipe_is_not_waited_for,
    a_file_that_is_not_there_is_said,
    files_are_reached_within_the_rules_alone,
];

fn stat(path: &str, follow: bool) -> Stat {
    Stat { path: path.as_bytes().to_vec().into(), follow, confinement: profile() }
}

fn remove(path: &str, recursive: bool) -> Remove {
    Remove { path: path.as_bytes().to_vec().into(), recursive, confinement: profile() }
}

fn rename(from: &str, to: &str) -> Rename {
    let bytes = |path: &str| path.as_bytes().to_vec().into();
    Rename { from: bytes(from), to: bytes(to), confinement: profile() }
}

async fn what_is_put_is_got_as_it_was(bench: &Bench) {
    let room = bench.room().await;
    for size in [0, 1, 65_536, 3_000_001] {
        let content: Vec<u8> = (0..=255_u8).cycle().take(size).collect();
        room.put("/sandbox/file", &content).await;
        assert!(room.get("/sandbox/file").await == content, "{size} bytes");
        assert_eq!(room.says(shell("wc -c < file")).await.trim(), size.to_string());
    }
}

async fn a_file_belongs_to_the_sandboxs_user_with_the_mode_that_was_asked_for(bench: &Bench) {
    let room = bench.room().await;
    let file = Put { mode: 0o751, ..put("/sandbox/file") };
    room.link.put(file, &b"x"[..]).await.expect("it is written");
    let directory =
        MakeDirectory { path: b"/sandbox/a/b".to_vec().into(), mode: 0o750, confinement: profile() };
    room.link.make_directory(directory).await.expect("it is made");
    let about = room.says(shell("stat -c '%a %u %g' file a/b")).await;
    assert_eq!(about, "751 1000 1000\n750 1000 1000\n");
}

async fn a_name_may_have_every_byte(bench: &Bench) {
    let room = bench.room().await;
    let bytes: Vec<u8> = (1..=255).filter(|byte| *byte != b'/').collect();
    let mut names: Vec<Vec<u8>> = bytes.chunks(60).map(<[u8]>::to_vec).collect();
    for name in &names {
        room.put([b"/sandbox/", name.as_slice()].concat(), name).await;
    }
    names.sort();
    assert_eq!(room.names("/sandbox", 1).await, names);
    for name in &names {
        assert_eq!(&room.get([b"/sandbox/", name.as_slice()].concat()).await, name);
    }
}

async fn a_part_of_a_file_is_got_by_place_and_length(bench: &Bench) {
    let room = bench.room().await;
    room.put("/sandbox/file", b"0123456789").await;
    for (offset, length, expected) in
        [(3, Some(4), "3456"), (8, Some(9), "89"), (5, None, "56789"), (99, None, "")]
    {
        let part = packhost_session_protocol::message::Get { offset, length, ..get("/sandbox/file") };
        let (entry, mut reader) = room.link.get(part).await.expect("it is there");
        let mut content = String::new();
        reader.read_to_string(&mut content).await.expect("it is read");
        assert_eq!((entry.size, content.as_str()), (10, expected));
    }
}

async fn a_file_is_replaced_as_a_whole(bench: &Bench) {
    let room = bench.room().await;
    room.put("/sandbox/file", b"old\n").await;
    let script = "exec 3< file; echo ready; while ! test -e go; do sleep 0.01; done; cat <&3; cat file";
    let (_exec, output) = room.ready(shell(script)).await;
    room.put("/sandbox/file", b"new\n").await;
    room.put("/sandbox/go", b"").await;
    assert_eq!(rest(output).await, "\nold\nnew\n");
}

async fn a_file_that_must_be_new_is_not_replaced(bench: &Bench) {
    let room = bench.room().await;
    room.put("/sandbox/file", b"old").await;
    let again = Put { new: true, ..put("/sandbox/file") };
    assert_eq!(fault(room.link.put(again, &b"new"[..]).await), Fault::Exists);
    assert_eq!(room.get("/sandbox/file").await, b"old");
}

async fn a_put_that_is_cut_off_leaves_nothing(bench: &Bench) {
    let room = bench.room().await;
    room.put("/sandbox/old", b"old").await;
    for path in ["/sandbox/new", "/sandbox/old"] {
        let content = tokio_util::io::StreamReader::new(futures::stream::iter([
            Ok(bytes::Bytes::from(vec![b'x'; 300_000])),
            Err(io::Error::other("no more")),
        ]));
        let cut = room.link.put(put(path), content).await;
        assert!(matches!(cut, Err(LinkError::Content(_))), "{cut:?}");
    }
    until("it is called off", async || room.names("/sandbox", 1).await == [b"old"]).await;
    assert_eq!(room.get("/sandbox/old").await, b"old");
}

async fn a_directory_is_listed_as_deep_as_was_asked_and_no_more_entries(bench: &Bench) {
    let room = bench.room().await;
    for path in ["/sandbox/a/b/c/d", "/sandbox/e"] {
        room.put(path, b"1234").await;
    }
    assert_eq!(room.names("/sandbox", 1).await, [&b"a"[..], b"e"]);
    assert_eq!(room.names("/sandbox", 2).await, [&b"a"[..], b"a/b", b"e"]);
    assert_eq!(room.names("/sandbox", 9).await, [&b"a"[..], b"a/b", b"a/b/c", b"a/b/c/d", b"e"]);
    let some = room.link.list(list("/sandbox", 9, 3)).await.expect("it is listed");
    assert_eq!((some.entries.len(), some.more), (3, true));
    let all = room.link.list(list("/sandbox", 9, 5)).await.expect("it is listed");
    assert_eq!((all.entries.len(), all.more), (5, false));
    let kinds =
        |path: &[u8]| all.entries.iter().find(|entry| &entry.path[..] == path).map(|entry| entry.kind);
    assert_eq!((kinds(b"a"), kinds(b"e")), (Some(EntryKind::Directory), Some(EntryKind::File)));
    assert_eq!(fault(room.link.list(list("/sandbox/e", 1, 9)).await), Fault::WrongKind);
}

async fn a_directory_is_removed_with_all_that_is_in_it_or_not_at_all(bench: &Bench) {
    let room = bench.room().await;
    room.says(shell("mkdir -p tree/a/b; touch tree/a/b/c; ln -s /tmp tree/link; touch /tmp/stays")).await;
    assert_eq!(fault(room.link.remove(remove("/sandbox/tree", false)).await), Fault::WrongKind);
    room.link.remove(remove("/sandbox/tree", true)).await.expect("it is removed");
    assert_eq!(room.says(shell("ls; ls /tmp")).await, "stays\n");
    assert_eq!(fault(room.link.remove(remove("/sandbox/tree", true)).await), Fault::NotFound);
}

async fn a_file_is_renamed_over_another(bench: &Bench) {
    let room = bench.room().await;
    room.put("/sandbox/a", b"a").await;
    room.put("/sandbox/b", b"b").await;
    room.link.rename(rename("/sandbox/a", "/sandbox/b")).await.expect("it is renamed");
    assert_eq!(room.names("/sandbox", 1).await, [b"b"]);
    assert_eq!(room.get("/sandbox/b").await, b"a");
    assert_eq!(fault(room.link.rename(rename("/sandbox/a", "/sandbox/c")).await), Fault::NotFound);
}

async fn a_link_is_seen_as_one_or_followed(bench: &Bench) {
    let room = bench.room().await;
    room.says(shell("echo four > file; ln -s file link; ln -s none lost")).await;
    let link = room.link.stat(stat("/sandbox/link", false)).await.expect("it is there");
    assert_eq!((link.kind, link.target.map(|to| to.to_vec())), (EntryKind::Link, Some(b"file".to_vec())));
    let file = room.link.stat(stat("/sandbox/link", true)).await.expect("it is there");
    assert_eq!((file.kind, file.size), (EntryKind::File, 5));
    assert_eq!(fault(room.link.stat(stat("/sandbox/lost", true)).await), Fault::NotFound);
}

async fn a_pipe_is_not_waited_for(bench: &Bench) {
    let room = bench.room().await;
    room.says(shell("mkfifo pipe")).await;
    assert_eq!(fault(room.link.get(get("/sandbox/pipe")).await), Fault::WrongKind);
    let pipe = room.link.stat(stat("/sandbox/pipe", false)).await.expect("it is there");
    assert_eq!(pipe.kind, EntryKind::Other);
}

async fn a_file_that_is_not_there_is_said(bench: &Bench) {
    let room = bench.room().await;
    assert_eq!(fault(room.link.get(get("/sandbox/none")).await), Fault::NotFound);
    let alone = Put { parents: false, ..put("/sandbox/none/file") };
    assert_eq!(fault(room.link.put(alone, &b""[..]).await), Fault::NotFound);
    assert_eq!(fault(room.link.get(get("/sandbox")).await), Fault::WrongKind);
}

async fn files_are_reached_within_the_rules_alone(bench: &Bench) {
    let room = bench.room().await;
    room.says(shell("echo x > /tmp/file; ln -s /tmp/file link")).await;
    let narrow = || reaching(&[], &["/sandbox"]);
    let read = |path: &str| packhost_session_protocol::message::Get { confinement: narrow(), ..get(path) };
    for path in ["/tmp/file", "/sandbox/link", "/sandbox/../tmp/file"] {
        assert_eq!(fault(room.link.get(read(path)).await), Fault::Denied, "{path}");
    }
    // Where programs see no processes but their own, it is not even there.
    let refused = fault(room.link.get(read("/proc/1/environ")).await);
    assert!(matches!(refused, Fault::Denied | Fault::NotFound), "{refused:?}");
    for path in ["/tmp/new", "/usr/new", "/new"] {
        let write = Put { confinement: narrow(), ..put(path) };
        let refused = fault(room.link.put(write, &b"x"[..]).await);
        assert_eq!(refused, Fault::Denied, "{path}");
    }
    assert_eq!(room.says(shell("ls /tmp")).await, "file\n");
}
