//! A text in lines, as an edit needs it: how deep each one stands, and where a block of YAML ends.

/// The lines of a text, counted from 1.
pub(super) struct Lines<'t> {
    text: &'t str,
    lines: Vec<&'t str>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, lines: text.split_inclusive('\n').collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The line without its end; empty where there is none.
    pub(super) fn get(&self, number: usize) -> &'t str {
        number.checked_sub(1).and_then(|index| self.lines.get(index)).map_or("", |line| line.trim_end())
    }

    /// What ends lines here.
    pub(super) fn ending(&self) -> &'static str {
        if self.lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" }
    }

    /// The last line of the block that starts in line `first` and whose content stands deeper than `depth` spaces.
    /// Comments that follow without an empty line and stand as deep belong to it.
    pub(super) fn end_of_block(&self, first: usize, depth: usize) -> usize {
        let mut last = first;
        for number in first + 1..=self.len() {
            let line = self.get(number);
            let body = line.trim_start_matches(' ');
            let deeper = line.len() - body.len() > depth;
            if body.is_empty() || (body.starts_with('#') && !(deeper && last + 1 == number)) {
                continue;
            }
            if !deeper {
                break;
            }
            last = number;
        }
        last
    }

    /// The text with these lines after line `after` (0: in front). Everything else stays as it is, byte for byte; only where
    /// the last line has no end it gets one.
    pub(super) fn with(&self, after: usize, new: &[String]) -> String {
        let ending = self.ending();
        let at: usize = self.lines.iter().take(after).map(|line| line.len()).sum();
        let (before, behind) = self.text.split_at(at);
        let open = !before.is_empty() && !before.ends_with('\n');
        let mut text = String::with_capacity(self.text.len() + 64 * new.len());
        text.push_str(before);
        if open {
            text.push_str(ending);
        }
        for line in new {
            text.push_str(line);
            text.push_str(ending);
        }
        text.push_str(behind);
        text
    }
}
