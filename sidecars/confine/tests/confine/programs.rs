//! What must go on working.

use super::scene::{House, Outcome, Scene, scene, works};

const PYTHON: &str = "/usr/bin/python3";
const NODE: &str = "/usr/bin/node";
const BASH: &str = "/bin/bash";
const GIT: &str = "/usr/bin/git";
const CC: &str = "/usr/bin/cc";

pub(crate) const SCENES: &[Scene] = &[
    scene("shells_fork_pipe_and_substitute", bash).with(BASH),
    scene("python_does_what_python_does", python).with(PYTHON),
    scene("a_program_runs_from_memory", memfd).with(PYTHON),
    scene("a_program_gets_a_terminal_of_its_own", terminal).with(PYTHON),
    scene("node_evaluates_listens_and_starts_programs", node).with(NODE),
    scene("git_commits_and_clones", git).with(GIT),
    scene("a_compiler_builds_what_then_runs", compiler).with(CC),
];

fn bash(house: &House) -> Outcome {
    house.confine()?;
    let sh = |script| works(BASH, &["-euc", script]);
    assert_eq!(sh("seq 1000 | sort -rn | head -1")?, "1000");
    assert_eq!(sh("cat <(echo in) > >(cat); wait $!")?, "in");
    assert_eq!(sh("cat <<< here > out; cat out 2>/dev/null; rm out")?, "here");
    assert_eq!(sh("(exit 7) || echo $?")?, "7");
    assert_eq!(sh("sleep 1000 & kill %1; wait %1 || echo $?")?, "143");
    assert_eq!(sh("mkdir -p a/b && mv a/b c && ls -d c && rmdir c a")?, "c");
    Ok(())
}

fn python(house: &House) -> Outcome {
    const SCRIPT: &str = r#"
import asyncio, ctypes, mmap, os, select, socket, sqlite3, subprocess, sys, tempfile, threading
ran = []
thread = threading.Thread(target=lambda: ran.append(1)); thread.start(); thread.join()
assert ran == [1]
assert subprocess.run([sys.executable, "-c", "print(6*7)"], capture_output=True, text=True).stdout == "42\n"
with tempfile.TemporaryDirectory() as d:
    db = sqlite3.connect(d + "/db"); db.execute("create table t(x)"); db.commit(); db.close()
    os.symlink("db", d + "/link"); os.mkfifo(d + "/fifo")
m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC); m[0] = 0xc3
async def serve():
    server = await asyncio.start_server(lambda r, w: (w.write(b"hello"), w.close()), "127.0.0.1", 0)
    reader, _ = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert await reader.read() == b"hello"
asyncio.run(serve())
libc = ctypes.CDLL(None)
assert libc.inotify_init1(0) >= 0
select.epoll()
socket.if_nameindex()
assert libc.getifaddrs(ctypes.byref(ctypes.c_void_p())) == 0
print("done")
"#;
    house.confine()?;
    assert_eq!(works(PYTHON, &["-c", "print('hello')"])?, "hello");
    assert_eq!(works(PYTHON, &["-c", SCRIPT])?, "done");
    Ok(())
}

/// Why it may: denials/mod.rs.
fn memfd(house: &House) -> Outcome {
    const SCRIPT: &str = r#"
import os
fd = os.memfd_create("program")
with open("/bin/echo", "rb") as program: os.write(fd, program.read())
os.execve(fd, ["echo", "from memory"], {})
"#;
    house.confine()?;
    assert_eq!(works(PYTHON, &["-c", SCRIPT])?, "from memory");
    Ok(())
}

fn terminal(house: &House) -> Outcome {
    const SCRIPT: &str = r#"
import os, pty
pid, master = pty.fork()
if pid == 0:
    with open("/dev/tty", "w") as tty:
        assert os.isatty(tty.fileno()) and os.get_terminal_size(tty.fileno())
        tty.write("own terminal")
    os._exit(0)
print(os.read(master, 100).decode())
os.waitpid(pid, 0)
"#;
    house.confine()?;
    assert_eq!(works(PYTHON, &["-c", SCRIPT])?, "own terminal");
    Ok(())
}

fn node(house: &House) -> Outcome {
    const SCRIPT: &str = r#"
const { execFileSync } = require("child_process"), { Worker } = require("worker_threads");
const http = require("http"), os = require("os"), fs = require("fs");
os.networkInterfaces(); os.cpus();
fs.watch(".").close();
const said = execFileSync("/bin/echo", ["child"]).toString().trim();
new Worker("", { eval: true }).on("exit", () => {
  const server = http.createServer((_, answer) => answer.end("served")).listen(0, "127.0.0.1", () =>
    http.get({ host: "127.0.0.1", port: server.address().port, agent: false }, (answer) => answer.on("data", (data) => {
      console.log(said, String(data)); server.close();
    })));
});
"#;
    house.confine()?;
    assert_eq!(works(NODE, &["-e", "console.log(6*7)"])?, "42");
    assert_eq!(works(NODE, &["-e", SCRIPT])?, "child served");
    Ok(())
}

fn git(house: &House) -> Outcome {
    const SCRIPT: &str = "export GIT_CONFIG_NOSYSTEM=1 HOME=$PWD
git init -q a && cd a && echo x > x && git add x
git -c user.name=n -c user.email=e commit -qm m && cd .. && git clone -q a b && cat b/x";
    house.confine()?;
    assert!(works(GIT, &["--version"])?.starts_with("git version"));
    assert_eq!(works("/bin/sh", &["-ec", SCRIPT])?, "x");
    Ok(())
}

fn compiler(house: &House) -> Outcome {
    house.confine()?;
    std::fs::write("p.c", "#include <stdio.h>\nint main(void) { puts(\"built\"); return 0; }\n")?;
    works(CC, &["-O1", "-o", "p", "p.c"])?;
    assert_eq!(works("./p", &[])?, "built");
    Ok(())
}
