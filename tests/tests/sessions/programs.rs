//! What a program in a sandbox can do, and what it cannot.

use packhost_tests::host::wait_until;
use serde_json::json;

use crate::{answer, connect, failure, host, shell, text};

#[test]
fn python_runs_on_a_fresh_machine_without_a_daemon_and_without_an_image() {
    let setup = host();
    let code = "import sys\nprint('hello', sys.argv[1:], input())\nopen('out.txt', 'w').write('made')\n{'sum': sum(range(10))}";
    let input = json!({ "code": code, "args": ["a b", ""], "stdin": "given\n" });
    let ran = setup.run(["--json", "call", "python.run", &input.to_string()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = ran.json();
    let output = &said["output"];
    assert_eq!(output["value"], json!({ "sum": 45 }), "{said}");
    assert_eq!(text(output, "stdout"), "hello ['a b', ''] given\n");
    assert_eq!(output["files"], json!([{ "path": "out.txt", "size": 4 }]));
    assert_eq!(output["exit_code"], 0);
    assert_eq!(said["session"]["backend"], "process", "{said}");
    assert_eq!(said["session"]["image"], "the machine's own files");
    let why = said["session"]["passed"][0]["reason"].as_str().expect("why not the image");
    assert!(why.contains("packhost images build python"), "{why}");
}

#[test]
fn a_failure_of_the_code_is_an_answer_with_the_lines_of_the_code() {
    let setup = host();
    let mut rpc = connect(&setup);
    let failed = answer(rpc.call("python_run", json!({ "code": "def f():\n    return 1/0\nf()" })));
    assert_eq!(failed["exit_code"], 1);
    let stderr = text(&failed, "stderr");
    assert!(stderr.contains("File \"main.py\", line 2, in f") && stderr.contains("return 1/0"), "{stderr}");
    assert!(!stderr.contains("<string>"), "{stderr}");
    let unread = answer(rpc.call("python_run", json!({ "code": "print((" })));
    assert!(text(&unread, "stderr").contains("SyntaxError"), "{unread}");
}

#[test]
fn a_program_is_nobody_and_sees_nothing_of_the_machine() {
    let setup = host();
    let mut rpc = connect(&setup);
    let script = "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; cat /etc/passwd; \
                  ls /root /home /work /etc/shadow /var 2>&1; ls /proc | grep -c '^[0-9]'; hostname";
    let seen = shell(&mut rpc, script);
    let stdout = text(&seen, "stdout");
    assert!(stdout.starts_with("1000\n"), "{stdout}");
    for line in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(stdout.contains(line), "{line}: {stdout}");
    }
    let own = std::fs::read_to_string("/etc/passwd").expect("this machine has one");
    let daemon = own.lines().find(|line| line.starts_with("daemon:")).expect("Debian has it");
    assert!(!stdout.contains(daemon), "the machine's own users are seen: {stdout}");
    for gone in ["/root", "/home", "/work", "/etc/shadow", "/var"] {
        let line = stdout.lines().find(|line| line.contains(&format!("'{gone}'"))).unwrap_or_default();
        assert!(line.contains("No such file") || line.contains("Permission denied"), "{gone}: {stdout}");
    }
    assert!(stdout.ends_with("sandbox\n"), "{stdout}");
}

#[test]
fn a_program_that_asks_too_much_is_ended_and_says_why() {
    let setup = host();
    let mut rpc = connect(&setup);
    let memory = "x = []\nwhile True: x.append(bytearray(10**7))";
    let killed = answer(rpc.call("python_run", json!({ "code": memory })));
    assert_eq!(text(&killed, "killed"), "It needed more memory than it may use.");
    let slow = json!({ "code": "import time\nwhile True: time.sleep(1)", "timeout_seconds": 1 });
    let late = answer(rpc.call("python_run", slow));
    assert_eq!(text(&late, "killed"), "Its time was over.");
    let bomb = shell(&mut rpc, "f() { f | f & }; f 2>/dev/null; sleep 1; echo over");
    assert!(bomb["exit_code"].is_number(), "{bomb}");
    let disk = shell(&mut rpc, "head -c 1G /dev/zero > /tmp/big; ls -s /tmp/big >/dev/null; echo $?");
    assert!(text(&disk, "stderr").contains("No space left"), "{disk}");
    assert_eq!(text(&shell(&mut rpc, "echo still here"), "stdout"), "still here\n");
}

#[test]
fn a_call_that_is_cancelled_takes_its_program_along() {
    let setup = host();
    let mut rpc = connect(&setup);
    let marked = "sleep 4242.5";
    let id = rpc.start("cmd_run", json!({ "command": marked }));
    let runs = || {
        let list =
            std::process::Command::new("pgrep").args(["-fx", marked]).output().expect("pgrep is there");
        !list.stdout.is_empty()
    };
    wait_until("the program runs", &runs);
    rpc.cancel(id);
    wait_until("the program is gone", &|| !runs());
}

#[test]
fn what_does_not_fit_is_cut_in_the_middle_and_says_so() {
    let setup = host();
    let mut rpc = connect(&setup);
    let long = shell(&mut rpc, "echo first; head -c 2000000 /dev/zero | tr '\\0' x; echo last");
    assert_eq!(long["truncated"], true);
    let stdout = text(&long, "stdout");
    assert!(stdout.starts_with("first\nx") && stdout.ends_with("xlast\n"), "{}", stdout.len());
    assert!(stdout.contains("bytes left out"), "{}", stdout.len());
}

#[test]
fn an_input_with_a_slip_is_refused_with_one_that_works() {
    let setup = host();
    let mut rpc = connect(&setup);
    let refused = rpc.call("python_run", json!({ "cod": "1" }));
    assert_eq!(failure(&refused)["code"], "invalid_input", "{refused}");
    assert!(failure(&refused)["example"]["code"].is_string(), "{refused}");
    let outside = json!({ "code": "1", "files": [{ "path": "../../etc/x", "content": "" }] });
    let denied = rpc.call("python_run", outside);
    assert_eq!(failure(&denied)["code"], "capability_denied", "{denied}");
    assert_eq!(failure(&denied)["pointer"], "/files/0/path", "{denied}");
}
