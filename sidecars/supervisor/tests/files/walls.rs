//! What the walls, limits and disks do not allow.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use packhost_session_protocol::Kind;
use packhost_session_protocol::message::{ExecInput, Fault, FileReply, Opening, Put};

use crate::place::{Place, ask, fault, open, send};

#[tokio::test]
async fn a_path_outside_of_what_is_granted_is_denied() {
    let place = Place::new();
    // Everybody may do everything there, if it were not for the walls.
    let outside = place.outside().join("canary");
    fs::create_dir(&outside).expect("root");
    fs::write(outside.join("secret"), "secret").expect("root");
    for path in [outside.clone(), outside.join("secret")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("root");
    }
    symlink(&outside, place.path("link")).expect("root");
    for dir in [outside.clone(), place.path("link"), place.path("../canary")] {
        let asked = [
            Opening::Get(place.get(dir.join("secret"))),
            Opening::Remove(place.remove(dir.join("secret"))),
            Opening::MakeDirectory(place.make(dir.join("made"), 0o755)),
            Opening::Rename(place.rename(dir.join("secret"), dir.join("other"))),
        ];
        for opening in asked {
            assert_eq!(fault(&ask(opening.clone()).await.last), Some(Fault::Denied), "{opening:?}");
        }
        let reply = send(Opening::Put(place.put(dir.join("new"))), b"new").await;
        assert_eq!(fault(&reply), Some(Fault::Denied));
    }
    for opening in [
        Opening::List(place.list(&outside, 1, 10)),
        Opening::Pack(place.pack(&outside)),
        Opening::Get(place.get("/etc/passwd")),
        Opening::Remove(place.remove(&outside)),
    ] {
        assert_eq!(fault(&ask(opening.clone()).await.last), Some(Fault::Denied), "{opening:?}");
    }
    let archive = crate::archive::Tar::new().file(b"new", b"new").finish();
    assert_eq!(fault(&send(Opening::Unpack(place.unpack(&outside)), &archive).await), Some(Fault::Denied));
    assert_eq!(fs::read_dir(&outside).expect("root").count(), 1);
    assert_eq!(fs::read(outside.join("secret")).expect("root"), b"secret");
}

#[tokio::test]
async fn a_directory_of_root_is_denied_to_the_user_of_the_sandbox() {
    let place = Place::new();
    fs::create_dir(place.path("root")).expect("root");
    fs::write(place.path("root/file"), "1").expect("root");
    fs::set_permissions(place.path("root"), fs::Permissions::from_mode(0o700)).expect("root");
    let inside = place.path("root/file");
    let asked = [
        Opening::Get(place.get(&inside)),
        Opening::Stat(place.stat(&inside, true)),
        Opening::Remove(place.remove(&inside)),
        Opening::Remove(place.remove(place.path("root"))),
        Opening::List(place.list(place.path("root"), 1, 10)),
        Opening::Pack(place.pack(place.path(""))),
    ];
    for opening in asked {
        assert_eq!(fault(&ask(opening.clone()).await.last), Some(Fault::Denied), "{opening:?}");
    }
    for path in [place.path("root/new"), inside.clone()] {
        assert_eq!(fault(&send(Opening::Put(place.put(path)), b"new").await), Some(Fault::Denied));
    }
    let listed = ask(Opening::List(place.list(place.path(""), 9, 10))).await;
    assert_eq!((listed.entries.len(), listed.last), (1, FileReply::Done));
    assert_eq!(fs::read(&inside).expect("root"), b"1");
}

#[tokio::test]
async fn a_limit_on_file_sizes_is_said_to_be_reached() {
    let mut place = Place::new();
    place.confinement.rlimits.file_size = Some(100_000);
    let reply = send(Opening::Put(place.put(place.path("a"))), &[1; 300_000]).await;
    assert_eq!(fault(&reply), Some(Fault::Full));
    assert_eq!(fs::read_dir(place.path("")).expect("root").count(), 0);
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full_and_stays_as_it_was() {
    let place = Place::new();
    mount_small(&place.path(""));
    assert_eq!(send(Opening::Put(place.put(place.path("a"))), b"old").await, FileReply::Done);
    for _ in 0..3 {
        let reply = send(Opening::Put(place.put(place.path("a"))), &vec![1; 4 << 20]).await;
        assert_eq!(fault(&reply), Some(Fault::Full));
        let archive = crate::archive::Tar::new().file(b"big", &vec![1; 4 << 20]).finish();
        assert_eq!(
            fault(&send(Opening::Unpack(place.unpack(place.path("t"))), &archive).await),
            Some(Fault::Full)
        );
    }
    assert_eq!(fs::read(place.path("a")).expect("root"), b"old");
    assert_eq!(fs::read_dir(place.path("t")).expect("root").count(), 0);
    let put = Put { new: true, ..place.put(place.path("b")) };
    assert_eq!(send(Opening::Put(put), &vec![1; 500_000]).await, FileReply::Done, "the room is free again");
}

#[tokio::test]
async fn thirty_two_workers_serve_at_once_and_one_more_is_refused() {
    let place = Place::new();
    let mut held = Vec::new();
    for number in 0..32 {
        let mut asked = open(Opening::Put(place.put(place.path(number.to_string()))));
        asked.host.data(Kind::Input, b"1").await.expect("it is read");
        // Served from here on.
        tokio::task::yield_now().await;
        held.push(asked);
    }
    let reply = send(Opening::Put(place.put(place.path("one-more"))), &vec![1; 1 << 20]).await;
    assert_eq!(fault(&reply), Some(Fault::Busy));
    for mut asked in held {
        asked.host.say(&ExecInput::End).await.expect("it is read");
        assert_eq!(asked.answer().await.last, FileReply::Done);
    }
    assert_eq!(send(Opening::Put(place.put(place.path("one-more"))), b"1").await, FileReply::Done);
}

#[tokio::test]
async fn a_confinement_that_the_kernel_cannot_do_is_refused() {
    let mut place = Place::new();
    place.confinement.landlock_abi = 1000;
    let reply = send(Opening::Put(place.put(place.path("a"))), b"1").await;
    assert_eq!(fault(&reply), Some(Fault::NotConfined));
}

#[tokio::test]
async fn a_worker_that_is_killed_ends_its_exchange_with_a_reason() {
    let place = Place::new();
    let mut asked = open(Opening::Put(place.put(place.path("a"))));
    asked.host.data(Kind::Input, b"1").await.expect("it is read");
    tokio::task::yield_now().await;
    signal_workers(libc::SIGKILL);
    asked.host.say(&ExecInput::End).await.expect("it is read");
    assert_eq!(fault(&asked.answer().await.last), Some(Fault::Failed));
    assert_eq!(fs::read_dir(place.path("")).expect("root").count(), 0);
}

#[tokio::test]
async fn without_proc_a_file_still_appears_whole_or_not_at_all() {
    let place = Place::new();
    // It takes away the way to files that have no name.
    mount_small(std::path::Path::new("/proc"));
    let put = || place.put(place.path("a"));
    for content in ["1", "22"] {
        assert_eq!(send(Opening::Put(put()), content.as_bytes()).await, FileReply::Done);
        assert_eq!(fs::read_to_string(place.path("a")).expect("root"), content);
    }
    let reply = send(Opening::Put(Put { new: true, ..put() }), b"333").await;
    assert_eq!(fault(&reply), Some(Fault::Exists));
    let new = Put { new: true, ..place.put(place.path("b")) };
    assert_eq!(send(Opening::Put(new), b"4").await, FileReply::Done);
    let mut asked = open(Opening::Put(place.put(place.path("c"))));
    asked.host.data(Kind::Input, &[1; 200_000]).await.expect("it is read");
    drop(asked.host);
    asked.served.await.expect("it ends");
    let mut asked = open(Opening::Put(Put { new: true, ..place.put(place.path("d")) }));
    asked.host.data(Kind::Input, b"mine").await.expect("it is read");
    fs::write(place.path("d"), "theirs").expect("root");
    asked.host.say(&ExecInput::End).await.expect("it is read");
    assert_eq!(fault(&asked.answer().await.last), Some(Fault::Exists));
    crate::leaks::until_all_workers_are_gone().await;
    assert_eq!(fs::read_dir(place.path("")).expect("root").count(), 3);
}

#[tokio::test]
async fn a_worker_that_hangs_is_killed_once_its_exchange_is_broken() {
    let place = Place::new();
    fs::write(place.path("a"), vec![1; 4 << 20]).expect("root");
    let mut asked = open(Opening::Get(place.get(place.path("a"))));
    // Until it has said something, it holds what this process has open: the host's end of the exchange.
    let first: FileReply = asked.host.message().await.expect("an entry");
    assert!(matches!(first, FileReply::Entry(_)));
    // It does not see that its line ends.
    signal_workers(libc::SIGSTOP);
    drop(asked.host);
    asked.served.await.expect("nobody waits for the worker");
    assert_eq!(crate::leaks::until_all_workers_are_gone().await, 1);
}

/// Sends a signal to each worker that this thread has forked.
fn signal_workers(signal: libc::c_int) {
    let children = fs::read_to_string("/proc/thread-self/children").expect("proc");
    assert!(!children.is_empty());
    for child in children.split_whitespace() {
        let child: libc::pid_t = child.parse().expect("a number");
        // SAFETY: it only sends a signal, to a child that nobody has reaped.
        assert_eq!(unsafe { libc::kill(child, signal) }, 0);
    }
}

/// Mounts a file system of a mebibyte, seen by this thread and the workers that it forks.
fn mount_small(at: &std::path::Path) {
    use std::ptr::null;
    let at = std::ffi::CString::new(crate::place::bytes(at)).expect("no NUL");
    // SAFETY: all strings end with a NUL. Only this thread is in the new namespace, which ends with it.
    let mounted = unsafe {
        let own = libc::unshare(libc::CLONE_NEWNS) == 0;
        let private = libc::MS_REC | libc::MS_PRIVATE;
        let own = own && libc::mount(null(), c"/".as_ptr(), null(), private, null::<libc::c_void>()) == 0;
        let options = c"size=1m,mode=0777".as_ptr().cast();
        own && libc::mount(c"none".as_ptr(), at.as_ptr(), c"tmpfs".as_ptr(), 0, options) == 0
    };
    assert!(mounted, "{}", std::io::Error::last_os_error());
}
