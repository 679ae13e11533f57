//! A program that exchanges names for others while the host uses them.

use std::fs;

use packhost_session_protocol::message::{Confinement, Pack, Put, Remove, Unpack};
use packhost_sessions::{Access, Mount, SandboxSpec};
use tokio::io::AsyncReadExt;

use super::trying;
use crate::bench::Bench;
use crate::room::{Room, get, list, put, reaching, rest, shell};

crate::behaviours![
    what_the_host_puts_and_gets_never_goes_where_a_link_leads_instead,
    what_the_host_removes_never_goes_where_a_link_leads_instead,
    an_archive_never_goes_where_a_link_leads_instead,
    a_directory_of_the_host_is_left_by_no_link_that_takes_a_place_in_it,
];

/// Enough that each side often comes first.
const ROUNDS: usize = 60;

/// Exchanges two names for each other, without end (renameat2(2), `RENAME_EXCHANGE`).
fn exchanging(one: &str, other: &str) -> String {
    format!(
        "
print('ready', flush=True)
while not os.path.exists('/sandbox/stop'):
    for _ in range(100): call({rename}, -100, b'{one}', -100, b'{other}', 2)
",
        rename = libc::SYS_renameat2
    )
}

fn narrow() -> Confinement {
    reaching(&[], &["/sandbox"])
}

/// A directory with a secret outside of the rules, and a name inside that is now a directory and now a link to it.
async fn racing(room: &Room) -> (packhost_sessions::link::Exec, packhost_sessions::link::ExecReader) {
    let script =
        "mkdir -p /tmp/out/deep dir/deep; echo secret > /tmp/out/file; echo secret > /tmp/out/deep/file;
                  echo own > dir/file; echo own > dir/deep/file; ln -s /tmp/out link";
    room.says(shell(script)).await;
    room.ready(trying(&exchanging("/sandbox/dir", "/sandbox/link"))).await
}

async fn unharmed(room: &Room, race: (packhost_sessions::link::Exec, packhost_sessions::link::ExecReader)) {
    room.put("/sandbox/stop", b"").await;
    rest(race.1).await;
    assert_eq!(race.0.wait().await.expect("an end").code, Some(0));
    let found = room.says(shell("cd /tmp/out; ls -A . deep; cat file deep/file")).await;
    assert_eq!(found, ".:\ndeep\nfile\n\ndeep:\nfile\nsecret\nsecret\n");
}

async fn what_the_host_puts_and_gets_never_goes_where_a_link_leads_instead(bench: &Bench) {
    let room = bench.room().await;
    let race = racing(&room).await;
    let (mut there, mut not) = (0, 0);
    for round in 0..ROUNDS {
        let deep = if round % 2 == 0 { "/sandbox/dir/deep" } else { "/sandbox/dir" };
        let planted = Put { confinement: narrow(), ..put(format!("{deep}/planted")) };
        let over = Put { confinement: narrow(), ..put(format!("{deep}/file")) };
        for put in [planted, over] {
            match room.link.put(put, &b"own\n"[..]).await {
                Ok(()) => there += 1,
                Err(_) => not += 1,
            }
        }
        let file =
            packhost_session_protocol::message::Get { confinement: narrow(), ..get(format!("{deep}/file")) };
        if let Ok((_, mut reader)) = room.link.get(file).await {
            let mut content = String::new();
            reader.read_to_string(&mut content).await.expect("it is read");
            assert_eq!(content, "own\n");
        }
        let all = packhost_session_protocol::message::List { confinement: narrow(), ..list(deep, 3, 100) };
        let _ = room.link.list(all).await;
    }
    assert_eq!(there + not, 2 * ROUNDS);
    unharmed(&room, race).await;
}

async fn what_the_host_removes_never_goes_where_a_link_leads_instead(bench: &Bench) {
    let room = bench.room().await;
    let race = racing(&room).await;
    for round in 0..ROUNDS {
        let path = ["/sandbox/dir/deep", "/sandbox/dir/file"][round % 2].as_bytes().to_vec().into();
        let _ = room.link.remove(Remove { path, recursive: true, confinement: narrow() }).await;
        let back = Put { confinement: narrow(), ..put("/sandbox/dir/deep/file") };
        let _ = room.link.put(back, &b"own\n"[..]).await;
    }
    unharmed(&room, race).await;
}

async fn an_archive_never_goes_where_a_link_leads_instead(bench: &Bench) {
    let room = bench.room().await;
    let race = racing(&room).await;
    let mut archive = tar::Builder::new(Vec::new());
    for name in ["dir/planted", "dir/deep/planted", "dir/deep/file"] {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_size(4);
        archive.append_data(&mut header, name, &b"own\n"[..]).expect("a file");
    }
    let archive = archive.into_inner().expect("a whole archive");
    for _ in 0..ROUNDS {
        let path = || b"/sandbox".to_vec().into();
        let unpack = Unpack { path: path(), most_bytes: 1 << 20, most_entries: 100, confinement: narrow() };
        let _ = room.link.unpack(unpack, &archive[..]).await;
        let pack = Pack { path: path(), most_bytes: 1 << 20, most_entries: 100, confinement: narrow() };
        if let Ok(mut reader) = room.link.pack(pack).await {
            let mut packed = Vec::new();
            // What changes while it is packed may end it.
            let _ = reader.read_to_end(&mut packed).await;
            assert!(!packed.windows(7).any(|bytes| bytes == b"secret\n"), "a secret was packed");
        }
    }
    unharmed(&room, race).await;
}

async fn a_directory_of_the_host_is_left_by_no_link_that_takes_a_place_in_it(bench: &Bench) {
    let host = bench.directory("shared");
    let secret = bench.directory("secret");
    fs::write(secret.join("file"), "secret\n").expect("ours");
    let mount = Mount { host, inside: "/workspace".into(), access: Access::ReadWrite };
    let room = bench.room_of(SandboxSpec { mounts: vec![mount], ..bench.spec() }).await;
    let script = format!("cd /workspace; mkdir dir; echo own > dir/file; ln -s {} link", secret.display());
    room.says(shell(&script)).await;
    let race = room.ready(trying(&exchanging("/workspace/dir", "/workspace/link"))).await;
    for _ in 0..ROUNDS {
        let _ = room.link.put(put("/workspace/dir/planted"), &b"own\n"[..]).await;
        let _ = room.link.put(put("/workspace/dir/file"), &b"own\n"[..]).await;
        if let Ok((_, mut reader)) = room.link.get(get("/workspace/dir/file")).await {
            let mut content = String::new();
            reader.read_to_string(&mut content).await.expect("it is read");
            assert_eq!(content, "own\n");
        }
        let path = b"/workspace/dir/planted".to_vec().into();
        let _ = room.link.remove(Remove { path, recursive: true, confinement: crate::room::profile() }).await;
    }
    room.put("/sandbox/stop", b"").await;
    rest(race.1).await;
    assert_eq!(fs::read_to_string(secret.join("file")).expect("it is there"), "secret\n");
    assert_eq!(fs::read_dir(&secret).expect("it is there").count(), 1);
}
