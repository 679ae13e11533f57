//! Pieces of text as lines: a PDF says where each piece is, and neither where a word nor where a line ends.

use super::matrix::Point;

/// How far across the line a piece may be, in sizes of the larger text: what is lower or higher is another line.
const SAME_LINE: f32 = 0.5;

/// How far down a piece may be, in sizes of the smaller text, before the line above it is a paragraph's last.
const SAME_PARAGRAPH: f32 = 2.0;

/// How wide a gap is that parts words, in sizes of the smaller text.
const WORD: f32 = 0.2;

/// One piece, on the page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Where it starts, on the base line.
    pub(crate) start: Point,
    /// Where what comes next would start.
    pub(crate) end: Point,
    /// Where the writing goes; of any length.
    pub(crate) along: Point,
    /// How tall the text is.
    pub(crate) size: f32,
}

/// The lines so far.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    text: String,
    last: Option<Place>,
}

impl Lines {
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn finish(self) -> String {
        self.text.trim().to_owned()
    }

    /// Adds a piece after those that are there.
    pub(crate) fn add(&mut self, piece: &str, place: Place) {
        let between = self.last.map_or("", |last| gap(last, place));
        if between.starts_with('\n') {
            self.text.truncate(self.text.trim_end_matches(' ').len());
            self.text.push_str(between);
        } else if !self.text.ends_with([' ', '\n']) && !piece.starts_with(' ') {
            self.text.push_str(between);
        }
        piece.chars().for_each(|character| spell(&mut self.text, character));
        self.last = Some(place);
    }
}

/// What stands between two pieces.
fn gap(last: Place, next: Place) -> &'static str {
    let length = next.along.x.hypot(next.along.y).max(f32::MIN_POSITIVE);
    let unit = Point { x: next.along.x / length, y: next.along.y / length };
    let moved = Point { x: next.start.x - last.end.x, y: next.start.y - last.end.y };
    let (along, across) = (moved.x * unit.x + moved.y * unit.y, (moved.y * unit.x - moved.x * unit.y).abs());
    let (small, large) = (last.size.min(next.size), last.size.max(next.size));
    let turned = last.along.x * unit.x + last.along.y * unit.y <= 0.0;
    match () {
        () if turned || across > SAME_PARAGRAPH * small.max(large * SAME_LINE) => "\n\n",
        () if across > SAME_LINE * large => "\n",
        () if along > WORD * small || along < -small => " ",
        () => "",
    }
}

/// Adds a character; one that stands for several drawn as one, as those.
fn spell(text: &mut String, character: char) {
    match character {
        '\u{fb00}' => text.push_str("ff"),
        '\u{fb01}' => text.push_str("fi"),
        '\u{fb02}' => text.push_str("fl"),
        '\u{fb03}' => text.push_str("ffi"),
        '\u{fb04}' => text.push_str("ffl"),
        other if other.is_control() => {}
        other => text.push(other),
    }
}
