//! A Word document's paragraphs, headings, lists and tables (ECMA-376, part 1, 17).

mod styles;
mod writer;

use std::io::{Cursor, Read};

use packhost_sdk::Error;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use styles::Styles;
use writer::Writer;
use zip::ZipArchive;
use zip::result::ZipError;

/// Bytes that one part of the document may have, unpacked.
const LARGEST: u64 = 32 << 20;

pub(crate) fn markdown(bytes: &[u8]) -> Result<String, Error> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let body = part(&mut archive, "word/document.xml")?.ok_or_else(|| broken("it has no document.xml"))?;
    let styles = match part(&mut archive, "word/styles.xml")? {
        Some(xml) => Styles::read(&xml)?,
        None => Styles::default(),
    };
    let mut writer = Writer::new(styles);
    events(&body, |event| match event {
        Event::Start(element) => writer.start(&element),
        Event::Empty(element) => {
            writer.start(&element);
            writer.end(element.local_name().as_ref());
        }
        Event::End(element) => writer.end(element.local_name().as_ref()),
        Event::Text(text) => writer.text(&text.xml10_content()),
        Event::GeneralRef(entity) => writer.entity(&entity),
        _ => {}
    })?;
    Ok(writer.markdown())
}

/// A part of the document; `None` where there is none of that name.
fn part(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Option<String>, Error> {
    let part = match archive.by_name(name) {
        Err(ZipError::FileNotFound) => return Ok(None),
        part => part.map_err(broken)?,
    };
    let mut xml = String::new();
    part.take(LARGEST + 1).read_to_string(&mut xml).map_err(broken)?;
    if xml.len() as u64 > LARGEST {
        let message = format!("The DOCX is too large: {name} has more than {LARGEST} bytes.");
        return Err(Error::resource_exhausted(message));
    }
    Ok(Some(xml))
}

/// Goes through a part's XML.
fn events(xml: &str, mut each: impl FnMut(Event<'_>)) -> Result<(), Error> {
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event().map_err(broken)? {
            Event::Eof => return Ok(()),
            event => each(event),
        }
    }
}

/// The value of an attribute, by its name without a prefix.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut all = element.attributes().flatten();
    let found = all.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    Some(found.value.into_owned())
}

fn broken(why: impl std::fmt::Display) -> Error {
    Error::invalid_input(format!("The DOCX cannot be read: {why}."))
}
