//! Disks that are full or broken, files that are too large, processes that die in the middle of a write: what was acknowledged is
//! there, what was not is not half there, and the chain goes on.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use packhost_audit::{AuditError, Durability, Retention, Settings};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use serde_json::json;

use crate::child::{Said, exe, role, say};
use crate::place::{Place, small};

const FAULTS: [&str; 2] = ["error=EIO", "signal=SIGKILL"];
/// No deed takes as many calls of a kind.
const MOST: usize = 250;

#[test]
fn every_write_that_fails_or_kills_leaves_a_chain_with_all_that_was_acknowledged() {
    every_call(
        "faults::every_write_that_fails_or_kills_leaves_a_chain_with_all_that_was_acknowledged",
        "write pwrite64 ftruncate",
        60,
    );
}

#[test]
fn every_wait_for_the_disk_that_fails_or_kills_leaves_a_chain_with_all_that_was_acknowledged() {
    every_call(
        "faults::every_wait_for_the_disk_that_fails_or_kills_leaves_a_chain_with_all_that_was_acknowledged",
        "fdatasync fsync",
        60,
    );
}

#[test]
fn every_file_that_fails_or_kills_leaves_a_chain_with_all_that_was_acknowledged() {
    every_call(
        "faults::every_file_that_fails_or_kills_leaves_a_chain_with_all_that_was_acknowledged",
        "rename unlink mkdir flock",
        60,
    );
}

#[test]
fn every_open_that_fails_or_kills_leaves_a_chain_with_all_that_was_acknowledged() {
    every_call(
        "faults::every_open_that_fails_or_kills_leaves_a_chain_with_all_that_was_acknowledged",
        "openat",
        60,
    );
}

fn every_call(test: &str, calls: &str, least: usize) {
    if let Some(role) = role() {
        return deeds(&role);
    }
    let mut fired = 0;
    for call in calls.split(' ') {
        for fault in FAULTS {
            let end = (1..=MOST).find(|count| !injected(test, call, fault, *count));
            fired += end.unwrap_or_else(|| panic!("there is no end of {call}")) - 1;
        }
    }
    assert!(fired > least, "{fired} faults");
}

/// Makes a log, writes more than a segment, removes segments, opens it again: says each record that was acknowledged.
fn deeds(dir: &str) {
    let place = Place::at(Path::new(dir));
    for round in 0..2 {
        let log = match place.try_open(Settings {
            durability: Durability::Each,
            segment_bytes: 1_800,
            ..small()
        }) {
            Ok(log) => log,
            Err(error) => return say(&format!("failed open: {error}")),
        };
        for n in 0..5 {
            match log.append("test", &json!({"round": round, "n": n})) {
                Ok(position) => say(&format!("wrote {} {}", position.n, position.hash)),
                Err(error) => say(&format!("failed: {error}")),
            }
        }
        for done in
            [log.roll(), log.retain(Retention { bytes: Some(1_800), age: None }).map(drop), log.close()]
        {
            if let Err(error) = done {
                say(&format!("failed: {error}"));
            }
        }
    }
    say("done");
}

/// Whether the fault came to pass.
fn injected(test: &str, call: &str, fault: &str, count: usize) -> bool {
    let place = Place::new();
    place.ring();
    let root = place.root().canonicalize().unwrap();
    let log = root.join("strace");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&log);
    let names = ["lock", "head", "head.new", "synced", "sealed"].map(str::to_owned);
    let segments = (1..9).map(|number| format!("{number:08}.log"));
    for path in names
        .into_iter()
        .chain(segments)
        .map(|name| root.join("audit").join(name))
        .chain([root.join("audit")])
    {
        command.arg("-P").arg(path);
    }
    let inject = format!("inject={call}:{fault}:when={count}");
    command.args(["-e", &format!("trace={call}"), "-e", &inject]);
    let said = Said::of(command.arg(exe()), test, &root.display().to_string());
    let trace = fs::read_to_string(&log).unwrap();
    let what = format!("{call} {fault} {count}: {:?}\n{trace}", said.lines);
    let killed = !said.lines.iter().any(|line| line == "done");
    let fired = trace.contains("INJECTED") || killed && fault.starts_with("signal");
    assert!(fired || said.lines.iter().all(|line| !line.starts_with("failed")), "{what}");
    place.holds(&said.written(), &what);
    fired
}

const UNCONFIRMED: &str = "faults::what_a_disk_does_not_confirm_stops_the_record_until_it_does_and_is_told";

#[test]
fn what_a_disk_does_not_confirm_stops_the_record_until_it_does_and_is_told() {
    if let Some(dir) = role() {
        return unconfirmed(Path::new(&dir));
    }
    let place = Place::new();
    place.ring();
    let root = place.root().canonicalize().unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-P"]).arg(root.join("audit/00000001.log"));
    command.args(["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=5"]);
    let said = Said::of(command.arg(exe()), UNCONFIRMED, &root.display().to_string());
    assert_eq!(said.lines.last().map(String::as_str), Some("done"), "{:?}", said.lines);
    place.holds(&said.written(), "a disk that does not confirm");
    assert_eq!(place.kinds()["unsynced"], 1);
}

fn unconfirmed(dir: &Path) {
    let place = Place::at(dir);
    let log = place.open(Settings { durability: Durability::Each, ..place.settings() });
    let wrote = |position: packhost_audit::Position| say(&format!("wrote {} {}", position.n, position.hash));
    let refused = loop {
        match log.append("test", &json!({})) {
            Ok(position) => wrote(position),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AuditError::Unsynced { .. }), "{refused}");
    // Until the disk is tried again.
    assert!(matches!(log.append("test", &json!({})), Err(AuditError::Unsynced { .. })));
    log.sync().unwrap();
    wrote(log.append("test", &json!({})).unwrap());
    log.close().unwrap();
    assert!(matches!(log.sync(), Ok(()) | Err(AuditError::Closed)));
    say("done");
}

#[test]
fn a_disk_that_is_full_takes_no_part_of_a_record_and_goes_on_when_there_is_room() {
    let mounted = Mounted::new("size=128k");
    let place = Place::at(mounted.path());
    let log = place.open(Settings { segment_bytes: 1 << 20, ..small() });
    let mut written = Vec::new();
    // Of every size, so that the disk is full at every place of a page.
    let refused = loop {
        match log.append("test", &json!({"x": "y".repeat(written.len() * 7 % 1_000)})) {
            Ok(position) => written.push((position.n, position.hash.to_string())),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AuditError::Write { .. }), "{refused}");
    for _ in 0..3 {
        assert!(log.append("test", &json!({"x": "y".repeat(5_000)})).is_err());
    }
    mounted.grow("size=1m");
    for _ in 0..20 {
        let position = log.append("test", &json!({"x": "y".repeat(5_000)})).unwrap();
        written.push((position.n, position.hash.to_string()));
    }
    log.close().unwrap();
    place.holds(&written, "a full disk");
}

#[test]
fn a_disk_that_is_full_while_it_is_closed_or_opened_loses_nothing() {
    let mounted = Mounted::new("size=96k");
    let place = Place::at(mounted.path());
    let mut written = Vec::new();
    let log = place.open(Settings { segment_bytes: 1 << 20, ..small() });
    while let Ok(position) = log.append("test", &json!({"x": "y".repeat(333)})) {
        written.push((position.n, position.hash.to_string()));
    }
    // No room for the last checkpoint.
    drop(log);
    let _may_fail = place.try_open(small()).map(drop);
    mounted.grow("size=1m");
    place.open(small()).append("test", &json!({})).unwrap();
    place.holds(&written, "a disk that is full at the end");
}

const TOO_LARGE: &str = "faults::a_write_that_stops_half_way_is_taken_back";

#[test]
fn a_write_that_stops_half_way_is_taken_back() {
    if let Some(role) = role() {
        return limited(&role);
    }
    for limit in [3_000, 3_001, 3_100, 3_207, 3_999, 4_096, 4_500] {
        let place = Place::new();
        place.ring();
        let mut command = Command::new(exe());
        let said = Said::of(&mut command, TOO_LARGE, &format!("{limit} {}", place.root().display()));
        let what = format!("{limit}: {:?}", said.lines);
        let refused = said.lines.iter().filter(|line| line.contains("the record was not written")).count();
        assert!(refused > 3, "{what}");
        assert!(said.lines.iter().any(|line| line.contains("only a part of it could be written")), "{what}");
        assert!(said.lines.iter().any(|line| line == "done"), "{what}");
        place.holds(&said.written(), &what);
    }
}

/// No file gets larger than so many bytes (`RLIMIT_FSIZE`, getrlimit(2)): the write that reaches them is short, the next fails.
fn limited(role: &str) {
    let (limit, dir) = role.split_once(' ').unwrap();
    let place = Place::at(Path::new(dir));
    let log = place.open(Settings { segment_bytes: 1 << 20, ..small() });
    // SAFETY: without its signal the limit is an error; a process that ignores it does nothing else with it.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let all = rustix::process::getrlimit(rustix::process::Resource::Fsize);
    let less = rustix::process::Rlimit { current: Some(limit.parse().unwrap()), ..all };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, less).unwrap();
    let append = |n: u32| match log.append("test", &json!({"n": n, "x": "y".repeat(100)})) {
        Ok(position) => say(&format!("wrote {} {}", position.n, position.hash)),
        Err(error) => say(&format!("failed: {error}: {}", std::error::Error::source(&error).unwrap())),
    };
    (0..25).for_each(append);
    rustix::process::setrlimit(rustix::process::Resource::Fsize, all).unwrap();
    (25..30).for_each(append);
    log.close().unwrap();
    say("done");
}

#[test]
fn a_torn_end_of_every_length_is_cut_off_kept_and_told() {
    let place = Place::new();
    let log = place.open(place.settings());
    for n in 0..3 {
        log.append("test", &json!({"n": n})).unwrap();
    }
    log.close().unwrap();
    let (whole, name) = (place.files(), "00000001.log");
    let line = [place.lines(1).last().unwrap().as_bytes(), b"\n"].concat();
    for length in 1..line.len() {
        place.restore(&whole);
        let torn: Vec<u8> = line.iter().copied().cycle().filter(|byte| *byte != b'\n').take(length).collect();
        fs::write(place.dir().join(name), [whole[name].as_slice(), &torn].concat()).unwrap();
        let before = place.verified();
        assert_eq!(before.torn, Some(whole[name].len() as u64), "{length}");
        let log = place.open(place.settings());
        assert_eq!(log.append("test", &json!({})).unwrap().n, before.last.unwrap().n + 2);
        log.close().unwrap();
        let report = place.verified();
        assert_eq!((report.torn, report.records), (None, before.records + 3));
        assert_eq!(place.read(&format!("00000001.{}.torn", whole[name].len())), torn);
        let recovered = &place.lines(1)[usize::try_from(before.records).unwrap()];
        assert!(recovered.contains(&format!(
            r#""kind":"recovered","body":{{"file":"00000001.{}.torn","#,
            whole[name].len()
        )));
    }
}

#[test]
fn what_a_machine_left_that_lost_its_power_is_cut_off_behind_what_was_on_the_disk() {
    let place = Place::new();
    let log = place.open(place.settings());
    log.append("test", &json!({})).unwrap();
    log.close().unwrap();
    let whole = place.files();
    // Pages that never came to the disk are zeros, and what follows is there.
    let line = [place.lines(1)[1].as_bytes(), b"\n"].concat();
    let rests = [
        vec![0; 4096],
        vec![b'x'; 300_000],
        [vec![0; 100], line.clone()].concat(),
        [b"\n".to_vec(), line.clone()].concat(),
        line,
    ];
    for rest in rests {
        place.restore(&whole);
        let end = whole["00000001.log"].len();
        fs::write(place.dir().join("00000001.log"), [whole["00000001.log"].as_slice(), &rest].concat())
            .unwrap();
        drop(place.open(place.settings()));
        assert_eq!(place.read(&format!("00000001.{end}.torn")), rest);
        place.verified();
    }
}

#[test]
fn a_process_finds_what_another_left_half_written_while_it_runs() {
    let place = Place::new();
    let log = place.open(place.settings());
    log.append("test", &json!({})).unwrap();
    let mut segment = fs::OpenOptions::new().append(true).open(place.dir().join("00000001.log")).unwrap();
    segment.write_all(b"0123456789abcdef").unwrap();
    assert_eq!(log.append("test", &json!({})).unwrap().n, 4);
    // A whole line that is none is no accident.
    segment.write_all(b"0123456789abcdef\n").unwrap();
    assert!(matches!(log.append("test", &json!({})), Err(AuditError::Damaged { .. })));
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error_and_can_be_verified() {
    let mounted = Mounted::new("size=1m");
    let place = Place::at(mounted.path());
    place.open(small()).append("test", &json!({})).unwrap();
    mounted.remount(MountFlags::RDONLY, "");
    place.verified();
    let refused = place.try_open(small()).unwrap_err();
    assert!(
        matches!(&refused, AuditError::File { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem),
        "{refused}"
    );
}

/// A file system in memory, gone in the end.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = std::ffi::CString::new(format!("mode=0700,{options}")).unwrap();
        mount("none", dir.path(), "tmpfs", MountFlags::empty(), Some(options.as_c_str()))
            .expect("root may mount");
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn grow(&self, options: &str) {
        self.remount(MountFlags::empty(), options);
    }

    fn remount(&self, flags: MountFlags, options: &str) {
        let options = std::ffi::CString::new(options).unwrap();
        rustix::mount::mount_remount(self.path(), flags, options.as_c_str()).unwrap();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        unmount(self.0.path(), UnmountFlags::DETACH).unwrap();
    }
}
