//! The processes in `/proc` (proc_pid_stat(5)).

/// The most processes that are looked at; more are not counted.
pub const PROCESSES: usize = 8192;

/// All of them together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Processes {
    /// How many, without this one and what it keeps beside each program.
    pub(super) count: u32,
    /// What they have resident, in bytes, this one included. What they share is counted for each.
    pub(super) resident: u64,
    /// CPU time, in microseconds, with that of their children that have ended.
    pub(super) cpu_us: u64,
}

impl Processes {
    pub(super) fn read() -> Self {
        let mut all = Self::default();
        let Ok(entries) = std::fs::read_dir("/proc") else { return all };
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let page = rustix::param::page_size() as u64;
        let own = super::read("/proc/self/stat");
        let own = own.as_deref().and_then(name_and_parent).map(|(name, _)| (name, std::process::id()));
        let second = rustix::param::clock_ticks_per_second().max(1);
        for id in ids.take(PROCESSES) {
            // One that has ended meanwhile is none.
            let stat = super::read(format!("/proc/{id}/stat"));
            let Some((ticks, pages)) = stat.as_deref().and_then(ticks_and_pages) else { continue };
            // What this process forked and what did not become another program: a keeper, a worker.
            let kept = own.is_some() && stat.as_deref().and_then(name_and_parent) == own;
            all.count += u32::from(id != std::process::id() && !kept);
            all.resident = all.resident.saturating_add(pages.saturating_mul(page));
            all.cpu_us = all.cpu_us.saturating_add(ticks.saturating_mul(1_000_000) / second);
        }
        all
    }
}

/// Clock ticks of a process and of its children that have ended, and the pages that it has resident.
fn ticks_and_pages(stat: &str) -> Option<(u64, u64)> {
    // The name of the program, in parentheses, may have spaces and parentheses in it.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The first one behind the name is the third of all.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = (14..=17).map(field).sum::<Option<u64>>()?;
    Some((ticks, field(24)?))
}

/// What a process calls itself, and its parent.
fn name_and_parent(stat: &str) -> Option<(&str, u32)> {
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    Some((name, rest.split_ascii_whitespace().nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_cannot_name_itself_so_that_its_numbers_are_read_wrongly() {
        let stat = "7 (a) R 1 (b)) S 1 7 7 0 -1 4 1 2 3 4 10 20 30 40 20 0 1 0 99 4096 25 0";
        assert_eq!(ticks_and_pages(stat), Some((100, 25)));
        assert_eq!(ticks_and_pages("7 (a) S 1"), None);
        assert_eq!(name_and_parent(stat), Some(("a) R 1 (b)", 1)));
    }
}
