//! The pack `archive.list`: what is in an archive, without extracting it.

use packhost_archive::{Format, Kind, visit};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, files, text};

/// Bytes that the list may take as JSON: an answer may have 4 MiB as shipped.
const LARGEST: usize = 3 << 20;

/// Characters of a name that are shown.
const NAME: usize = 2000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The archive (zip, tar or tar.gz), such as "release.zip".
    path: String,
    /// How many entries to list at most.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 10_000))]
    limit: usize,
}

fn thousand() -> usize {
    1000
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// "zip", "tar" or "tar.gz".
    format: &'static str,
    /// The entries, in the archive's order.
    entries: Vec<Listed>,
    /// How many entries the archive has.
    count: usize,
    /// Bytes of all files together, unpacked, as the archive says.
    total_bytes: u64,
    /// There are more entries than were listed.
    truncated: bool,
}

#[derive(Serialize, JsonSchema)]
struct Listed {
    /// The path inside the archive.
    path: String,
    /// "file", "directory" or "other".
    kind: &'static str,
    /// Bytes, unpacked.
    size: u64,
    /// Why archive.extract would refuse it, if it would.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'static str>,
}

packhost_sdk::pack! {
    name: "archive.list",
    title: "List an archive",
    description: "Lists the files in a zip, tar or tar.gz archive, with their sizes, without extracting them.",
    effects: [read_only, idempotent],
    wants: { fs: "to read the archives that it is asked for" },
    examples: [{ "path": "release.zip" }],
    run: list,
}

fn list(input: Input) -> Result<Output, Error> {
    let path = files::resolve(&input.path, None)?;
    let (mut entries, mut count, mut total_bytes, mut json) = (Vec::new(), 0, 0_u64, 0);
    let format = visit(&path, &mut |entry, _| {
        count += 1;
        total_bytes = total_bytes.saturating_add(entry.size);
        let mut name = entry.name.clone();
        text::cut(&mut name, NAME, usize::MAX);
        // What is around a name takes less than 200 bytes.
        json += text::json_len(&name) + 200;
        if entries.len() < input.limit && json <= LARGEST {
            let kind = match entry.kind {
                Kind::File => "file",
                Kind::Directory => "directory",
                Kind::Other => "other",
            };
            entries.push(Listed { path: name, kind, size: entry.size, refused: entry.path().err() });
        }
        Ok(())
    })?;
    let format = match format {
        Format::Zip => "zip",
        Format::Tar => "tar",
        Format::TarGz => "tar.gz",
    };
    Ok(Output { format, truncated: count > entries.len(), entries, count, total_bytes })
}
