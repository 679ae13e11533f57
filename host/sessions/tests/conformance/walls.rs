//! What a program is, what it can reach, and what it shares with the host.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use packhost_session_protocol::message::Confinement;
use packhost_sessions::{Access, Mount, SandboxSpec};

use crate::bench::Bench;
use crate::room::{Room, profile, python, reaching, shell};

crate::behaviours![
    a_path_outside_of_the_rules_is_denied,
    a_path_to_read_cannot_be_changed,
    the_files_of_the_image_cannot_be_changed,
    a_program_is_a_normal_user_without_any_power,
    a_program_cannot_become_another_user,
    the_supervisor_cannot_be_touched,
    the_hosts_users_and_files_are_not_there,
    the_hosts_processes_are_not_seen,
    a_mount_to_write_is_shared_with_the_host,
    a_mount_to_read_cannot_be_written,
    a_mount_leads_over_no_link,
    scratch_directories_are_empty_and_can_be_written,
    two_sandboxes_share_nothing,
];

async fn a_path_outside_of_the_rules_is_denied(bench: &Bench) {
    let room = bench.room().await;
    room.says(shell("echo secret > /tmp/secret; ln -s /tmp/secret link")).await;
    let narrow = || reaching(&[], &["/sandbox"]);
    for script in [
        "cat /tmp/secret",
        "cat link",
        "cat ../tmp/secret",
        "ls /tmp",
        "echo x > /tmp/new",
        "echo x > /tmp/secret",
        "rm /tmp/secret",
        "ln /tmp/secret hard",
        "cat /proc/self/environ",
    ] {
        let finished = room.run(shell(script).confinement(narrow())).await;
        assert_ne!(finished.exit.code, Some(0), "{script}");
        assert!(finished.stdout.is_empty(), "{script}: {finished:?}");
    }
    assert_eq!(room.says(shell("echo y > x; cat x").confinement(narrow())).await, "y\n");
    assert_eq!(room.says(shell("ls /tmp; cat /tmp/secret")).await, "secret\nsecret\n");
}

async fn a_path_to_read_cannot_be_changed(bench: &Bench) {
    let room = bench.room().await;
    room.says(shell("mkdir ro rw; echo kept > ro/file")).await;
    let rules = || reaching(&["/sandbox/ro"], &["/sandbox/rw"]);
    let script = "
import os
def tried(what):
    try: what()
    except OSError as error: return error.errno
    return 'done'
print(open('ro/file').read().strip())
print(*map(tried, [
    lambda: open('ro/file', 'w'), lambda: open('ro/file', 'a'), lambda: os.truncate('ro/file', 0),
    lambda: os.unlink('ro/file'), lambda: os.rename('ro/file', 'rw/file'), lambda: os.mkdir('ro/new'),
    lambda: os.symlink('x', 'ro/link'), lambda: open('ro/new', 'x'), lambda: os.mkfifo('ro/pipe'),
]))
";
    let said = room.says(python(script).confinement(rules())).await;
    let errors: Vec<&str> = said.lines().nth(1).unwrap_or_default().split(' ').collect();
    assert!(said.starts_with("kept\n") && errors.len() == 9, "{said}");
    // EACCES, or EXDEV for what would move.
    assert!(errors.iter().all(|error| ["13", "18"].contains(error)), "{said}");
    assert_eq!(room.says(shell("ls ro rw; cat ro/file")).await, "ro:\nfile\n\nrw:\nkept\n");
}

async fn the_files_of_the_image_cannot_be_changed(bench: &Bench) {
    let room = bench.room().await;
    let everything = || Confinement { read_write: vec![b"/".to_vec().into()], ..profile() };
    for path in [
        "/new",
        "/bin/new",
        "/usr/new",
        "/etc/new",
        "/lib/new",
        "/proc/new",
        "/bin/sh",
        "/proc/sysrq-trigger",
    ] {
        let said =
            room.tries(shell(&format!("echo x > {path} && echo written")).confinement(everything())).await;
        assert!(!said.contains("written"), "{path}: {said}");
    }
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).trim()
}

async fn a_program_is_a_normal_user_without_any_power(bench: &Bench) {
    let room = bench.room().await;
    let status = room.says(shell("cat /proc/self/status")).await;
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(field(&status, set), "0000000000000000", "{set}");
    }
    assert_eq!((field(&status, "NoNewPrivs"), field(&status, "Seccomp")), ("1", "2"));
    assert_eq!(
        (field(&status, "Uid"), field(&status, "Gid")),
        ("1000\t1000\t1000\t1000", "1000\t1000\t1000\t1000")
    );
    assert_eq!(field(&status, "Groups"), "");
}

async fn a_program_cannot_become_another_user(bench: &Bench) {
    let room = bench.room().await;
    let script = "
import os
def tried(what, *arguments):
    try: what(*arguments)
    except OSError as error: return error.errno
    return 'done'
print(tried(os.setuid, 0), tried(os.setgid, 0), tried(os.setgroups, [0]), tried(os.chroot, '/tmp'),
      tried(os.mknod, '/sandbox/device', 0o60600, 0), tried(os.chown, '/sandbox', 0, 0))
";
    let said = room.says(python(script)).await;
    assert!(said.split_whitespace().all(|word| ["1", "13", "38"].contains(&word)), "{said}");
}

async fn the_supervisor_cannot_be_touched(bench: &Bench) {
    let room = bench.room().await;
    assert!(room.link.welcome().is_init);
    for script in [
        "kill -9 1",
        "kill -STOP 1",
        "cat /proc/1/environ",
        "cat /proc/1/mem",
        "ls /proc/1/fd",
        "ls /proc/1/root/",
    ] {
        let finished = room.run(shell(script)).await;
        assert!(finished.exit.code != Some(0) && finished.stdout.is_empty(), "{script}: {finished:?}");
    }
    room.link.ping().await.expect("it is there");
}

async fn the_hosts_users_and_files_are_not_there(bench: &Bench) {
    let room = bench.room().await;
    let everything = || Confinement { read_only: vec![b"/".to_vec().into()], ..profile() };
    let inside = room.tries(shell("cat /etc/passwd").confinement(everything())).await;
    let outside = fs::read_to_string("/etc/passwd").expect("a host has users");
    let names = |text: &str| {
        text.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect::<Vec<_>>()
    };
    let usual = ["root", "nobody", "sandbox", "cat"];
    assert!(names(&outside).len() > usual.len());
    for name in names(&inside) {
        assert!(usual.contains(&name.as_str()), "{inside}");
    }
    let secret = bench.place.work().join("secret");
    fs::write(&secret, "secret").expect("ours");
    let said = room
        .tries(shell(&format!("cat {0}; cat /proc/1/root{0}", secret.display())).confinement(everything()))
        .await;
    assert!(!said.contains("secret\n") && !said.ends_with("secret"), "{said}");
    let said = room.tries(shell("ls -a /root /home /var/lib /etc/shadow").confinement(everything())).await;
    assert!(!said.contains(".bashrc") && !said.contains("dpkg"), "{said}");
}

async fn the_hosts_processes_are_not_seen(bench: &Bench) {
    let room = bench.room().await;
    let script = "import os; print(*filter(str.isdigit, os.listdir('/proc')))";
    let seen = room.says(python(script)).await;
    // The supervisor, a keeper, and this one.
    assert!(seen.split_whitespace().count() <= 4, "{seen}");
}

async fn mounted(bench: &Bench, access: Access) -> (Room, std::path::PathBuf) {
    assert!(bench.runtime().capabilities().mounts, "files are copied then, which this kit does not try yet");
    let host = bench.directory(&format!("{access:?}"));
    fs::write(host.join("file"), "of the host\n").expect("ours");
    let mount = Mount { host: host.clone(), inside: "/workspace".into(), access };
    (bench.room_of(SandboxSpec { mounts: vec![mount], ..bench.spec() }).await, host)
}

async fn a_mount_to_write_is_shared_with_the_host(bench: &Bench) {
    let (room, host) = mounted(bench, Access::ReadWrite).await;
    let script = "cat /workspace/file; echo of the sandbox > /workspace/new; mkdir /workspace/sub";
    assert_eq!(room.says(shell(script)).await, "of the host\n");
    assert_eq!(fs::read_to_string(host.join("new")).expect("it came out"), "of the sandbox\n");
    let owner = |name: &str| fs::metadata(host.join(name)).expect("it is there").uid();
    assert_eq!(owner("new"), owner(""));
    fs::write(host.join("later"), "later\n").expect("ours");
    assert_eq!(room.says(shell("cat /workspace/later; rm -r /workspace/sub")).await, "later\n");
    // Whoever opens it on the host would wait.
    assert_ne!(room.run(shell("mkfifo /workspace/pipe")).await.exit.code, Some(0));
    assert!(!host.join("pipe").exists());
    room.says(shell("mkfifo /sandbox/pipe /tmp/pipe")).await;
    assert!(!host.join("sub").exists());
    bench.runtime().destroy(&room.id).await.expect("its end");
    assert_eq!(fs::read_to_string(host.join("new")).expect("it stays"), "of the sandbox\n");
}

async fn a_mount_to_read_cannot_be_written(bench: &Bench) {
    let (room, host) = mounted(bench, Access::ReadOnly).await;
    assert_eq!(room.says(shell("cat /workspace/file")).await, "of the host\n");
    for script in [
        "echo x > /workspace/new",
        "echo x > /workspace/file",
        "rm /workspace/file",
        "chmod 777 /workspace/file",
    ] {
        let finished = room.run(shell(script)).await;
        assert_ne!(finished.exit.code, Some(0), "{script}");
    }
    assert_eq!(fs::read_dir(&host).expect("it is there").count(), 1);
    assert_eq!(fs::read_to_string(host.join("file")).expect("it is there"), "of the host\n");
}

async fn a_mount_leads_over_no_link(bench: &Bench) {
    let real = bench.directory("real");
    fs::write(real.join("file"), "seen").expect("ours");
    let link = bench.place.work().join("link");
    symlink("/etc", &link).expect("ours");
    let spec = SandboxSpec {
        mounts: vec![Mount { host: link, inside: "/workspace".into(), access: Access::ReadOnly }],
        ..bench.spec()
    };
    let refused = bench.runtime().create(&spec).await;
    assert!(refused.is_err(), "a mount of /etc was made");
    assert!(bench.runtime().list().await.expect("a list").is_empty());
}

async fn scratch_directories_are_empty_and_can_be_written(bench: &Bench) {
    let scratch = ["/sandbox", "/sandbox2/deep", "/cache"].map(std::path::PathBuf::from);
    let room = bench.room_of(SandboxSpec { scratch: scratch.to_vec(), ..bench.spec() }).await;
    let rules = || reaching(&[], &["/sandbox", "/sandbox2/deep", "/cache", "/tmp"]);
    for path in ["/sandbox", "/sandbox2/deep", "/cache", "/tmp"] {
        let script = format!("ls -A {path}; echo x > {path}/file && cat {path}/file && chmod +x {path}/file");
        assert_eq!(room.says(shell(&script).confinement(rules())).await, "x\n", "{path}");
    }
}

async fn two_sandboxes_share_nothing(bench: &Bench) {
    let (one, two) = (bench.room().await, bench.room().await);
    let (_exec, _output) =
        one.ready(shell("echo x > /tmp/x; echo x > /dev/shm/x; echo x > x; echo ready; sleep 600")).await;
    assert_eq!(two.says(shell("ls -A /tmp /sandbox /dev/shm")).await, "/dev/shm:\n\n/sandbox:\n\n/tmp:\n");
    assert_eq!(two.processes().await, 0);
}
