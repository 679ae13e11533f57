//! The pack `doc.parse`: a document as Markdown. Reads HTML, DOCX, XLSX, CSV and the text of PDF; no pictures.

mod docx;
mod pdf;
mod sheet;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use dom_query::Document;
use packhost_charset::{Markup, decode};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, files, text};

/// Bytes of a document that are read at most.
const LARGEST: u64 = 32 << 20;

/// Bytes that the Markdown may take as JSON: an answer may have 4 MiB as shipped.
const MARKDOWN_LARGEST: usize = 3 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The document's file, such as "report.docx". Give this or source_b64, not both.
    path: Option<String>,
    /// The document itself, in base64, where there is no file.
    source_b64: Option<String>,
    /// The document's name when source_b64 is given, such as "report.docx"; its ending tells the format.
    filename: Option<String>,
    /// How many characters of Markdown to return at most.
    #[serde(default = "hundred_thousand")]
    #[schemars(range(min = 1, max = 1_000_000))]
    max_chars: usize,
}

fn hundred_thousand() -> usize {
    100_000
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The path or file name that was given.
    source: String,
    /// What the document is.
    format: Format,
    /// The document as Markdown.
    markdown: String,
    /// The Markdown was longer than max_chars, or than an answer may be, and was cut.
    truncated: bool,
}

#[derive(Serialize, JsonSchema, Clone, Copy, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
enum Format {
    Html,
    Docx,
    Xlsx,
    Csv,
    Pdf,
    Text,
}

packhost_sdk::pack! {
    name: "doc.parse",
    title: "Read a document",
    description: "Turns a document (PDF, DOCX, XLSX, CSV or HTML) into Markdown that you can read. Give path for a file; \
                  or source_b64 and filename. Scanned pages have no text to read.",
    effects: [read_only, idempotent],
    wants: { fs: "to read the documents that it is asked for" },
    examples: [
        { "path": "report.docx" },
        { "source_b64": "bmFtZSxwcmljZQpwZW4sMgo=", "filename": "prices.csv" },
    ],
    run: parse,
}

fn parse(input: Input) -> Result<Output, Error> {
    let (source, bytes) = match (input.path, input.source_b64) {
        (Some(path), None) => {
            let bytes = files::read(&files::resolve(&path, None)?, LARGEST)?;
            (path, bytes)
        }
        (None, Some(text)) => {
            let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|error| {
                Error::invalid_input(format!("source_b64 is not base64: {error}.")).pointer("/source_b64")
            })?;
            (input.filename.unwrap_or_default(), bytes)
        }
        _ => {
            return Err(Error::invalid_input("Give either path or source_b64, and not both.")
                .fix("Pass path for a file, or source_b64 and filename for content."));
        }
    };
    let format = format(&source, &bytes)?;
    let mut markdown = match format {
        Format::Html => Document::from(decode(&bytes, None, Markup::Html)).md(None).to_string(),
        Format::Docx => docx::markdown(&bytes)?,
        Format::Xlsx => sheet::workbook(bytes)?,
        Format::Csv => sheet::csv(&decode(&bytes, None, Markup::None))?,
        Format::Pdf => pdf::markdown(&bytes)?,
        Format::Text => decode(&bytes, None, Markup::None),
    };
    let truncated = text::cut(&mut markdown, input.max_chars, MARKDOWN_LARGEST);
    Ok(Output { source, format, markdown, truncated })
}

/// The content tells more than the name does, where it tells anything.
fn format(name: &str, bytes: &[u8]) -> Result<Format, Error> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    let start = bytes.trim_ascii_start();
    let contains = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    match ending.as_str() {
        _ if bytes.starts_with(b"%PDF-") => Ok(Format::Pdf),
        _ if bytes.starts_with(b"PK") && contains(b"word/document.xml") => Ok(Format::Docx),
        _ if bytes.starts_with(b"PK") && contains(b"xl/workbook.xml") => Ok(Format::Xlsx),
        "html" | "htm" | "xhtml" => Ok(Format::Html),
        "csv" | "tsv" => Ok(Format::Csv),
        "md" | "txt" | "text" if packhost_charset::is_text(bytes) => Ok(Format::Text),
        _ if start.starts_with(b"<!") || starts_with_html(start) => Ok(Format::Html),
        _ => Err(Error::invalid_input(format!("\"{name}\" is not a document that can be read."))
            .fix("Use a PDF, DOCX, XLSX, CSV or HTML document, and for CSV a name that ends in .csv.")),
    }
}

fn starts_with_html(start: &[u8]) -> bool {
    start.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case(b"<html"))
}
