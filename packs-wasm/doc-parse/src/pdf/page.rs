//! What a page draws, as far as it is text (ISO 32000-1, 9.4).

use lopdf::content::{Content, Operation};
use lopdf::{Dictionary, Document, Object, ObjectId};

use super::font::Fonts;
use super::lines::{Lines, Place};
use super::matrix::Matrix;
use super::state::{Frame, matrix6, number};

/// Bytes that a page's drawing may have, unpacked, with the forms in it.
const LARGEST: usize = 16 << 20;

/// Bytes of text that one page may have.
const LONGEST: usize = 4 << 20;

/// How many forms may be inside each other.
const DEEPEST: usize = 8;

/// What could be read of a page.
pub(crate) struct Text {
    pub(crate) text: String,
    /// There was more.
    pub(crate) unread: bool,
}

pub(crate) fn text<'a>(document: &'a Document, page: ObjectId, fonts: &mut Fonts<'a>) -> Text {
    let mut resources = Vec::new();
    if let Ok((own, inherited)) = document.get_page_resources(page) {
        resources.extend(own);
        resources.extend(inherited.into_iter().filter_map(|id| document.get_dictionary(id).ok()));
    }
    let mut walk = Walk { document, fonts, lines: Lines::default(), unread: false, room: LARGEST };
    match document.get_page_content_with_limit(page, LARGEST) {
        Ok(content) => walk.content(&content, &resources, Matrix::IDENTITY, 0),
        Err(_) => walk.unread = true,
    }
    Text { text: walk.lines.finish(), unread: walk.unread }
}

/// One page.
struct Walk<'d, 'f> {
    document: &'d Document,
    fonts: &'f mut Fonts<'d>,
    lines: Lines,
    unread: bool,
    room: usize,
}

impl<'d> Walk<'d, '_> {
    fn content(&mut self, content: &[u8], resources: &[&'d Dictionary], place: Matrix, depth: usize) {
        let Some(room) = self.room.checked_sub(content.len()) else {
            self.unread = true;
            return;
        };
        self.room = room;
        let mut frame = Frame::new(resources, place, depth);
        for operation in Content::decode_iter(content) {
            match operation {
                Ok(operation) if self.lines.len() < LONGEST => self.operation(&operation, &mut frame),
                // What comes after something broken cannot be understood.
                _ => {
                    self.unread = true;
                    return;
                }
            }
        }
    }

    fn operation(&mut self, operation: &Operation, frame: &mut Frame<'d, '_>) {
        let operands = operation.operands.as_slice();
        match (operation.operator.as_str(), operands) {
            ("Tj", [string]) => self.show(string, frame),
            ("TJ", [Object::Array(parts)]) => parts.iter().for_each(|part| self.show(part, frame)),
            ("'", [string]) => {
                frame.next_line();
                self.show(string, frame);
            }
            ("\"", [word, character, string]) => {
                frame.state.word_spacing = number(word);
                frame.state.character_spacing = number(character);
                frame.next_line();
                self.show(string, frame);
            }
            ("Tf", [name, size]) => {
                let font = name.as_name().ok().and_then(|name| frame.resource(b"Font", name, self.document));
                frame.state.font = font.and_then(|font| self.fonts.get(font));
                frame.state.size = number(size);
            }
            ("Do", [name]) if frame.depth < DEEPEST => {
                let name = name.as_name().ok();
                if let Some(object) = name.and_then(|name| frame.resource(b"XObject", name, self.document)) {
                    self.form(object, frame);
                }
            }
            (operator, operands) => frame.operation(operator, operands),
        }
    }

    /// A drawing inside the drawing.
    fn form(&mut self, object: &'d Object, frame: &Frame<'d, '_>) {
        let Ok((_, Object::Stream(form))) = self.document.dereference(object) else { return };
        let is_form = form.dict.get(b"Subtype").and_then(Object::as_name).is_ok_and(|name| name == b"Form");
        if !is_form {
            return;
        }
        let own = form.dict.get_deref(b"Resources", self.document).and_then(Object::as_dict).ok();
        let resources: Vec<_> = own.into_iter().chain(frame.resources.iter().copied()).collect();
        let matrix = form.dict.get_deref(b"Matrix", self.document).and_then(Object::as_array);
        let matrix = matrix.ok().and_then(|numbers| matrix6(numbers)).unwrap_or(Matrix::IDENTITY);
        match form.get_plain_content_with_limit(self.room) {
            Ok(content) => {
                self.content(&content, &resources, matrix.then(frame.state.place), frame.depth + 1)
            }
            Err(_) => self.unread = true,
        }
    }

    /// Shows a string, or moves by the number that stands between two.
    fn show(&mut self, part: &Object, frame: &mut Frame<'d, '_>) {
        let Object::String(codes, _) = part else {
            frame.advance(-number(part) / 1000.0 * frame.state.size);
            return;
        };
        let Some(font) = frame.state.font.clone() else {
            self.unread |= !codes.is_empty();
            return;
        };
        let decoded = font.decode(codes);
        self.unread |= !decoded.whole;
        let (width, characters, spaces) = font.measure(codes);
        let state = &frame.state;
        let width = width * state.size
            + characters as f32 * state.character_spacing
            + spaces as f32 * state.word_spacing;
        let before = frame.text.then(state.place);
        let size = (state.size * before.height()).abs();
        frame.advance(width);
        let after = frame.text.then(frame.state.place);
        if !decoded.text.is_empty() {
            let place = Place { start: before.origin(), end: after.origin(), along: before.along(), size };
            self.lines.add(&decoded.text, place);
        }
    }
}
