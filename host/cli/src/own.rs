//! What of this machine is the host's own, and so no manifest may grant: a pack that may write manifests grants itself
//! whatever it likes.

use std::path::{Path, PathBuf};

use packhost_manifest::{Exposure, HostVars, Manifest, exposes};

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::{packs, policies};

/// Refuses a manifest that would show a pack something of the host's own, in whatever mode.
pub(crate) fn refuse_exposed(global: &Global, dirs: &Dirs, manifest: &Manifest) -> Result<(), Error> {
    let mut sentences: Vec<String> =
        exposed(&own(global, dirs), &dirs.vars(), manifest).iter().map(ToString::to_string).collect();
    sentences.sort();
    sentences.dedup();
    if sentences.is_empty() { Ok(()) } else { Err(Error::Exposed(sentences.join("\n"))) }
}

/// State, cache, manifests, packs, tokens and keys: those that are in use, and those that the next start may use.
fn own(global: &Global, dirs: &Dirs) -> Vec<PathBuf> {
    let default = [&dirs.state, &dirs.cache, &dirs.policies, &dirs.packs].map(Clone::clone);
    let named = policies::roots(global, dirs).into_iter().chain(packs::roots(global, dirs));
    let named = named.chain(dirs.secrets.clone());
    named.filter_map(|path| std::path::absolute(path).ok()).chain(default).collect()
}

/// As the manifest writes paths, and as symbolic links have them.
fn exposed(own: &[PathBuf], vars: &HostVars, manifest: &Manifest) -> Vec<Exposure> {
    let real_own: Vec<PathBuf> = own.iter().map(|path| real(path)).collect();
    let real_vars = HostVars { state: real(&vars.state), home: vars.home.as_deref().map(real) };
    let mut found = exposes(manifest, vars, own);
    found.extend(exposes(manifest, &real_vars, &real_own));
    found.extend(linked(&real_own, &real_vars, manifest));
    found
}

/// Rules that lead to the host's own through a link of their own. All of the state counts: what packs may have of it is
/// written as `${state}/…`.
fn linked(own: &[PathBuf], vars: &HostVars, manifest: &Manifest) -> Vec<Exposure> {
    let mut found = Vec::new();
    for entry in manifest.entries().filter(|entry| !entry.denied) {
        let granted = entry.fs.iter().filter_map(|rule| Some((rule.host.base(vars)?, &rule.place)));
        let session = entry.session.iter();
        let inside =
            session.flat_map(|session| session.files.of_the_machine().map(|path| (path, &session.place)));
        for (base, place) in granted.chain(inside) {
            let path = real(&base);
            let met = own.iter().find(|own| path.starts_with(own) || own.starts_with(&path));
            if let Some(own) = met.filter(|_| path != base) {
                found.push(Exposure {
                    pack: entry.pack.clone(),
                    place: place.clone(),
                    path,
                    own: own.clone(),
                });
            }
        }
    }
    found
}

/// A path without symbolic links, as far as it exists.
pub(crate) fn real(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use packhost_manifest::{Origin, Source};

    use super::*;

    #[test]
    fn what_is_the_hosts_is_not_granted_through_links_either() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |name: &str| root.path().join(name);
        for name in ["real-state/files", "policies", "free"] {
            fs::create_dir_all(at(name)).expect("writable");
        }
        symlink(at("real-state"), at("state")).expect("writable");
        symlink(at("policies"), at("link")).expect("writable");
        symlink(at("real-state/files"), at("files")).expect("writable");
        let vars = HostVars { state: at("state"), home: None };
        let own = [at("state"), at("policies")];
        for (host, refused) in [
            ("${state}/files", false),
            ("@/free", false),
            ("@/missing", false),
            ("@/policies", true),
            ("@/policies/deeper", true),
            ("@", true),
            ("@/link", true),
            ("@/link/deeper", true),
            ("@/real-state", true),
            ("@/files", true),
        ] {
            let host = host.replace('@', &root.path().display().to_string());
            let rule = format!("{{ host: \"{host}\", guest: /files, mode: read-only }}");
            let text = format!("version: 1\npacks: {{ fs.read: {{ fs: [{rule}] }} }}");
            let manifest =
                Manifest::parse(&[Source { name: "a.yaml".into(), text, origin: Origin::Operator }])
                    .expect("a good manifest");
            assert_eq!(!exposed(&own, &vars, &manifest).is_empty(), refused, "{host}");
        }
    }
}
