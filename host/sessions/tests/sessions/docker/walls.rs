//! What a program in a sandbox cannot do, and what it can.

use packhost_sessions::{Access, Mount};
use packhost_test_engine::Engine;

use crate::docker::support::{host, spec};

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.map_or("", str::trim)
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_have_no_capabilities_and_the_supervisor_has_three() {
    let engine = Engine::start().await;
    let host = host(&engine, "h");
    let id = host.create(&spec()).await;

    let program = host.run(&id, "cat /proc/self/status").await;
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(field(&program, set), "0000000000000000", "{set}");
    }
    assert_eq!((field(&program, "NoNewPrivs"), field(&program, "Seccomp")), ("1", "2"));
    assert_eq!(host.run(&id, "id -u; id -g; id -G").await, "1000\n1000\n1000\n");

    let supervisor = host.run(&id, "!id").await;
    assert!(supervisor.starts_with("1 "), "process 1: {supervisor}");
    let (kill, setgid, setuid) = (1 << 5, 1 << 6, 1 << 7);
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(u64::from_str_radix(field(&supervisor, set), 16), Ok(kill | setgid | setuid), "{set}");
    }
    assert_eq!(field(&supervisor, "NoNewPrivs"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_network_and_the_image_cannot_be_written() {
    let engine = Engine::start().await;
    let host = host(&engine, "h");
    let mut wanted = spec();
    wanted.scratch = vec!["/sandbox".into()];
    let id = host.create(&wanted).await;

    let devices = host.run(&id, "cat /proc/net/dev").await;
    let names: Vec<&str> =
        devices.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim).collect();
    assert!(names.iter().all(|name| *name == "lo" || is_tunnel(name)), "{devices}");
    assert_eq!(host.run(&id, "cat /proc/net/route").await.lines().count(), 1);
    let resolver = host.run(&id, "cat /etc/resolv.conf").await;
    let servers = resolver.lines().filter(|line| line.starts_with("nameserver"));
    assert_eq!(servers.collect::<Vec<_>>(), ["nameserver 127.0.0.1"]);

    for path in
        ["/x", "/etc/x", "/bin/x", "/run/x", "/.packhost/x", "/.packhost/supervisor", "/proc/sysrq-trigger"]
    {
        let printed = host.run(&id, &format!("echo x > {path} && echo written")).await;
        assert!(!printed.contains("written"), "{path}: {printed}");
    }
    assert!(host.run(&id, "ls /.packhost/run").await.contains("Permission denied"));
    for path in ["/tmp/x", "/sandbox/x", "/dev/shm/x"] {
        assert_eq!(host.run(&id, &format!("echo x > {path} && cat {path}")).await, "x\n", "{path}");
    }
    assert_eq!(
        host.run(&id, "cat /bin/echo > /sandbox/e && chmod +x /sandbox/e && /sandbox/e runs").await,
        "runs\n"
    );
}

/// Devices that kernel modules put into every network namespace, down and without an address.
fn is_tunnel(name: &str) -> bool {
    ["tunl", "sit", "gre", "erspan", "ip_vti", "ip6"].iter().any(|prefix| name.starts_with(prefix))
}

#[tokio::test(flavor = "multi_thread")]
async fn disk_processes_and_files_end_at_their_limits() {
    let engine = Engine::start().await;
    let host = host(&engine, "h");
    let mut wanted = spec();
    wanted.scratch = vec!["/sandbox".into()];
    let id = host.create(&wanted).await;

    // 16 MiB: 2 for /dev/shm, 7 for each of the others.
    for (path, most) in [("/tmp/x", 7), ("/sandbox/x", 7), ("/dev/shm/x", 2)] {
        let printed =
            host.run(&id, &format!("dd if=/dev/zero of={path} bs=65536 count=1000; stat -c %s {path}")).await;
        assert!(printed.contains("No space left on device"), "{path}: {printed}");
        assert!(printed.lines().any(|line| line == (most << 20).to_string()), "{path}: {printed}");
    }
    assert!(host.run(&id, "cat /proc/self/limits").await.contains("Max core file size        0"));
    let many = "i=0; while [ $i -lt 400 ]; do sleep 600 > /dev/null 2>&1 & i=$((i+1)); done; echo all";
    let printed = host.run(&id, many).await;
    assert!(printed.contains("Cannot fork") && !printed.contains("all"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_is_what_it_was_granted_as() {
    let engine = Engine::start().await;
    let host = host(&engine, "h");
    let room = tempfile::tempdir().expect("a directory");
    let room = room.path().canonicalize().expect("it is there");
    for name in ["read", "write"] {
        std::fs::create_dir(room.join(name)).expect("a directory");
        std::fs::write(room.join(name).join("file"), name).expect("a file");
        std::os::unix::fs::chown(room.join(name), Some(1000), Some(1000)).expect("its user's");
    }
    let mut wanted = spec();
    wanted.mounts = [("read", Access::ReadOnly), ("write", Access::ReadWrite)]
        .map(|(name, access)| Mount { host: room.join(name), inside: format!("/m/{name}").into(), access })
        .into();
    let id = host.create(&wanted).await;

    assert_eq!(host.run(&id, "cat /m/read/file /m/write/file").await, "readwrite");
    assert!(host.run(&id, "echo x > /m/read/file").await.contains("Read-only file system"));
    assert_eq!(host.run(&id, "echo back > /m/write/new").await, "");
    assert_eq!(std::fs::read_to_string(room.join("write/new")).expect("it came out"), "back\n");
}
