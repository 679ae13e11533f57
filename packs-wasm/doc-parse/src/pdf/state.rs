//! Where a stream of content is, and in which font, as its operators say (ISO 32000-1, 8.4 and 9.3).

use std::rc::Rc;

use lopdf::{Dictionary, Document, Object};

use super::font::Font;
use super::matrix::Matrix;

/// How many graphics states may be kept.
const KEPT: usize = 256;

/// The graphics state, as far as text depends on it.
#[derive(Clone)]
pub(super) struct State<'d> {
    /// From here to the page.
    pub(super) place: Matrix,
    pub(super) font: Option<Rc<Font<'d>>>,
    pub(super) size: f32,
    pub(super) character_spacing: f32,
    pub(super) word_spacing: f32,
    scale: f32,
    leading: f32,
}

/// Inside one stream of content.
pub(super) struct Frame<'d, 'r> {
    pub(super) resources: &'r [&'d Dictionary],
    pub(super) depth: usize,
    pub(super) state: State<'d>,
    kept: Vec<State<'d>>,
    /// Where the next text goes.
    pub(super) text: Matrix,
    /// Where its line started.
    line: Matrix,
}

impl<'d, 'r> Frame<'d, 'r> {
    pub(super) fn new(resources: &'r [&'d Dictionary], place: Matrix, depth: usize) -> Self {
        let state = State {
            place,
            font: None,
            size: 0.0,
            character_spacing: 0.0,
            word_spacing: 0.0,
            scale: 1.0,
            leading: 0.0,
        };
        let (text, line) = (Matrix::IDENTITY, Matrix::IDENTITY);
        Self { resources, depth, state, kept: Vec::new(), text, line }
    }

    pub(super) fn operation(&mut self, operator: &str, operands: &[Object]) {
        let first = operands.first().map_or(0.0, number);
        match operator {
            "q" if self.kept.len() < KEPT => self.kept.push(self.state.clone()),
            "Q" => self.state = self.kept.pop().unwrap_or_else(|| self.state.clone()),
            "cm" => {
                if let Some(matrix) = matrix6(operands) {
                    self.state.place = matrix.then(self.state.place);
                }
            }
            "BT" => self.start_line(Matrix::IDENTITY),
            "Tm" => self.start_line(matrix6(operands).unwrap_or(Matrix::IDENTITY)),
            "Td" | "TD" => {
                let down = operands.get(1).map_or(0.0, number);
                if operator == "TD" {
                    self.state.leading = -down;
                }
                self.start_line(Matrix::translation(first, down).then(self.line));
            }
            "T*" => self.next_line(),
            "Tc" => self.state.character_spacing = first,
            "Tw" => self.state.word_spacing = first,
            "Tz" => self.state.scale = first / 100.0,
            "TL" => self.state.leading = first,
            _ => {}
        }
    }

    fn start_line(&mut self, at: Matrix) {
        (self.text, self.line) = (at, at);
    }

    pub(super) fn next_line(&mut self) {
        self.start_line(Matrix::translation(0.0, -self.state.leading).then(self.line));
    }

    /// Moves along the line.
    pub(super) fn advance(&mut self, by: f32) {
        self.text = Matrix::translation(by * self.state.scale, 0.0).then(self.text);
    }

    /// What a name stands for: the nearest resources that have it count.
    pub(super) fn resource(&self, kind: &[u8], name: &[u8], document: &'d Document) -> Option<&'d Object> {
        self.resources
            .iter()
            .find_map(|resources| resources.get_deref(kind, document).ok()?.as_dict().ok()?.get(name).ok())
    }
}

pub(super) fn number(object: &Object) -> f32 {
    object.as_float().unwrap_or(0.0)
}

pub(super) fn matrix6(numbers: &[Object]) -> Option<Matrix> {
    let numbers: Vec<f32> = numbers.iter().map(number).collect();
    numbers.try_into().ok().map(Matrix::new)
}
