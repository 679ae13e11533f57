//! The pack `archive.extract`: the files of an archive in a granted directory. All of them or none.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use packhost_archive::{Entry, Kind, visit};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, files, progress};

/// Names that are answered at most.
const NAMED: usize = 1000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The archive (zip, tar or tar.gz), such as "release.zip".
    path: String,
    /// The directory to put the files in, such as "release". It is made if it is not there.
    destination: String,
    /// Replace files that are there already. Otherwise they are an error.
    #[serde(default)]
    overwrite: bool,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// How many files were written.
    count: usize,
    /// Bytes written.
    bytes: u64,
    /// The files, as fs.read takes them; the first 1000.
    files: Vec<String>,
}

packhost_sdk::pack! {
    name: "archive.extract",
    title: "Extract an archive",
    description: "Extracts a zip, tar or tar.gz archive into a directory. Archives with links, with paths that lead out \
                  of the directory, or of unreasonable size are refused.",
    effects: [destructive],
    wants: { fs: "to read the archive and write its files" },
    examples: [{ "path": "release.zip", "destination": "release" }],
    run: extract,
}

fn extract(input: Input) -> Result<Output, Error> {
    let path = files::resolve(&input.path, None)?;
    let destination =
        files::resolve(&input.destination, None).map_err(|error| error.pointer("/destination"))?;
    let mut total = 0;
    visit(&path, &mut |entry, _| {
        total += 1;
        check(entry, &destination, input.overwrite)
    })?;
    let mut output = Output { count: 0, bytes: 0, files: Vec::new() };
    let mut written = Vec::new();
    let mut seen = 0;
    let done = visit(&path, &mut |entry, content| {
        seen += 1;
        progress::report(f64::from(seen), Some(f64::from(total)), None);
        check(entry, &destination, true)?;
        let inside = entry.path().map_err(Error::failed)?;
        let target = destination.join(&inside);
        if entry.kind == Kind::Directory {
            return fs::create_dir_all(&target).map_err(|error| files::explain(&target, &error));
        }
        let mut file = open(&target, input.overwrite)?;
        written.push(target.clone());
        output.bytes += io::copy(content, &mut file).map_err(|error| files::explain(&target, &error))?;
        output.count += 1;
        if output.files.len() < NAMED {
            output.files.push(Path::new(&input.destination).join(&inside).to_string_lossy().into_owned());
        }
        Ok(())
    });
    done.map(|_| output).inspect_err(|_| remove(&written))
}

fn check(entry: &Entry, destination: &Path, overwrite: bool) -> Result<(), Error> {
    let name: String = entry.name.chars().take(200).collect();
    let inside = entry.path().map_err(|why| {
        Error::invalid_input(format!(
            "The archive was refused because of \"{name}\": {why}. Nothing was written."
        ))
        .pointer("/path")
    })?;
    if !overwrite && entry.kind == Kind::File && destination.join(inside).exists() {
        return Err(Error::invalid_input(format!(
            "\"{name}\" is in the destination already. Nothing was written."
        ))
        .fix("Choose another destination, or set overwrite to true.")
        .pointer("/destination"));
    }
    Ok(())
}

fn open(target: &Path, overwrite: bool) -> Result<File, Error> {
    let failed = |error: io::Error| files::explain(target, &error);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    // An archive that names a file twice would overwrite its own.
    let mut options = OpenOptions::new();
    options.write(true).create_new(!overwrite).create(true).truncate(true);
    options.open(target).map_err(failed)
}

/// What a failed call wrote is half an archive, which is worse than nothing.
fn remove(written: &[PathBuf]) {
    for path in written {
        let _ = fs::remove_file(path);
    }
}
