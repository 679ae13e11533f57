//! This test binary once more, as a process that may be killed.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Says to a child what it is to do.
const ROLE: &str = "PACKHOST_AUDIT_TEST_ROLE";
/// What a child says begins with this: what the test harness says does not.
const MARK: &str = "\u{1}";

pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

pub(crate) fn exe() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// Says a line, at once.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{MARK}{line}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// What a child has said, to its end.
pub(crate) struct Said {
    pub(crate) lines: Vec<String>,
}

impl Said {
    /// Runs this test, in a process with this role, to its end.
    pub(crate) fn of(command: &mut Command, test: &str, role: &str) -> Self {
        let mut child = start(command, test, role);
        let said = Self::heard(&mut child);
        child.wait().unwrap();
        said
    }

    /// What a child says until it ends or is killed.
    pub(crate) fn heard(child: &mut Child) -> Self {
        let out = BufReader::new(child.stdout.take().unwrap());
        let lines = out.split(b'\n').map(|line| String::from_utf8_lossy(&line.unwrap()).into_owned());
        // The line of the test harness has no end.
        let said = lines.filter_map(|line| line.split_once(MARK).map(|(_, said)| said.to_owned()));
        Self { lines: said.collect() }
    }

    /// The records that were acknowledged: number and hash.
    pub(crate) fn written(&self) -> Vec<(u64, String)> {
        let written = self.lines.iter().filter_map(|line| line.strip_prefix("wrote ")?.split_once(' '));
        // A line that was cut off by its death is no acknowledgement.
        let whole = written.filter(|(_, hash)| hash.len() == 64);
        whole.map(|(n, hash)| (n.parse().unwrap(), hash.to_owned())).collect()
    }
}

/// Starts this test in a process with this role.
pub(crate) fn start(command: &mut Command, test: &str, role: &str) -> Child {
    command.args(["--exact", test, "--test-threads=1", "--nocapture"]).env(ROLE, role);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}
