//! The manifest of the demo's host: what is in force for this person, and this machine's own page beside it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use packhost_manifest::{Manifest, Origin, Source, shipped};
use tempfile::TempDir;

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::policies;

/// The name of the demo's own file.
pub(super) const FILE: &str = "demo.yaml";

/// What the host is told, and what it then has in force.
pub(super) struct Rules {
    pub(super) manifest: Manifest,
    roots: Vec<PathBuf>,
    /// Holds the demo's own file; gone with the demo.
    _own: Option<TempDir>,
}

impl Rules {
    /// Writes the demo's own file. Where it does not fit the operator's manifest (an entry for the same pack, a
    /// ceiling), the demo goes without, and shows what that manifest says.
    pub(super) fn write(global: &Global, dirs: &Dirs, page: SocketAddr) -> Result<Self, Error> {
        let (operator, files) = policies::operator(global, dirs)?;
        let text = text(page, operator.is_empty());
        let own = Source { name: FILE.into(), text: text.clone(), origin: Origin::Operator };
        let mut sources = operator;
        sources.extend(shipped());
        let without = Manifest::parse(&sources)?;
        sources.push(own);
        let mut roots = if files > 0 { policies::roots(global, dirs) } else { global.policy.clone() };
        let Ok(manifest) = Manifest::parse(&sources) else {
            return Ok(Self { manifest: without, roots, _own: None });
        };
        let dir = tempfile::Builder::new().prefix("packhost-demo-").tempdir();
        let dir = dir.map_err(|source| Error::file(&std::env::temp_dir(), source))?;
        let file = dir.path().join(FILE);
        std::fs::write(&file, text).map_err(|source| Error::file(&file, source))?;
        roots.push(dir.path().to_owned());
        Ok(Self { manifest, roots, _own: Some(dir) })
    }

    /// The options of a host that is to have this manifest in force.
    pub(super) fn options(&self, global: &Global) -> Vec<OsString> {
        Global { policy: self.roots.clone(), ..global.clone() }.again()
    }
}

/// Lets `web.scrape` read the page; `over_shipped`: beside all that ships.
fn text(page: SocketAddr, over_shipped: bool) -> String {
    let extends = if over_shipped { "extends: shipped\n" } else { "" };
    let rule = format!("{{ url: \"${{input.url}}\", methods: [GET], addresses: [\"{}/32\"] }}", page.ip());
    let limits = "{ time: 20s, memory: 128MiB, output: 1MiB }";
    format!("version: 1\n{extends}packs:\n  web.scrape:\n    http:\n      - {rule}\n    limits: {limits}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { name: "a.yaml".into(), text: text.into(), origin: Origin::Operator }
    }

    #[test]
    fn the_demos_rule_stands_beside_what_is_in_force() {
        let page = "127.0.0.1:80".parse().expect("an address");
        let mut sources = shipped();
        sources.push(source(&text(page, true)));
        let all = Manifest::parse(&sources).expect("a good manifest");
        assert!(all.entries().count() > 1);
        let alone = Manifest::parse(&[source(&text(page, false))]).expect("a good manifest");
        assert_eq!(alone.entries().count(), 1);
    }
}
