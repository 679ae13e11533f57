//! The cgroups of the sandbox (cgroups(7)), where the supervisor can see them.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::mounts::{Mount, Mounts};

/// The inode of the machine's first cgroup namespace (cgroup_namespaces(7)): `PROC_CGROUP_INIT_INO` of the kernel.
const FIRST_NAMESPACE: u64 = 0xEFFF_FFFB;

/// Directories of the supervisor's own cgroups.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    unified: Option<PathBuf>,
    memory: Option<PathBuf>,
    cpu: Option<PathBuf>,
}

impl Groups {
    pub(super) fn read(mounts: &Mounts) -> Self {
        let memberships = super::read("/proc/self/cgroup").unwrap_or_default();
        let namespace = std::fs::metadata("/proc/self/ns/cgroup").map(|meta| meta.ino());
        Self::of(mounts, &memberships, namespace.map_or(true, |inode| inode == FIRST_NAMESPACE))
    }

    /// In the first namespace the root is the whole machine, which says nothing about a sandbox.
    fn of(mounts: &Mounts, memberships: &str, is_first_namespace: bool) -> Self {
        let mut groups = Self::default();
        for line in memberships.lines() {
            let mut fields = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            if is_first_namespace && path == "/" {
                continue;
            }
            let version_1 = |controller: &str| {
                let is_meant = controllers.split(',').any(|one| one == controller);
                mounts.of("cgroup").filter(|_| is_meant).find(|mount| mount.has(controller))
            };
            if controllers.is_empty() {
                groups.unified = mounts.of("cgroup2").next().and_then(|mount| directory(mount, path));
            }
            groups.memory = groups.memory.or(version_1("memory").and_then(|mount| directory(mount, path)));
            groups.cpu = groups.cpu.or(version_1("cpuacct").and_then(|mount| directory(mount, path)));
        }
        groups
    }

    /// Bytes of memory, the page cache of its files included.
    pub(super) fn memory(&self) -> Option<u64> {
        let number = |text: String| text.trim().parse().ok();
        let unified = self.unified.as_ref().and_then(|group| super::read(group.join("memory.current")));
        unified
            .and_then(number)
            .or_else(|| super::read(self.memory.as_ref()?.join("memory.usage_in_bytes")).and_then(number))
    }

    /// CPU time so far, in microseconds.
    pub(super) fn cpu_us(&self) -> Option<u64> {
        let unified = self.unified.as_ref().and_then(|group| super::read(group.join("cpu.stat")));
        let used = unified.and_then(|text| {
            text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.trim().parse().ok())
        });
        used.or_else(|| {
            let text = super::read(self.cpu.as_ref()?.join("cpuacct.usage"))?;
            text.trim().parse::<u64>().ok().map(|ns| ns / 1000)
        })
    }
}

/// Where a cgroup's directory is, if what is mounted has it.
fn directory(mount: &Mount, path: &str) -> Option<PathBuf> {
    let below = if mount.root == "/" { path } else { path.strip_prefix(&mount.root)? };
    let is_plain = below.split('/').all(|step| step != "..");
    is_plain.then(|| mount.at.join(below.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "1 0 0:1 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
        2 0 0:2 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n\
        3 0 0:3 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";

    #[test]
    fn the_groups_of_both_versions_are_found_where_they_are_mounted() {
        let text = "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/docker/abc\n1:name=systemd:/x";
        let expected = Groups {
            unified: Some("/sys/fs/cgroup/unified/docker/abc".into()),
            memory: Some("/sys/fs/cgroup/memory/docker/abc".into()),
            cpu: Some("/sys/fs/cgroup/cpu,cpuacct/".into()),
        };
        assert_eq!(Groups::of(&Mounts::parse(MOUNTS), text, true), expected);
    }

    #[test]
    fn the_root_of_the_machine_is_not_taken_for_the_sandbox() {
        let (mounts, text) = (Mounts::parse(MOUNTS), "5:memory:/\n0::/");
        assert_eq!(Groups::of(&mounts, text, true), Groups::default());
        let own = Groups::of(&mounts, text, false);
        assert_eq!(own.unified, Some("/sys/fs/cgroup/unified/".into()));
    }

    #[test]
    fn a_group_outside_of_what_is_mounted_is_not_looked_for() {
        let text = "4:cpu,cpuacct:/elsewhere\n0::/../other";
        assert_eq!(Groups::of(&Mounts::parse(MOUNTS), text, false), Groups::default());
    }
}
