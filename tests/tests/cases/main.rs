//! The packs' own cases, `packs-wasm/*/cases/*.yaml`: each is one call through the built binary, as an agent makes it.
//! The format is in packs-wasm/README.md.

mod case;
mod check;

use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let trials = files().into_iter().map(|file| {
        let name = file.strip_prefix(packs()).unwrap_or(&file).with_extension("").display().to_string();
        Trial::test(name.replace("/cases/", "::"), move || case::run(&file).map_err(Into::into))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn packs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packs-wasm")
}

/// Every case of every pack, sorted.
fn files() -> Vec<PathBuf> {
    let yaml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
    let mut files: Vec<PathBuf> =
        list(&packs()).into_iter().flat_map(|pack| list(&pack.join("cases"))).filter(yaml).collect();
    files.sort();
    assert!(files.len() > 50, "the cases are gone");
    files
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.expect("readable").path()).collect()
}
