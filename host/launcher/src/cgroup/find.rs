//! Which hierarchies there are, and where in them this host may make cgroups.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Controller, Hierarchy};

/// The usable hierarchies, at most one for each controller.
pub(super) fn hierarchies(host: &str) -> Vec<Hierarchy> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut found: Vec<Hierarchy> = Vec::new();
    for mount in mounts.lines().filter_map(Mount::parse) {
        let free = |one: &Controller| !found.iter().any(|other| other.controllers.contains(one));
        let controllers: Vec<_> = Controller::ALL.into_iter().filter(free).collect();
        let hierarchy = if mount.unified {
            unified(&mount, &own, host, controllers)
        } else {
            let controllers = controllers.into_iter().filter(|one| mount.has(one.name())).collect();
            usable(Hierarchy { host: mount.at.join("packhost").join(host), controllers, unified: false })
        };
        found.extend(hierarchy);
    }
    found
}

struct Mount {
    at: PathBuf,
    options: String,
    unified: bool,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let (_, at, kind, options) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let unified = match kind {
            "cgroup" => false,
            "cgroup2" => true,
            _ => return None,
        };
        Some(Self { at: PathBuf::from(at), options: options.to_owned(), unified })
    }

    fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|one| one == option)
    }
}

/// In v2 a cgroup that has processes gives its children no controllers, so ours hang beside the one that this process is in
/// (systemd: `Delegate=yes` and `DelegateSubgroup=`), or at the top.
fn unified(mount: &Mount, own: &str, host: &str, controllers: Vec<Controller>) -> Option<Hierarchy> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let beside =
        mount.at.join(own).parent().filter(|parent| parent.starts_with(&mount.at)).map(Path::to_owned);
    beside.into_iter().chain([mount.at.clone()]).find_map(|parent| {
        let ours = parent.join("packhost").join(host);
        let controllers = controllers.iter().copied().filter(|one| enabled(&parent, &ours, *one)).collect();
        usable(Hierarchy { host: ours, controllers, unified: true })
    })
}

/// Hands a controller down to where the sandboxes will be.
fn enabled(parent: &Path, ours: &Path, controller: Controller) -> bool {
    let available = fs::read_to_string(parent.join("cgroup.controllers")).unwrap_or_default();
    if !available.split_whitespace().any(|one| one == controller.name()) || fs::create_dir_all(ours).is_err()
    {
        return false;
    }
    let levels = [Some(parent), ours.parent(), Some(ours)];
    let hand_down =
        |level: &Path| fs::write(level.join("cgroup.subtree_control"), format!("+{}", controller.name()));
    levels.into_iter().flatten().all(|level| hand_down(level).is_ok())
}

fn usable(hierarchy: Hierarchy) -> Option<Hierarchy> {
    let usable = !hierarchy.controllers.is_empty() && fs::create_dir_all(&hierarchy.host).is_ok();
    usable.then_some(hierarchy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_known_by_their_type_and_options() {
        let line = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0";
        let mount = Mount::parse(line).expect("a hierarchy");
        assert!(mount.has("cpu") && !mount.has("memory") && !mount.unified);
        assert!(Mount::parse("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0").is_some_and(|mount| mount.unified));
        assert!(Mount::parse("proc /proc proc rw 0 0").is_none());
        assert!(Mount::parse("").is_none());
    }
}
