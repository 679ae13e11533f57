//! Trees of files, as archives.

use std::collections::BTreeMap;
use std::io::Read;

use packhost_session_protocol::message::{Fault, Pack, Unpack};
use packhost_sessions::link::LinkError;
use packhost_sessions::{SandboxLimits, SandboxSpec};
use tokio::io::AsyncReadExt;

use crate::bench::Bench;
use crate::room::{Room, fault, profile, shell};

crate::behaviours![
    a_tree_of_five_thousand_files_goes_in_and_comes_back,
    an_archive_that_leads_out_of_its_directory_is_refused,
    an_archive_that_leads_out_over_a_link_is_refused,
    an_archive_beyond_its_bounds_is_refused,
    a_tree_beyond_its_bounds_is_not_packed,
];

fn unpack(path: &str) -> Unpack {
    let path = path.as_bytes().to_vec().into();
    Unpack { path, most_bytes: 32 << 20, most_entries: 10_000, confinement: profile() }
}

fn pack(path: &str) -> Pack {
    let path = path.as_bytes().to_vec().into();
    Pack { path, most_bytes: 32 << 20, most_entries: 10_000, confinement: profile() }
}

struct Archive(tar::Builder<Vec<u8>>);

impl Archive {
    fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    /// The name goes in as it is: the crate itself would refuse some.
    fn file(mut self, name: &str, content: &[u8]) -> Self {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o640);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.append(&header, content).expect("a file");
        self
    }

    fn link(mut self, name: &str, to: &str) -> Self {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        self.0.append_link(&mut header, name, to).expect("a link");
        self
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("a whole archive")
    }
}

async fn packed(room: &Room, pack: Pack) -> Result<Vec<u8>, std::io::Error> {
    let mut reader = room.link.pack(pack).await.expect("it begins");
    let mut archive = Vec::new();
    reader.read_to_end(&mut archive).await.map(|_| archive)
}

async fn a_tree_of_five_thousand_files_goes_in_and_comes_back(bench: &Bench) {
    let spec = bench.spec();
    let limits = SandboxLimits { disk: 128 << 20, ..spec.limits };
    let room = bench.room_of(SandboxSpec { limits, ..spec }).await;
    let name = |number: usize| format!("{}/{}/{number}", number % 7, number % 31);
    let archive = (0..5000).fold(Archive::new(), |archive, number| {
        archive.file(&name(number), number.to_string().repeat(number % 50).as_bytes())
    });
    room.link.unpack(unpack("/sandbox/tree"), &archive.bytes()[..]).await.expect("it is unpacked");
    assert_eq!(room.says(shell("stat -c '%a %u' tree/0/0/0")).await, "640 1000\n");
    let back = packed(&room, pack("/sandbox/tree")).await.expect("it is packed");
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(&back[..]).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        if entry.header().entry_type().is_file() {
            let path = entry.path().expect("a path").to_string_lossy().into_owned();
            let mut content = String::new();
            entry.read_to_string(&mut content).expect("text");
            files.insert(path.trim_start_matches("./").to_owned(), content);
        }
    }
    assert_eq!(files.len(), 5000);
    for number in 0..5000 {
        assert_eq!(files[&name(number)], number.to_string().repeat(number % 50));
    }
}

async fn an_archive_that_leads_out_of_its_directory_is_refused(bench: &Bench) {
    let room = bench.room().await;
    for name in ["../escaped", "a/../../escaped", "/sandbox/escaped", "..", "a/./../../escaped"] {
        let archive = Archive::new().file(name, b"x").bytes();
        fault(room.link.unpack(unpack("/sandbox/tree"), &archive[..]).await);
        let names = room.names("/sandbox", 9).await;
        assert!(
            !names.iter().any(|path| path.ends_with(b"escaped") && !path.starts_with(b"tree/")),
            "{name}"
        );
    }
}

async fn an_archive_that_leads_out_over_a_link_is_refused(bench: &Bench) {
    let room = bench.room().await;
    let archives = [
        Archive::new().link("link", "/sandbox").file("link/escaped", b"x"),
        Archive::new().link("link", "..").file("link/escaped", b"x"),
    ];
    for archive in archives {
        // Refused, or the link replaced by a directory: either way nothing is outside.
        let _ = room.link.unpack(unpack("/sandbox/tree"), &archive.bytes()[..]).await;
        assert_eq!(room.tries(shell("ls /sandbox")).await, "tree\n");
    }
}

async fn an_archive_beyond_its_bounds_is_refused(bench: &Bench) {
    let room = bench.room().await;
    let archive = Archive::new().file("a", &[0; 1000]).file("b", &[0; 1000]).bytes();
    let small = Unpack { most_bytes: 1999, ..unpack("/sandbox/small") };
    assert_eq!(fault(room.link.unpack(small, &archive[..]).await), Fault::Full);
    let few = Unpack { most_entries: 1, ..unpack("/sandbox/few") };
    assert_eq!(fault(room.link.unpack(few, &archive[..]).await), Fault::Full);
    let enough = Unpack { most_bytes: 2000, most_entries: 2, ..unpack("/sandbox/enough") };
    room.link.unpack(enough, &archive[..]).await.expect("it is within them");
    let broken = room.link.unpack(unpack("/sandbox/broken"), &b"this is no archive"[..]).await;
    assert_eq!(fault(broken), Fault::Malformed);
}

async fn a_tree_beyond_its_bounds_is_not_packed(bench: &Bench) {
    let room = bench.room().await;
    room.says(shell("mkdir tree; dd if=/dev/zero of=tree/file bs=1000 count=3 status=none")).await;
    let small = packed(&room, Pack { most_bytes: 2999, ..pack("/sandbox/tree") }).await;
    let refused = small.expect_err("it is too large");
    let inner = refused.get_ref().and_then(|inner| inner.downcast_ref::<LinkError>());
    assert!(
        matches!(inner, Some(LinkError::Refused(refusal)) if refusal.fault == Fault::Full),
        "{refused:?}"
    );
    packed(&room, Pack { most_bytes: 3000, ..pack("/sandbox/tree") }).await.expect("it is within them");
}
