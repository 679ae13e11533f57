//! Which characters a font's codes stand for, and how wide they are (ISO 32000-1, 9.6, 9.7 and 9.10).

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use lopdf::{Dictionary, Document, Encoding, Object, ObjectId};

/// Bytes that a font's map of characters may have, unpacked.
const LARGEST: usize = 4 << 20;

/// A width where the font says none, in thousandths of its size. Rather too narrow: one space too many reads better than
/// two words in one.
const USUAL: f32 = 400.0;

/// The document's fonts, each read once.
pub(crate) struct Fonts<'a> {
    document: &'a Document,
    known: HashMap<ObjectId, Rc<Font<'a>>>,
}

/// One font.
pub(crate) struct Font<'a> {
    /// By its map to Unicode, which counts first.
    unicode: Option<Encoding<'a>>,
    /// By the names of its glyphs.
    named: Option<Encoding<'a>>,
    /// Bytes of a code.
    bytes: usize,
    widths: Widths,
}

/// The text of some codes.
pub(crate) struct Decoded {
    pub(crate) text: String,
    /// Every code stood for something.
    pub(crate) whole: bool,
}

impl<'a> Fonts<'a> {
    pub(crate) fn new(document: &'a Document) -> Self {
        Self { document, known: HashMap::new() }
    }

    /// The font that a resource is.
    pub(crate) fn get(&mut self, resource: &'a Object) -> Option<Rc<Font<'a>>> {
        let id = resource.as_reference().ok();
        if let Some(known) = id.and_then(|id| self.known.get(&id)) {
            return Some(Rc::clone(known));
        }
        let (_, object) = self.document.dereference(resource).ok()?;
        let font = Rc::new(Font::read(object.as_dict().ok()?, self.document));
        if let Some(id) = id {
            self.known.insert(id, Rc::clone(&font));
        }
        Some(font)
    }
}

impl<'a> Font<'a> {
    fn read(font: &'a Dictionary, document: &'a Document) -> Self {
        let is = |kind: &[u8]| font.get(b"Subtype").and_then(Object::as_name).is_ok_and(|name| name == kind);
        let named = font.get_font_encoding_with_limit(document, LARGEST).ok();
        if is(b"Type0") {
            // What lopdf falls back to has one byte for a code, and these have two.
            let named = named.filter(|encoding| !matches!(encoding, Encoding::OneByteEncoding(_)));
            return Self {
                unicode: to_unicode(font, document),
                named,
                bytes: 2,
                widths: Widths::composite(font, document),
            };
        }
        let mut widths = Widths::simple(font, document);
        if is(b"Type3")
            && let Some([scale, ..]) = numbers(font, b"FontMatrix", document).as_deref()
        {
            widths.scale(scale * 1000.0);
        }
        Self { unicode: to_unicode(font, document), named, bytes: 1, widths }
    }

    pub(crate) fn decode(&self, codes: &[u8]) -> Decoded {
        let by = |encoding: &Option<Encoding<'_>>| encoding.as_ref()?.bytes_to_string(codes).ok();
        let missing = char::REPLACEMENT_CHARACTER;
        let unicode = by(&self.unicode);
        let whole = unicode.as_ref().is_some_and(|text| !text.contains(missing));
        let text = if whole { unicode } else { by(&self.named).or(unicode) };
        match text {
            Some(text) if text.contains(missing) => Decoded { text: text.replace(missing, ""), whole: false },
            Some(text) => Decoded { text, whole: true },
            None => Decoded { text: String::new(), whole: false },
        }
    }

    /// How wide some codes are, in sizes of the font; how many codes there are; how many of them are the space that word
    /// spacing applies to.
    pub(crate) fn measure(&self, codes: &[u8]) -> (f32, usize, usize) {
        let code = |bytes: &[u8]| bytes.iter().fold(0, |code, byte| code << 8 | u32::from(*byte));
        let width = codes.chunks(self.bytes).map(|bytes| self.widths.of(code(bytes))).sum::<f32>() / 1000.0;
        let spaces = if self.bytes == 1 { codes.iter().filter(|byte| **byte == b' ').count() } else { 0 };
        (width, codes.len().div_ceil(self.bytes), spaces)
    }
}

/// The map to Unicode that a font has beside its encoding.
fn to_unicode<'a>(font: &Dictionary, document: &Document) -> Option<Encoding<'a>> {
    let mut alone = Dictionary::new();
    alone.set("Type", Object::Name(b"Font".to_vec()));
    alone.set("ToUnicode", font.get(b"ToUnicode").ok()?.clone());
    match alone.get_font_encoding_with_limit(document, LARGEST) {
        Ok(Encoding::UnicodeMapEncoding(map)) => Some(Encoding::UnicodeMapEncoding(map)),
        _ => None,
    }
}

/// How wide the codes are, in thousandths of the font's size.
struct Widths {
    /// By the first code of a range: its last code, and how wide each one in it is.
    ranges: BTreeMap<u32, (u32, f32)>,
    other: f32,
}

impl Widths {
    fn of(&self, code: u32) -> f32 {
        let range = self.ranges.range(..=code).next_back();
        range.filter(|(_, (last, _))| code <= *last).map_or(self.other, |(_, (_, width))| *width)
    }

    fn scale(&mut self, by: f32) {
        self.ranges.values_mut().for_each(|(_, width)| *width *= by);
    }

    fn each(first: u32, widths: &[f32]) -> impl Iterator<Item = (u32, (u32, f32))> {
        (first..).zip(widths).map(|(code, width)| (code, (code, *width)))
    }

    fn simple(font: &Dictionary, document: &Document) -> Self {
        let first = font.get_deref(b"FirstChar", document).and_then(Object::as_i64);
        let first = first.ok().and_then(|first| u32::try_from(first).ok()).unwrap_or(0);
        let widths = numbers(font, b"Widths", document).unwrap_or_default();
        Self { ranges: Self::each(first, &widths).collect(), other: USUAL }
    }

    fn composite(font: &Dictionary, document: &Document) -> Self {
        let inner = font.get_deref(b"DescendantFonts", document).and_then(Object::as_array);
        let inner = inner.ok().and_then(|all| document.dereference(all.first()?).ok()?.1.as_dict().ok());
        let mut widths = Self { ranges: BTreeMap::new(), other: 1000.0 };
        let Some(inner) = inner else { return widths };
        if let Ok(other) = inner.get_deref(b"DW", document).and_then(Object::as_float) {
            widths.other = other;
        }
        let mut entries = inner.get_deref(b"W", document).and_then(Object::as_array).into_iter().flatten();
        // Either a first code and the widths from there on, or a first code, a last one and the width of all between.
        while let (Some(first), Some(next)) = (entries.next(), entries.next()) {
            let code = |object: &Object| object.as_i64().ok().and_then(|code| u32::try_from(code).ok());
            let Some(first) = code(first) else { continue };
            match document.dereference(next).map(|(_, next)| next) {
                Ok(Object::Array(each)) => widths.ranges.extend(Self::each(first, &floats(each, document))),
                Ok(last) => {
                    let width = entries.next().and_then(|width| width.as_float().ok());
                    widths.ranges.extend(code(last).zip(width).map(|range| (first, range)));
                }
                Err(_) => {}
            }
        }
        widths
    }
}

fn numbers(font: &Dictionary, name: &[u8], document: &Document) -> Option<Vec<f32>> {
    Some(floats(font.get_deref(name, document).ok()?.as_array().ok()?, document))
}

fn floats(all: &[Object], document: &Document) -> Vec<f32> {
    let number =
        |object| document.dereference(object).and_then(|(_, object)| object.as_float()).unwrap_or(0.0);
    all.iter().map(number).collect()
}
