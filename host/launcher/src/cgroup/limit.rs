//! Limits and counters as files: cgroup-v1/memory.rst, pids.rst and sched-bwc.rst, and cgroup-v2.rst of the kernel's
//! documentation.

use std::fs;
use std::path::Path;

use super::{Controller, Hierarchy};
use crate::recipe::{Limits, bounds};
use crate::wire::Usage;

/// Microseconds in which a share of the processor is counted.
const PERIOD: u64 = 100_000;

/// A file of a cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    /// Whether a kernel may lack it.
    pub(super) optional: bool,
}

const fn required(name: &'static str) -> Setting {
    Setting { name, optional: false }
}

const fn optional(name: &'static str) -> Setting {
    Setting { name, optional: true }
}

/// What is to be written, in this order.
pub(super) fn settings(hierarchy: &Hierarchy, limits: &Limits) -> Vec<(Setting, String)> {
    let memory = limits.memory.to_string();
    let processes = (u64::from(limits.processes) + u64::from(bounds::SUPERVISION)).to_string();
    let quota = u64::from(limits.cpu_millis) * PERIOD / 1000;
    let mut files = Vec::new();
    for controller in &hierarchy.controllers {
        match (controller, hierarchy.unified) {
            (Controller::Memory, false) => files.extend([
                (required("memory.limit_in_bytes"), memory.clone()),
                (optional("memory.memsw.limit_in_bytes"), memory.clone()),
            ]),
            (Controller::Memory, true) => files.extend([
                (required("memory.max"), memory.clone()),
                (optional("memory.swap.max"), "0".to_owned()),
            ]),
            (Controller::Processes, _) => files.push((required("pids.max"), processes.clone())),
            (Controller::Cpu, false) => files.extend([
                (required("cpu.cfs_period_us"), PERIOD.to_string()),
                (required("cpu.cfs_quota_us"), quota.to_string()),
            ]),
            (Controller::Cpu, true) => files.push((required("cpu.max"), format!("{quota} {PERIOD}"))),
        }
    }
    files
}

/// Adds what this hierarchy counts.
pub(super) fn read(hierarchy: &Hierarchy, cgroup: &Path, usage: &mut Usage) {
    let text = |name: &str| fs::read_to_string(cgroup.join(name)).unwrap_or_default();
    let number = |name: &str| text(name).trim().parse().ok();
    for controller in &hierarchy.controllers {
        match (controller, hierarchy.unified) {
            (Controller::Memory, false) => {
                usage.memory = number("memory.usage_in_bytes");
                usage.oom_kills = field(&text("memory.oom_control"), "oom_kill");
            }
            (Controller::Memory, true) => {
                usage.memory = number("memory.current");
                usage.oom_kills = field(&text("memory.events"), "oom_kill");
            }
            (Controller::Processes, _) => usage.processes = number("pids.current"),
            // Where cpuacct is mounted together with cpu, as it mostly is.
            (Controller::Cpu, false) => {
                usage.cpu_us = number("cpuacct.usage").map(|nanoseconds: u64| nanoseconds / 1000);
            }
            (Controller::Cpu, true) => usage.cpu_us = field(&text("cpu.stat"), "usage_usec"),
        }
    }
}

/// The number behind a word.
fn field(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { cpu_millis: 1500, memory: 64 << 20, processes: 10, disk: 1 << 20 };

    fn written(unified: bool) -> Vec<(&'static str, String)> {
        let hierarchy = Hierarchy { host: "/x".into(), controllers: Controller::ALL.into(), unified };
        settings(&hierarchy, &LIMITS).into_iter().map(|(file, value)| (file.name, value)).collect()
    }

    #[test]
    fn limits_are_written_as_each_version_has_them() {
        let v1 = [
            ("memory.limit_in_bytes", "67108864"),
            ("memory.memsw.limit_in_bytes", "67108864"),
            ("pids.max", "42"),
            ("cpu.cfs_period_us", "100000"),
            ("cpu.cfs_quota_us", "150000"),
        ];
        let v2 = [
            ("memory.max", "67108864"),
            ("memory.swap.max", "0"),
            ("pids.max", "42"),
            ("cpu.max", "150000 100000"),
        ];
        assert_eq!(written(false), v1.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(written(true), v2.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn the_smallest_share_of_a_processor_is_one_that_the_kernel_takes() {
        let hierarchy = Hierarchy { host: "/x".into(), controllers: vec![Controller::Cpu], unified: false };
        let limits = Limits { cpu_millis: 10, ..LIMITS };
        // The kernel refuses less than 1,000 (min_cfs_quota_period).
        assert_eq!(settings(&hierarchy, &limits)[1].1, "1000");
    }

    #[test]
    fn counters_are_read_by_their_word() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(field(text, "oom_kill"), Some(3));
        assert_eq!(field(text, "oom"), None);
    }
}
