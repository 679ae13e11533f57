//! Limits of a sandbox as a whole: one cgroup for each, `packhost/HOST/ID` in every hierarchy that there is.

mod find;
mod limit;

use std::ffi::CStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use crate::recipe::{Limits, is_id};
use crate::wire::Usage;

/// What a hierarchy controls for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Controller {
    Memory,
    Processes,
    Cpu,
}

impl Controller {
    const ALL: [Self; 3] = [Self::Memory, Self::Processes, Self::Cpu];

    /// As the kernel names it.
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processes => "pids",
            Self::Cpu => "cpu",
        }
    }

    fn lacking(self) -> &'static str {
        match self {
            Self::Memory => {
                "memory is limited per program only: there is no memory cgroup that packhost may use"
            }
            Self::Processes => {
                "processes are limited per user only: there is no pids cgroup that packhost may use"
            }
            Self::Cpu => "processor time is not limited: there is no cpu cgroup that packhost may use",
        }
    }
}

/// One hierarchy: of cgroup v1 with some controllers, or the one of v2.
#[derive(Debug, Clone)]
struct Hierarchy {
    /// The directory of this host in it.
    host: PathBuf,
    controllers: Vec<Controller>,
    unified: bool,
}

/// A hierarchy as it can be mounted in a sandbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) kind: &'static CStr,
    /// The option of a hierarchy of v1.
    pub(crate) controller: Option<&'static str>,
    pub(crate) at: &'static str,
}

/// The cgroups of one host's sandboxes.
#[derive(Debug)]
pub(crate) struct Cgroups {
    hierarchies: Vec<Hierarchy>,
}

impl Cgroups {
    /// Those that the machine has and lets be used, for the host of this name.
    pub(crate) fn here(host: &str) -> Self {
        Self { hierarchies: find::hierarchies(host) }
    }

    /// The limits that cannot be held for a sandbox as a whole, each as a sentence.
    pub(crate) fn lacking(&self) -> Vec<String> {
        let held = |controller| self.hierarchies.iter().any(|found| found.controllers.contains(&controller));
        Controller::ALL.into_iter().filter(|one| !held(*one)).map(|one| one.lacking().to_owned()).collect()
    }

    /// What of them a sandbox is shown, to read how much memory it uses and whether that was too much.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        let shown = |hierarchy: &Hierarchy| match hierarchy.unified {
            true => Some(Shown { kind: c"cgroup2", controller: None, at: "/sys/fs/cgroup" }),
            false if hierarchy.controllers.contains(&Controller::Memory) => {
                Some(Shown { kind: c"cgroup", controller: Some("memory"), at: "/sys/fs/cgroup/memory" })
            }
            false => None,
        };
        self.hierarchies.iter().filter_map(shown).collect()
    }

    /// Makes those of a sandbox and sets their limits.
    pub(crate) fn create(&self, id: &str, limits: &Limits) -> io::Result<()> {
        for hierarchy in &self.hierarchies {
            let directory = hierarchy.host.join(id);
            fs::create_dir_all(&directory)?;
            for (file, value) in limit::settings(hierarchy, limits) {
                let written = fs::write(directory.join(file.name), &value);
                // Swap is not counted on every kernel; one that does not count it does not have the file.
                if let Err(error) = written.or_else(|error| if file.optional { Ok(()) } else { Err(error) }) {
                    return Err(io::Error::new(error.kind(), format!("{}={value}: {error}", file.name)));
                }
            }
        }
        Ok(())
    }

    /// Puts a process into them.
    pub(crate) fn enter(&self, id: &str, pid: u32) -> io::Result<()> {
        let join =
            |hierarchy: &Hierarchy| fs::write(hierarchy.host.join(id).join("cgroup.procs"), pid.to_string());
        self.hierarchies.iter().try_for_each(join)
    }

    /// Removes those of a sandbox whose processes have ended; the kernel may need a moment to see that they have.
    pub(crate) fn remove(&self, id: &str) -> io::Result<()> {
        self.hierarchies.iter().try_for_each(|hierarchy| remove(&hierarchy.host.join(id)))
    }

    /// What a sandbox uses.
    pub(crate) fn usage(&self, id: &str) -> Usage {
        let mut usage = Usage::default();
        for hierarchy in &self.hierarchies {
            limit::read(hierarchy, &hierarchy.host.join(id), &mut usage);
        }
        usage
    }

    /// The names of sandboxes that have cgroups.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries =
            self.hierarchies.iter().filter_map(|hierarchy| fs::read_dir(&hierarchy.host).ok()).flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| is_id(name)).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Drop for Cgroups {
    /// The directories of the host and of packhost go with the last sandbox in them.
    fn drop(&mut self) {
        for hierarchy in &self.hierarchies {
            let _ = fs::remove_dir(&hierarchy.host);
            let _ = hierarchy.host.parent().map(fs::remove_dir);
        }
    }
}

/// A cgroup is busy for a moment after its last process has ended.
fn remove(cgroup: &PathBuf) -> io::Result<()> {
    const TRIES: u32 = 200;
    const PAUSE: Duration = Duration::from_millis(5);
    for _ in 0..TRIES {
        match fs::remove_dir(cgroup) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy => std::thread::sleep(PAUSE),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => return other,
        }
    }
    Err(io::Error::new(ErrorKind::ResourceBusy, format!("{}: processes are left in it", cgroup.display())))
}
