//! Programs: how they begin, what they get, how they end.

use packhost_session_protocol::limits;
use packhost_session_protocol::message::{ExecInput, Fault};

use crate::host::{Sandbox, open_confinement, program, shell};

#[tokio::test]
async fn a_host_is_welcomed() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    assert_eq!(host.welcome.version, limits::VERSION);
    assert!(!host.welcome.is_init);
    assert_eq!(host.welcome.proxy_port, None);
}

#[tokio::test]
async fn exit_codes_and_both_outputs_come_back() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    for code in [0, 1, 42, 255] {
        let outcome = host.shell(&format!("echo out; echo err >&2; exit {code}")).await;
        assert_eq!(outcome.exit.code, Some(code));
        assert_eq!(outcome.exit.signal, None);
        assert_eq!(outcome.text(), "out\n");
        assert_eq!(outcome.stderr, b"err\n");
        assert!(outcome.exit.peak_memory > 0);
    }
}

#[tokio::test]
async fn programs_one_after_the_other_are_held_each_by_its_own_grants() {
    if packhost_confine::landlock_abi() == 0 {
        return;
    }
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let path = |name: &str| sandbox.directory.path().join(name).to_str().expect("text").to_owned();
    let bytes = |path: &str| path.as_bytes().to_vec().into();
    for name in ["a", "b"] {
        std::fs::create_dir(path(name)).expect("made");
        std::fs::write(path(name) + "/f", name).expect("written");
    }
    let read = async |granted: &str, file: &str| {
        let mut start = program(&["cat", &path(file)]);
        start.confinement.required = true;
        start.confinement.read_write = Vec::new();
        start.confinement.read_only = ["/usr", "/bin", "/lib", "/lib64", &path(granted)].map(bytes).to_vec();
        host.start(start).await.outcome().await.text()
    };
    for _ in 0..2 {
        assert_eq!(read("a", "a/f").await, "a");
        assert_eq!(read("b", "a/f").await, "");
        assert_eq!(read("b", "b/f").await, "b");
        assert_eq!(read("a", "b/f").await, "");
    }
    std::fs::rename(path("a"), path("c")).expect("moved");
    std::fs::rename(path("b"), path("a")).expect("moved");
    assert_eq!(read("a", "a/f").await, "b");
    assert_eq!(read("a", "c/f").await, "");
}

#[tokio::test]
async fn standard_input_is_streamed_and_ends() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let mut start = program(&["cat"]);
    start.stdin = true;
    let mut exec = host.start(start).await;
    exec.write(b"through and through").await;
    exec.say(ExecInput::End).await;
    let outcome = exec.outcome().await;
    assert_eq!(outcome.stdout, b"through and through");
    assert_eq!(outcome.exit.code, Some(0));
}

#[tokio::test]
async fn why_a_program_cannot_start_is_said() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let directory = sandbox.directory.path();
    let script = directory.join("script");
    std::fs::write(&script, "#!/no/such/interpreter\n").expect("written");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    let plain = directory.join("plain");
    std::fs::write(&plain, "text").expect("written");

    let fault = async |start| host.try_start(start).await.err().map(|refusal| refusal.fault);
    assert_eq!(fault(program(&["no-such-program-anywhere"])).await, Some(Fault::NotFound));
    assert_eq!(fault(program(&["/no/such/file"])).await, Some(Fault::NotFound));
    assert_eq!(fault(program(&[script.to_str().expect("text")])).await, Some(Fault::NotExecutable));
    assert_eq!(fault(program(&[plain.to_str().expect("text")])).await, Some(Fault::NotExecutable));
    assert_eq!(fault(program(&["/etc"])).await, Some(Fault::NotExecutable));
    assert_eq!(fault(program(&[])).await, Some(Fault::Malformed));
    assert_eq!(fault(program(&["a\0b"])).await, Some(Fault::Malformed));

    let mut nowhere = shell("true");
    nowhere.cwd = b"/no/such/directory".to_vec().into();
    assert_eq!(fault(nowhere).await, Some(Fault::NotFound));
    let mut relative = shell("true");
    relative.cwd = b"tmp".to_vec().into();
    assert_eq!(fault(relative).await, Some(Fault::Malformed));
    let mut nameless = shell("true");
    nameless.env = vec![b"=value".to_vec().into()];
    assert_eq!(fault(nameless).await, Some(Fault::Malformed));
    let mut walled = shell("true");
    walled.confinement = open_confinement();
    walled.confinement.required = true;
    walled.confinement.landlock_abi = 10_000;
    assert_eq!(fault(walled).await, Some(Fault::NotConfined));
    // And it serves on.
    assert_eq!(host.shell("exit 3").await.exit.code, Some(3));
}

#[tokio::test]
async fn a_program_gets_its_directory_and_exactly_its_environment() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let mut start = program(&["/usr/bin/env"]);
    start.env =
        [&b"B=2"[..], b"A=1", b"NOT_UTF8=\xff\xfe", b"EMPTY="].map(|each| each.to_vec().into()).to_vec();
    let outcome = host.start(start).await.outcome().await;
    assert_eq!(outcome.stdout, b"B=2\nA=1\nNOT_UTF8=\xff\xfe\nEMPTY=\n");
    let mut start = program(&["/bin/pwd"]);
    start.cwd = b"/usr/lib".to_vec().into();
    assert_eq!(host.start(start).await.outcome().await.text(), "/usr/lib\n");
    // Nothing of the supervisor's is open, blocked or ignored in it.
    let status = host.shell("ls /proc/$$/fd; umask; exec grep -E '^Sig(Blk|Ign)' /proc/self/status").await;
    let clean = "0\n1\n2\n0022\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n";
    assert_eq!(status.text(), clean);
}

#[tokio::test]
async fn programs_are_found_in_their_own_path() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let directory = sandbox.directory.path();
    for (name, mode, text) in [("a", 0o644, "exit 1"), ("b", 0o755, "exit 2")] {
        let folder = directory.join(name);
        std::fs::create_dir(&folder).expect("made");
        std::fs::write(folder.join("tool"), format!("#!/bin/sh\n{text}\n")).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(folder.join("tool"), mode).expect("set");
    }
    let at = directory.to_str().expect("text");
    let mut start = program(&["tool"]);
    start.env = vec![format!("PATH=/nowhere:{at}/a:{at}/b").into_bytes().into()];
    assert_eq!(host.start(start.clone()).await.outcome().await.exit.code, Some(2));
    start.id = crate::host::fresh_id();
    start.env = vec![format!("PATH=/nowhere:{at}/a").into_bytes().into()];
    let refusal = host.try_start(start).await.err().map(|refusal| refusal.fault);
    assert_eq!(refusal, Some(Fault::NotExecutable));
}

#[tokio::test]
async fn programs_are_told_of_the_proxy_unless_they_are_told_otherwise() {
    let sandbox = Sandbox::with(&["--proxy-port", "3128"]).await;
    let host = sandbox.host().await;
    assert_eq!(host.welcome.proxy_port, Some(3128));
    let mut start = program(&["/usr/bin/env"]);
    start.env = vec![b"https_proxy=mine".to_vec().into(), b"HTTP_PROXY=".to_vec().into()];
    let text = host.start(start).await.outcome().await.text();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let expected = [
        "ALL_PROXY=socks5h://127.0.0.1:3128",
        "HTTPS_PROXY=http://127.0.0.1:3128",
        "HTTP_PROXY=",
        "NO_PROXY=localhost,127.0.0.1,::1",
        "all_proxy=socks5h://127.0.0.1:3128",
        "http_proxy=http://127.0.0.1:3128",
        "https_proxy=mine",
        "no_proxy=localhost,127.0.0.1,::1",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn signals_reach_the_process_group() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    for (signal, script, expected) in [
        (15, "echo ready; sleep 1000", (None, Some(15))),
        (10, "trap 'exit 7' USR1; echo ready; while :; do :; done", (Some(7), None)),
        (34, "echo ready; sleep 1000", (None, Some(34))),
    ] {
        let mut exec = host.start(shell(script)).await;
        exec.read_until("ready").await;
        for nonsense in [0, 65, 255, 256 + 9, u32::MAX] {
            exec.say(ExecInput::Signal(nonsense)).await;
        }
        exec.say(ExecInput::Signal(signal)).await;
        let exit = exec.outcome().await.exit;
        assert_eq!((exit.code, exit.signal), expected);
    }
}

#[tokio::test]
async fn a_thousand_programs_one_after_the_other() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    for round in 0..1000 {
        let outcome = host.run(&["echo", &round.to_string()]).await;
        assert_eq!(outcome.text(), format!("{round}\n"));
    }
    let open = std::fs::read_dir(format!("/proc/{}/fd", sandbox.pid())).expect("it runs").count();
    assert!(open < 20, "{open} descriptors");
}

#[tokio::test]
async fn sixty_four_at_once_and_no_more_than_the_bound() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let mut execs = Vec::new();
    for _ in 0..limits::EXECS {
        execs.push(host.start(crate::host::with_input(program(&["cat"]))).await);
    }
    let refused = host.try_start(program(&["true"])).await.err().map(|refusal| refusal.fault);
    assert_eq!(refused, Some(Fault::Busy));
    for (number, exec) in execs.iter_mut().enumerate() {
        exec.write(number.to_string().as_bytes()).await;
        exec.say(ExecInput::End).await;
    }
    for (number, exec) in execs.into_iter().enumerate() {
        assert_eq!(exec.outcome().await.text(), number.to_string());
    }
    assert_eq!(host.shell("exit 1").await.exit.code, Some(1));
}

#[tokio::test]
async fn a_program_cannot_look_into_the_supervisor() {
    let sandbox = Sandbox::start().await;
    let host = sandbox.host().await;
    let supervisor = sandbox.pid();
    let files = ["environ", "auxv", "mem", "maps"].map(|file| format!("head -c 1 /proc/{supervisor}/{file}"));
    let links = ["exe", "cwd", "fd/0"].map(|link| format!("readlink /proc/{supervisor}/{link}"));
    let script = [files.join(" || "), links.join(" || ")].join(" || ");
    let outcome = host.shell(&script).await;
    assert_ne!(outcome.exit.code, Some(0));
    assert_eq!(outcome.text(), "");
}
