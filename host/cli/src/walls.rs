//! What this host keeps once it runs, and the walls that hold it to that.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use packhost_manifest::{FsMode, FsRule, HostVars, Manifest};
use packhost_walls::{Connect, InForce, Plan, Requirement, raise};

use crate::args::{Global, Walls};
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::own::real;
use crate::sessions::Wanted;
use crate::{packs, policies};

/// Gives up everything but state, packs, manifests, granted directories and the network. The last step before the
/// first thread.
pub(crate) fn up(
    global: &Global,
    dirs: &Dirs,
    manifest: &Manifest,
    wanted: Wanted,
    unix_sockets: Vec<PathBuf>,
) -> Result<(InForce, Kept), Error> {
    let requirement = requirement(global);
    if requirement != Requirement::Off {
        refuse_wide(global, dirs)?;
    }
    let vars = dirs.vars();
    let plan = Plan { unix_sockets, ..plan(global, dirs, manifest, &vars) };
    let in_force = raise(&plan, requirement)
        .map_err(|error| Error::failed(format!("the walls around the host: {error}")))?;
    for skipped in &in_force.skipped {
        tracing::debug!(path = %skipped.display(), "not there, so not granted to the host");
    }
    let kept = Kept { plan: in_force.landlock.is_some().then(|| real_paths(&plan)), vars, wanted };
    Ok((in_force, kept))
}

pub(crate) fn requirement(global: &Global) -> Requirement {
    match global.walls {
        Walls::Required => Requirement::Required,
        Walls::BestEffort => Requirement::BestEffort,
        Walls::Off => Requirement::Off,
    }
}

/// Says in the log which walls do not stand as they should.
pub(crate) fn warn_of_lacks(in_force: &InForce) {
    for lack in &in_force.lacking {
        tracing::warn!(target: "packhost", "walls: {lack}");
    }
}

/// Makes this host's own directories, private to this user.
pub(crate) fn make_dirs(global: &Global, dirs: &Dirs) -> Result<(), Error> {
    for dir in [&dirs.state, &dirs.cache] {
        make(dir).map_err(|source| Error::file(dir, source))?;
    }
    // One that is there when the host starts is within the walls and can be watched.
    if global.policy.is_empty()
        && let Err(error) = make(&dirs.policies)
    {
        tracing::warn!(
            target: "packhost",
            "{}: {error}; manifests that are put there later need a restart", dirs.policies.display()
        );
    }
    Ok(())
}

/// Makes the directories that packs may write and that are not there: once the walls are up, they cannot be made.
pub(crate) fn make_granted(dirs: &Dirs, manifest: &Manifest) {
    let vars = dirs.vars();
    for rule in rules(manifest).filter(|rule| rule.mode == FsMode::ReadWrite) {
        if let Some(base) = rule.host.base(&vars)
            && let Err(error) = make(&base)
        {
            tracing::warn!(target: "packhost", "{} grants {}: {error}", rule.place, base.display());
        }
    }
}

fn make(dir: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn rules(manifest: &Manifest) -> impl Iterator<Item = &FsRule> {
    manifest.entries().flat_map(|entry| &entry.fs)
}

/// A manifest is read again when it changes, so that the host keeps its directory. One that holds everything else too
/// would make the walls worth nothing.
fn refuse_wide(global: &Global, dirs: &Dirs) -> Result<(), Error> {
    for root in &global.policy {
        let Some(directory) = policies::directory(root).and_then(|dir| dir.canonicalize().ok()) else {
            continue;
        };
        let home = dirs.home.as_ref().and_then(|home| home.canonicalize().ok());
        if is_wide(&directory, home.as_deref()) {
            return Err(Error::failed(format!(
                "--policy {}: to see the manifest change, the host would have to keep all of {} within reach; put it into a directory of its own",
                root.display(),
                directory.display()
            )));
        }
    }
    let home = dirs.home.as_ref().and_then(|home| home.canonicalize().ok());
    match beside(&dirs.reread).into_iter().find(|directory| is_wide(directory, home.as_deref())) {
        Some(directory) => Err(Error::failed(format!(
            "to see the certificate change, the host would have to keep all of {} within reach; put it and its key into a directory of their own",
            directory.display()
        ))),
        None => Ok(()),
    }
}

/// The directories in which these files are replaced by others: the one that each is named in, and the one that it is in where
/// that is a link.
fn beside(files: &[PathBuf]) -> Vec<PathBuf> {
    let parent = |file: PathBuf| file.parent().map(Path::to_owned);
    let named = files.iter().filter_map(|file| parent(std::path::absolute(file).ok()?)?.canonicalize().ok());
    let linked = files.iter().filter_map(|file| parent(file.canonicalize().ok()?));
    named.chain(linked).collect()
}

fn is_wide(directory: &Path, home: Option<&Path>) -> bool {
    directory == Path::new("/")
        || directory == Path::new("/etc")
        || home.is_some_and(|home| home.starts_with(directory))
}

fn plan(global: &Global, dirs: &Dirs, manifest: &Manifest, vars: &HostVars) -> Plan {
    let mut read: Vec<_> = policies::roots(global, dirs);
    let directories: Vec<_> = read.iter().filter_map(|root| policies::directory(root)).collect();
    read.extend(directories);
    read.extend(packs::roots(global, dirs));
    read.extend(beside(&dirs.reread));
    let mut read_write = vec![dirs.state.clone(), dirs.cache.clone()];
    for rule in rules(manifest) {
        let Some(base) = rule.host.base(vars) else { continue };
        if rule.mode == FsMode::ReadWrite && base.exists() {
            read_write.push(base);
        } else {
            read.push(base);
        }
    }
    let host = Plan::for_host();
    read.extend(host.read.iter().cloned());
    read_write.extend(host.read_write.iter().cloned());
    Plan { read, read_write, connect: Connect::Any, ..host }
}

/// What is within reach of this host for as long as it runs.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// The paths as they were when the walls went up; `None` where nothing holds files back.
    plan: Option<Plan>,
    vars: HostVars,
    /// What of sandboxes was made ready before them.
    wanted: Wanted,
}

impl Kept {
    /// Says in the log what the manifest grants and the walls keep out of reach: directories, and sandboxes that this host
    /// was not made ready for.
    pub(crate) fn warn_of_unreachable(&self, manifest: &Manifest) {
        for entry in manifest.entries() {
            let place = entry.place_of("session");
            for lack in self.wanted.lacks(entry) {
                tracing::warn!(target: "packhost", "{place} grants {lack}, which this host did not have when it started; a restart has it");
            }
        }
        for (rule, base) in self.unreachable(manifest) {
            let why = if base.exists() {
                "which this host gave up when it started; a restart reaches it"
            } else {
                "which is not there; make it, then restart"
            };
            tracing::warn!(target: "packhost", "{} grants {}, {why}", rule.place, base.display());
        }
    }

    fn unreachable<'m>(&self, manifest: &'m Manifest) -> Vec<(&'m FsRule, PathBuf)> {
        let Some(plan) = &self.plan else { return Vec::new() };
        let based = rules(manifest).filter_map(|rule| Some((rule, rule.host.base(&self.vars)?)));
        based.filter(|(rule, base)| !is_within(plan, &real(base), rule.mode)).collect()
    }
}

fn is_within(plan: &Plan, path: &Path, mode: FsMode) -> bool {
    let holds = |kept: &PathBuf| path.starts_with(kept);
    plan.read_write.iter().any(holds) || (mode == FsMode::ReadOnly && plan.read.iter().any(holds))
}

/// The plan with the paths that exist, without symbolic links: what the kernel was given.
fn real_paths(plan: &Plan) -> Plan {
    let real = |paths: &[PathBuf]| paths.iter().filter_map(|path| path.canonicalize().ok()).collect();
    Plan { read: real(&plan.read), read_write: real(&plan.read_write), ..plan.clone() }
}

#[cfg(test)]
mod tests {
    use packhost_manifest::{Origin, Source};

    use super::*;

    #[test]
    fn a_directory_that_holds_more_than_manifests_is_refused() {
        let home = Some(Path::new("/home/ada"));
        for wide in ["/", "/etc", "/home", "/home/ada"] {
            assert!(is_wide(Path::new(wide), home), "{wide}");
        }
        for own in ["/etc/packhost", "/home/ada/policies", "/srv/policies", "/home/adam"] {
            assert!(!is_wide(Path::new(own), home), "{own}");
        }
        assert!(is_wide(Path::new("/"), None) && !is_wide(Path::new("/home"), None));
    }

    #[test]
    fn a_directory_that_the_walls_leave_out_is_known() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |name: &str| root.path().join(name);
        for name in ["state", "read", "outside"] {
            std::fs::create_dir(at(name)).expect("writable");
        }
        std::os::unix::fs::symlink(at("outside"), at("read/link")).expect("writable");
        let plan =
            Plan { read: vec![at("read"), at("gone")], read_write: vec![at("state")], ..Plan::default() };
        let vars = HostVars { state: at("state"), home: None };
        let kept = Kept { plan: Some(real_paths(&plan)), vars: vars.clone(), wanted: Wanted::default() };
        let grants = |host: &str, mode: &str| {
            let host = host.replace('@', &root.path().display().to_string());
            let text = format!(
                "version: 1\npacks: {{ fs.read: {{ fs: [{{ host: \"{host}\", guest: /files, mode: {mode} }}] }} }}"
            );
            Manifest::parse(&[Source { name: "a.yaml".into(), text, origin: Origin::Operator }])
                .expect("a good manifest")
        };
        for (host, mode, within) in [
            ("${state}/files", "read-write", true),
            ("@/read", "read-only", true),
            ("@/read/deeper", "read-only", true),
            ("@/read", "read-write", false),
            ("@/read/link", "read-only", false),
            ("@/reader", "read-only", false),
            ("@/outside", "read-only", false),
            ("@/gone", "read-only", false),
        ] {
            let manifest = grants(host, mode);
            assert_eq!(kept.unreachable(&manifest).is_empty(), within, "{host} {mode}");
            let open = Kept { plan: None, vars: vars.clone(), wanted: Wanted::default() };
            assert!(open.unreachable(&manifest).is_empty(), "nothing is held back where there are no walls");
        }
    }
}
