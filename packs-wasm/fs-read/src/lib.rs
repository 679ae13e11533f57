//! The pack `fs.read`: the content of a file in a granted directory. Refuses more than it can answer at once.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, files, text};
use sha2::{Digest, Sha256};

/// Bytes that the content may take as JSON: an answer may have 4 MiB as shipped.
const LARGEST: usize = 3 << 20;

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
    #[serde(default = "quarter_mebibyte")]
    #[schemars(range(min = 1, max = 2_097_152))]
    limit: u32,
    /// A directory that the path is relative to.
    clone_path: Option<String>,
    /// The workspace that the path is in, where another tool answered with one: the host shows it in place of all else.
    #[serde(rename = "workspace")]
    _workspace: Option<String>,
    /// Ignored; callers that are used to sessions may send one.
    #[serde(rename = "_session_id")]
    _session: Option<String>,
}

fn quarter_mebibyte() -> u32 {
    256 << 10
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
    if path.is_dir() {
        let error = files::explain(&path, &io::ErrorKind::IsADirectory.into());
        return Err(error.fix("Use fs.list to see what is in it."));
    }
    let size = files::regular(&path)?.len();
    if input.offset > size {
        return Err(Error::invalid_input(format!("The file ends at byte {size}.")).pointer("/offset"));
    }
    let failed = |error: io::Error| files::explain(&path, &error);
    let mut file = File::open(&path).map_err(failed)?;
    file.seek(SeekFrom::Start(input.offset)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(input.limit.into()).read_to_end(&mut bytes).map_err(failed)?;
    let sha256 = || Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let (content, taken) = match input.encoding {
        Encoding::Base64 => (BASE64_STANDARD.encode(&bytes), bytes.len()),
        Encoding::Utf8 => {
            let more = input.offset + (bytes.len() as u64) < size;
            let mut content = start(&bytes, more)?.to_owned();
            text::cut(&mut content, usize::MAX, LARGEST);
            let taken = content.len();
            (content, taken)
        }
    };
    let end = input.offset + taken as u64;
    let sha256 = (input.offset == 0 && end >= size).then(sha256);
    let next_offset = (end < size).then_some(end);
    Ok(Output { content, encoding: input.encoding, size, sha256, next_offset })
}

/// The bytes as text. The last character may go on in the next part: it is left to that.
fn start(bytes: &[u8], more: bool) -> Result<&str, Error> {
    let wrong = |why: &str| Error::invalid_input(format!("The file is not UTF-8 text there: {why}."));
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let valid = error.valid_up_to();
    match bytes.first() {
        _ if valid > 0 && more && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..valid]).map_err(|error| wrong(&error.to_string()))
        }
        _ if valid == 0 && more && error.error_len().is_none() => {
            Err(wrong("the limit is shorter than one character")
                .fix("Call again with a limit of 4 or more.")
                .pointer("/limit"))
        }
        Some(0x80..=0xbf) if valid == 0 => Err(wrong("the offset may be inside a character")
            .fix("Use next_offset of the call before, or set encoding to base64.")
            .pointer("/offset")),
        _ => Err(wrong("it has other bytes")
            .fix("Call again with \"encoding\": \"base64\".")
            .pointer("/encoding")),
    }
}
