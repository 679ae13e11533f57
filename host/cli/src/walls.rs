//! What this host keeps once it runs, and the walls that hold it to that.

use packhost_manifest::{FsMode, HostVars, Manifest};
use packhost_walls::{Connect, InForce, Plan, Requirement, raise};

use crate::args::{Global, Walls};
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::{packs, policies};

/// Gives up everything but state, packs, manifests, granted directories and the network. The last step before the
/// first thread.
pub(crate) fn up(global: &Global, dirs: &Dirs, manifest: &Manifest) -> Result<InForce, Error> {
    let in_force = raise(&plan(global, dirs, manifest), requirement(global))
        .map_err(|error| Error::failed(format!("the walls around the host: {error}")))?;
    for skipped in &in_force.skipped {
        tracing::debug!(path = %skipped.display(), "not there, so not granted to the host");
    }
    Ok(in_force)
}

pub(crate) fn requirement(global: &Global) -> Requirement {
    match global.walls {
        Walls::Required => Requirement::Required,
        Walls::BestEffort => Requirement::BestEffort,
        Walls::Off => Requirement::Off,
    }
}

/// Makes this host's own directories, private to this user.
pub(crate) fn make_dirs(dirs: &Dirs) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    for dir in [&dirs.state, &dirs.cache] {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|source| Error::file(dir, source))?;
    }
    Ok(())
}

fn plan(global: &Global, dirs: &Dirs, manifest: &Manifest) -> Plan {
    let mut read: Vec<_> = policies::roots(global, dirs);
    // An editor replaces a file by another one of the same name: the directory is what must stay readable.
    let parents: Vec<_> =
        read.iter().filter(|p| p.is_file()).filter_map(|p| p.parent()).map(Into::into).collect();
    read.extend(parents);
    read.extend(packs::roots(global, dirs));
    let mut read_write = vec![dirs.state.clone(), dirs.cache.clone()];
    let vars = HostVars { state: dirs.state.clone(), home: dirs.home.clone() };
    for rule in manifest.entries().flat_map(|entry| &entry.fs) {
        let Some(base) = rule.host.base(&vars) else { continue };
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
