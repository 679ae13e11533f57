//! What can be seen and done inside.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::fs;

use crate::scene::{Scene, recipe};

crate::trials![
    the_supervisor_is_process_1_of_a_namespace_of_its_own,
    no_file_of_the_host_is_there_but_what_is_granted,
    the_users_are_not_the_hosts,
    nobody_inside_is_anybody_on_the_host,
    there_is_no_network_but_loopback,
    nothing_can_be_mounted_or_unmounted,
    the_supervisor_has_few_capabilities_and_programs_none,
    only_the_granted_descriptors_are_open,
    the_supervisors_environment_is_the_recipes,
    what_the_kernel_tells_of_the_machine_is_covered,
    a_program_does_not_see_the_supervisor,
    granted_files_cannot_be_written,
    temporary_directories_can_be_written,
    devices_work,
    nobody_inside_has_the_launchers_keys,
];

async fn the_supervisor_is_process_1_of_a_namespace_of_its_own() {
    let scene = Scene::new();
    let (id, pid) = scene.start(recipe()).await;
    let (_, line) = scene.request(&id, "scat /proc/1/cmdline | tr '\\0' ' '").await.expect("an answer");
    assert_eq!(
        line.trim(),
        "packhost-supervisor serve --listen-fd 3 --proxy-port 3128 --orphaned-after 600000"
    );
    for namespace in ["mnt", "pid", "net", "ipc", "uts", "user", "cgroup"] {
        let link = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/{namespace}")).expect("a namespace");
        assert_ne!(link(&pid.to_string()), link("self"), "{namespace}");
    }
    assert_eq!(scene.output(&id, "cat /proc/sys/kernel/hostname").await, "sandbox");
}

async fn no_file_of_the_host_is_there_but_what_is_granted() {
    let scene = Scene::new();
    let (id, _) = scene.start(recipe()).await;
    let listing = scene.output(&id, "ls -A /").await;
    let there: BTreeSet<_> = listing.split_whitespace().collect();
    let known = ["bin", "dev", "etc", "lib", "lib64", "proc", "run", "sandbox", "sys", "tmp", "usr"];
    assert!(there.iter().all(|name| known.contains(name)), "{listing}");
    let state = scene.path("state");
    for path in ["/root", "/home", "/var", "/work", state.to_str().expect("ASCII"), "/proc/1/root/root"] {
        assert_ne!(scene.run(&id, &format!("ls {path}")).await.0, 0, "{path}");
    }
}

async fn the_users_are_not_the_hosts() {
    let scene = Scene::new();
    let (id, _) = scene.start(recipe()).await;
    let users = scene.output(&id, "cut -d: -f1 /etc/passwd").await;
    assert_eq!(users, "root\nsandbox\nnobody");
    assert_ne!(scene.run(&id, "cat /etc/shadow").await.0, 0);
    assert_eq!(scene.output(&id, "id -u; id -g; id -G; id -un").await, "1000\n1000\n1000\nsandbox");
}

async fn nobody_inside_is_anybody_on_the_host() {
    let scene = Scene::new();
    let (id, pid) = scene.start(recipe()).await;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    for kind in ["Uid:", "Gid:"] {
        let line = status.lines().find_map(|line| line.strip_prefix(kind)).expect("a line");
        assert!(
            line.split_whitespace().all(|id| id.parse::<u32>().is_ok_and(|id| id >= 0x7000_0000)),
            "{line}"
        );
    }
    assert_eq!(status.lines().find_map(|line| line.strip_prefix("Groups:")).map(str::trim), Some(""));
    let map = scene.output(&id, "cat /proc/self/uid_map").await;
    let lines: Vec<Vec<u32>> = map
        .lines()
        .map(|line| line.split_whitespace().map(|id| id.parse().expect("a number")).collect())
        .collect();
    assert!(matches!(&lines[..], [supervisor, program]
        if supervisor[0] == 0 && program[0] == 1000 && supervisor[1] + 1 == program[1] && supervisor[2] == 1));
}

async fn there_is_no_network_but_loopback() {
    let scene = Scene::new();
    let (id, _) = scene.start(recipe()).await;
    let interfaces = scene.output(&id, "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '").await;
    assert_eq!(interfaces, "lo");
    assert_eq!(scene.output(&id, "tail -n +2 /proc/net/route").await, "");
    // Loopback is up: what does not listen refuses, rather than being out of reach.
    let (_, refused) = scene.run(&id, "bash -c 'exec 3<>/dev/tcp/127.0.0.1/9'").await;
    assert!(refused.contains("Connection refused"), "{refused}");
    let (_, away) = scene.run(&id, "bash -c 'exec 3<>/dev/tcp/192.0.2.1/9'").await;
    assert!(away.contains("Network is unreachable"), "{away}");
}

async fn nothing_can_be_mounted_or_unmounted() {
    let scene = Scene::new();
    let (id, _) = scene.start(recipe()).await;
    for who in ["u", "s"] {
        for command in [
            "mount -t tmpfs none /sandbox",
            "mount -o remount,rw,bind /usr",
            "mount --bind /usr /sandbox",
            "umount -l /usr",
            "umount /proc/kcore",
            "hostname other",
            "ip link set lo down",
        ] {
            let (code, output) = scene.request(&id, &format!("{who}{command}")).await.expect("an answer");
            assert_ne!(code, 0, "{who} {command}: {output}");
        }
    }
}

async fn the_supervisor_has_few_capabilities_and_programs_none() {
    let scene = Scene::new();
    let (id, pid) = scene.start(recipe()).await;
    let set = |status: &str, name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        u64::from_str_radix(line.trim(), 16).expect("a number")
    };
    let supervisor = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    // chown, dac_override, fowner, kill, setgid, setuid, setpcap: capabilities(7).
    let few = 1 | 1 << 1 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8;
    for name in ["CapEff:", "CapPrm:", "CapBnd:"] {
        assert_eq!(set(&supervisor, name), few, "{name}");
    }
    assert!(supervisor.contains("NoNewPrivs:\t1"));
    let program = scene.output(&id, "cat /proc/self/status").await;
    for name in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"] {
        assert_eq!(set(&program, name), 0, "{name}");
    }
}

async fn only_the_granted_descriptors_are_open() {
    let scene = Scene::new();
    let (_, pid) = scene.start(recipe()).await;
    let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
    let mut open: Vec<_> =
        open.map(|entry| fs::read_link(entry.expect("an entry").path()).expect("a link")).collect();
    open.sort();
    assert_eq!(open.len(), 4, "{open:?}");
    assert!(open.iter().any(|file| file.ends_with("log")));
}

async fn the_supervisors_environment_is_the_recipes() {
    let scene = Scene::new();
    let (_, pid) = scene.start(recipe()).await;
    assert_eq!(fs::read(format!("/proc/{pid}/environ")).expect("it runs"), b"COLOUR=blue\0");
}

async fn what_the_kernel_tells_of_the_machine_is_covered() {
    let scene = Scene::new();
    let (id, _) = scene.start(recipe()).await;
    for who in ["u", "s"] {
        for file in
            ["kcore", "keys", "kallsyms", "cmdline", "timer_list", "sysrq-trigger", "modules", "config.gz"]
        {
            let (code, _) = scene
                .request(&id, &format!("{who}test ! -s /proc/{file} && cat /proc/{file}"))
                .await
                .expect("an answer");
            assert_ne!(code, 0, "{who} {file}");
        }
        let (code, output) = scene
            .request(
                &id,
                &format!("{who}echo 1 > /proc/sys/kernel/panic || echo 0 > /proc/sys/net/ipv4/ip_forward"),
            )
            .await
            .expect("an answer");
        assert_ne!(code, 0, "{output}");
    }
    assert_eq!(
        scene
            .output(
                &id,
                "ls /sys | grep -v '^fs$'; ls /proc/fs /proc/irq /proc/bus 2>/dev/null | grep -v :; true"
            )
            .await,
        ""
    );
    assert!(scene.output(&id, "grep -c processor /proc/cpuinfo").await.parse::<u32>().is_ok());
}

async fn a_program_does_not_see_the_supervisor() {
    let scene = Scene::new();
    let (id, _) = scene.start(recipe()).await;
    assert_ne!(scene.run(&id, "test -e /proc/1").await.0, 0);
    assert_ne!(scene.run(&id, "kill -9 1").await.0, 0);
    let (_, seen) = scene.request(&id, "stest -e /proc/1 && echo seen").await.expect("an answer");
    assert_eq!(seen.trim(), "seen");
}

async fn granted_files_cannot_be_written() {
    let scene = Scene::new();
    let (id, _) = scene.start(recipe()).await;
    for path in ["/usr/x", "/x", "/etc/x", "/bin/x", "/dev/x", "/etc/passwd", "/proc/x"] {
        for who in ["u", "s"] {
            let (code, _) = scene.request(&id, &format!("{who}echo > {path}")).await.expect("an answer");
            assert_ne!(code, 0, "{who} {path}");
        }
    }
}

async fn temporary_directories_can_be_written() {
    let scene = Scene::new();
    let (id, _) = scene.start(recipe()).await;
    let written =
        scene.output(&id, "for d in /tmp /run /sandbox /dev/shm; do echo $d > $d/x; cat $d/x; done").await;
    assert_eq!(written, "/tmp\n/run\n/sandbox\n/dev/shm");
    assert_eq!(scene.output(&id, "stat -c %U /sandbox").await, "sandbox");
}

async fn devices_work() {
    let scene = Scene::new();
    let (id, _) = scene.start(recipe()).await;
    let bytes = scene
        .output(&id, "head -c 3 /dev/zero | od -An -tx1; echo x > /dev/null; head -c 9 /dev/urandom | wc -c")
        .await;
    assert_eq!(bytes, "00 00 00\n9");
    assert_eq!(scene.output(&id, "ls -d /dev/pts /dev/ptmx /dev/fd/0 | wc -l").await, "3");
    assert_eq!(scene.output(&id, "script -qec 'tty' /dev/null").await, "/dev/pts/0");
}

async fn nobody_inside_has_the_launchers_keys() {
    const KEY: &CStr = c"packhost-test";
    // SAFETY: the texts end with a NUL and outlive the calls. Only this thread gets another keyring.
    unsafe {
        let keyring = libc::syscall(
            libc::SYS_keyctl,
            libc::KEYCTL_JOIN_SESSION_KEYRING,
            std::ptr::null::<libc::c_char>(),
        );
        assert!(keyring > 0, "{}", std::io::Error::last_os_error());
        let added =
            libc::syscall(libc::SYS_add_key, c"user".as_ptr(), KEY.as_ptr(), c"x".as_ptr(), 1_usize, keyring);
        assert!(added > 0, "{}", std::io::Error::last_os_error());
        let (own, user) = (libc::KEY_SPEC_SESSION_KEYRING, c"user".as_ptr());
        let found = libc::syscall(libc::SYS_keyctl, libc::KEYCTL_SEARCH, own, user, KEY.as_ptr(), 0_usize);
        assert_eq!(found, added, "a child would have it");
    }
    for scene in [Scene::new(), Scene::of_a_user()] {
        let mut keyrings = BTreeSet::new();
        for _ in 0..2 {
            let (id, _) = scene.start(recipe()).await;
            let (missing, keyring) = scene.request(&id, "kpackhost-test").await.expect("an answer");
            assert_eq!(missing, 1);
            let number: i32 = keyring.parse().expect("a number");
            assert!(number > 0, "{number}");
            keyrings.insert(number);
        }
        assert_eq!(keyrings.len(), 2, "one for each sandbox");
    }
}
