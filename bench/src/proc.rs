//! What the kernel says of this process and this machine.

use std::time::Duration;

use crate::Outcome;

/// Memory of this process in KiB; a page that several mappings share counts once.
pub(crate) fn memory_kib() -> Outcome<u64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).ok_or("smaps_rollup has no Pss")?;
    Ok(line.trim().trim_end_matches("kB").trim_end().parse()?)
}

/// Processor time that this process has used, all threads together.
pub(crate) fn processor_time() -> Outcome<Duration> {
    // utime and stime, in ticks of 10 ms (proc_pid_stat(5)); the name before them may hold spaces, in parentheses.
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, after) = stat.rsplit_once(')').ok_or("stat has no name")?;
    let ticks = after.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// The kernel's name and version, without what its builder added.
pub(crate) fn kernel() -> String {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/sys/kernel/{file}")).unwrap_or_default();
    let release = read("osrelease");
    let version: Vec<&str> = release.trim().splitn(3, '.').take(2).collect();
    format!("{} {}", read("ostype").trim(), version.join("."))
}

/// Logical processors that this process may use.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
