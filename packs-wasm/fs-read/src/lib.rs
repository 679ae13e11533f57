//! The pack `fs.read`: the content of a file in a granted directory. Refuses more than it can answer at once.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, files};
use sha2::{Digest, Sha256};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The file, such as "README.md".
    path: String,
    /// "utf8" for text, "base64" for anything else.
    #[serde(default)]
    encoding: Encoding,
    /// The first byte to read.
    #[serde(default)]
    offset: u64,
    /// How many bytes to read at most.
    #[serde(default = "one_mebibyte")]
    #[schemars(range(min = 1, max = 8_388_608))]
    limit: u32,
    /// A directory that the path is relative to, such as one that repo.fetch returned.
    clone_path: Option<String>,
}

fn one_mebibyte() -> u32 {
    1 << 20
}

#[derive(Deserialize, Serialize, JsonSchema, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Utf8,
    Base64,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// What was read.
    content: String,
    /// How `content` is written.
    encoding: Encoding,
    /// Size of the whole file in bytes.
    size: u64,
    /// SHA-256 of the whole file in hex; absent when only a part was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// The offset to go on with; absent at the end of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u64>,
}

packhost_sdk::pack! {
    name: "fs.read",
    title: "Read a file",
    description: "Reads a file and returns its content. Long files come in parts: call again with offset set to \
                  next_offset.",
    effects: [read_only, idempotent],
    wants: { fs: "to read the files that it is asked for" },
    examples: [{ "path": "README.md" }, { "path": "logo.png", "encoding": "base64" }],
    run: read,
}

fn read(input: Input) -> Result<Output, Error> {
    let path = files::resolve(&input.path, input.clone_path.as_deref())?;
    let failed = |error: io::Error| files::explain(&path, &error);
    let metadata = path.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()).fix("Use fs.list to see what is in it."));
    }
    let size = metadata.len();
    if input.offset > size {
        return Err(Error::invalid_input(format!("The file ends at byte {size}.")).pointer("/offset"));
    }
    let mut file = File::open(&path).map_err(failed)?;
    file.seek(SeekFrom::Start(input.offset)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(input.limit.into()).read_to_end(&mut bytes).map_err(failed)?;
    let mut end = input.offset + bytes.len() as u64;
    let whole = input.offset == 0 && end >= size;
    let sha256 = whole.then(|| Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect());
    let content = match input.encoding {
        Encoding::Base64 => BASE64_STANDARD.encode(&bytes),
        Encoding::Utf8 => {
            let (text, left) = text(bytes, end < size)?;
            end -= left;
            text
        }
    };
    let next_offset = (end < size).then_some(end);
    Ok(Output { content, encoding: input.encoding, size, sha256, next_offset })
}

/// The text, and how many bytes at the end belong to a character that goes on in the next part.
fn text(bytes: Vec<u8>, more: bool) -> Result<(String, u64), Error> {
    String::from_utf8(bytes).map(|text| (text, 0)).or_else(|error| {
        let (valid, cut) = (error.utf8_error().valid_up_to(), error.utf8_error().error_len().is_none());
        let mut bytes = error.into_bytes();
        let left = (bytes.len() - valid) as u64;
        bytes.truncate(valid);
        match String::from_utf8(bytes) {
            Ok(text) if more && cut && valid > 0 => Ok((text, left)),
            _ => Err(Error::invalid_input("The file is not UTF-8 text there.")
                .fix("Call again with \"encoding\": \"base64\".")
                .pointer("/encoding")),
        }
    })
}
