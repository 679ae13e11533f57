//! The pack `archive.extract`: the files of an archive in a granted directory. All of them or none.

mod place;
mod unpack;

use std::path::Path;

use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, files, text};

/// Names that are answered at most.
const NAMED: usize = 1000;

/// Bytes that the names may take as JSON: an answer may have 1 MiB as shipped.
const LARGEST: usize = 768 << 10;

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
    let total = unpack::check(&path, &destination, input.overwrite)?;
    let unpacked = unpack::beside(&path, &destination, total)?;
    let mut room = LARGEST;
    let mut names = Vec::new();
    for inside in unpacked.files.iter().take(NAMED) {
        let name = Path::new(&input.destination).join(inside).to_string_lossy().into_owned();
        let Some(left) = room.checked_sub(text::json_len(&name) + 3) else { break };
        room = left;
        names.push(name);
    }
    let output = Output { count: unpacked.files.len(), bytes: unpacked.bytes, files: names };
    place::all(unpacked, &destination).map(|()| output)
}
