//! Tests in two processes: a test starts its own binary again, for the same test alone, which there finds out that it is
//! the child and what it has to do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Says to a child what it is.
const ROLE: &str = "PACKHOST_ARTIFACTS_TEST_ROLE";
/// How long a child may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a line of ours begins with; the test harness writes there as well.
const MARK: char = '@';

/// What this process was started for, or nothing in the test itself.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Starts this binary again, by way of `wrapper`, to run the test of this name in a role.
pub(crate) fn command(wrapper: &[&str], test: &str, role: &str) -> Command {
    let own = std::env::current_exe().expect("this binary");
    let own = own.to_str().expect("text");
    let words = [wrapper, &[own, "--exact", test, "--nocapture", "--test-threads=1"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env(ROLE, role);
    command
}

/// Says something to the test. A line is written at once or not at all, also by a process that is killed.
pub(crate) fn say(line: &str) {
    std::io::stdout().lock().write_all(format!("\n{MARK}{line}\n").as_bytes()).expect("the test listens");
}

/// A child that is heard, and killed when it is no longer needed.
pub(crate) struct Heard {
    child: Child,
    lines: Receiver<String>,
}

impl Heard {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix(MARK) {
                    // Nobody listens to the rest of a test that has failed.
                    let _ = tell.send(line.to_owned());
                }
            }
        });
        Self { child, lines }
    }

    /// The next line that it says.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the child goes on")
    }

    /// Kills it and gives what it had said and nobody had heard.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("it is ours");
        let status = self.child.wait().expect("it is ours");
        assert_eq!(status.signal(), Some(9), "it ended by itself: {status}");
        self.lines.iter().collect()
    }

    /// All that it says until it ends by itself.
    pub(crate) fn end(mut self) -> (Vec<String>, ExitStatus) {
        let lines = self.lines.iter().collect();
        (lines, self.child.wait().expect("it is ours"))
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
