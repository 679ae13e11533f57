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
