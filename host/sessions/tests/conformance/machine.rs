//! What this machine has of a sandbox, seen from outside.

use std::fs;
use std::path::{Path, PathBuf};

/// Directories of cgroups are looked for down to here.
const DEPTH: usize = 6;

/// Processes and mounts and cgroups that carry one of these names.
pub(crate) fn traces(names: &[String]) -> Vec<String> {
    let named = |text: &str| names.iter().any(|name| text.contains(name));
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").expect("a /proc").flatten() {
        // It may be gone by now.
        let cgroups = fs::read_to_string(process.path().join("cgroup")).unwrap_or_default();
        if named(&cgroups) {
            found.push(format!("process {}", process.file_name().to_string_lossy()));
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("a /proc");
    found.extend(mounts.lines().filter(|line| named(line)).map(str::to_owned));
    found.extend(cgroups(names).into_iter().map(|path| path.display().to_string()));
    found
}

/// Cgroups whose own name has one of these in it.
pub(crate) fn cgroups(names: &[String]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    look(Path::new("/sys/fs/cgroup"), DEPTH, &mut |path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if names.iter().any(|wanted| name.contains(wanted)) {
            found.push(path.to_owned());
        }
    });
    found
}

fn look(directory: &Path, depth: usize, see: &mut impl FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        see(&entry.path());
        if depth > 1 {
            look(&entry.path(), depth - 1, see);
        }
    }
}

/// A file of the cgroup that a process is in, for this controller; `v2` is its name where there is one hierarchy for all.
pub(crate) fn cgroup_file(pid: u32, controller: &str, v1: &str, v2: &str) -> Option<String> {
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        let root = Path::new("/sys/fs/cgroup");
        let file = match controllers {
            "" => root.join(path).join(v2),
            _ if controllers.split(',').any(|word| word == controller) => {
                root.join(controllers).join(path).join(v1)
            }
            _ => continue,
        };
        if let Ok(text) = fs::read_to_string(file) {
            return Some(text);
        }
    }
    None
}

/// Bytes that this process has resident.
pub(crate) fn resident() -> u64 {
    resident_of(std::process::id())
}

/// Bytes that a process has resident.
pub(crate) fn resident_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("proc(5)");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}
