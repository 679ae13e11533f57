//! What is counted, and how. Knows nothing of packs, so that the bench can compile it for the host as well.

use hashbrown::HashMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Words a minute that an adult reads silently (Brysbaert 2019, "How many words do we read per minute?").
const READING_SPEED: f64 = 238.0;
/// The longest word that is listed whole, in characters.
const LONG: usize = 50;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The text to count.
    text: String,
    /// How many of the most frequent words to list.
    #[serde(default = "ten")]
    #[schemars(range(min = 0, max = 1000))]
    top: u16,
}

fn ten() -> u16 {
    10
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Words: runs of letters and digits.
    words: usize,
    /// Different words, upper and lower case taken as the same.
    unique_words: usize,
    /// Lines.
    lines: usize,
    /// Sentences: text up to a full stop, question mark or exclamation mark.
    sentences: usize,
    /// Paragraphs: text between blank lines.
    paragraphs: usize,
    /// Characters (Unicode scalar values), white space included.
    characters: usize,
    /// Bytes in UTF-8.
    bytes: usize,
    /// Letters and digits per word, on average.
    average_word_length: f64,
    /// Seconds that an adult needs to read it silently.
    reading_time_seconds: u64,
    /// The most frequent words, the most frequent first.
    top_words: Vec<WordCount>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct WordCount {
    /// The word in lower case; of one with more than 50 characters, the first 50 and "…".
    word: String,
    /// How often it occurs.
    count: u32,
}

/// Counts.
pub(crate) fn count(input: &Input) -> Output {
    let text = input.text.as_str();
    // Most texts are ASCII, where a byte is a character and nothing has to be decoded.
    let ascii = text.is_ascii();
    let lower = if ascii { text.to_ascii_lowercase() } else { text.to_lowercase() };
    let mut tally = Tally::with_room_for(text);
    let (characters, sentences) = if ascii {
        lower.as_bytes().split(|byte| !is_in_ascii_word(*byte)).for_each(|word| tally.add(word, <[u8]>::len));
        (text.len(), sentences(text.bytes().map(char::from)))
    } else {
        let letters = |word: &[u8]| str::from_utf8(word).map_or(0, |word| word.chars().count());
        split_words(&lower).for_each(|word| tally.add(word.as_bytes(), letters));
        (text.chars().count(), sentences(text.chars()))
    };
    Output {
        words: tally.words,
        unique_words: tally.counts.len(),
        lines: text.lines().count(),
        sentences,
        paragraphs: paragraphs(text),
        characters,
        bytes: text.len(),
        average_word_length: tally.average(),
        reading_time_seconds: (tally.words as f64 * 60.0 / READING_SPEED).ceil() as u64,
        top_words: most_frequent(tally.counts, input.top.into()),
    }
}

/// The words so far. A word is UTF-8.
struct Tally<'a> {
    words: usize,
    letters: usize,
    counts: HashMap<&'a [u8], u32>,
}

impl<'a> Tally<'a> {
    /// Prose has a different word for about every ten bytes of a page, and fewer in longer texts.
    fn with_room_for(text: &str) -> Self {
        Self { words: 0, letters: 0, counts: HashMap::with_capacity((text.len() / 8).min(4096)) }
    }

    /// Adds what stands between two separators: apostrophes around a word are not part of it.
    fn add(&mut self, mut word: &'a [u8], letters: impl Fn(&[u8]) -> usize) {
        while let [b'\'', rest @ ..] | [rest @ .., b'\''] = word {
            word = rest;
        }
        if !word.is_empty() {
            self.words += 1;
            self.letters += letters(word);
            *self.counts.entry(word).or_insert(0) += 1;
        }
    }

    /// Letters of a word, on average, to two places.
    fn average(&self) -> f64 {
        match self.words {
            0 => 0.0,
            words => (self.letters as f64 / words as f64 * 100.0).round() / 100.0,
        }
    }
}

fn is_in_ascii_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'\''
}

/// Apostrophes belong to a word when they stand inside it: "don't" is one word.
fn split_words(text: &str) -> impl Iterator<Item = &str> {
    let apostrophe = ['\'', '’'];
    text.split(move |c: char| !c.is_alphanumeric() && !apostrophe.contains(&c))
        .map(move |word| word.trim_matches(apostrophe))
}

/// A sentence ends where a stop is followed by white space, a closing mark or the end; "3.5" ends none.
fn sentences(text: impl Iterator<Item = char>) -> usize {
    let mut count = 0;
    let mut open = false;
    let mut rest = text.peekable();
    while let Some(c) = rest.next() {
        let stop = matches!(c, '。' | '\u{ff01}' | '\u{ff1f}')
            || matches!(c, '.' | '!' | '?' | '…') && rest.peek().is_none_or(|next| !next.is_alphanumeric());
        if stop && open {
            count += 1;
            open = false;
        }
        open |= c.is_alphanumeric();
    }
    count + usize::from(open)
}

fn paragraphs(text: &str) -> usize {
    let mut blank = true;
    let mut count = 0;
    for line in text.lines() {
        let empty = line.chars().all(char::is_whitespace);
        count += usize::from(blank && !empty);
        blank = empty;
    }
    count
}

/// A word as it is listed: of a very long one, which is no word of a language, the beginning.
fn shown(word: &[u8]) -> String {
    let text = String::from_utf8_lossy(word);
    match text.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// Ties go by the alphabet, so that the same text always gives the same answer.
fn most_frequent(counts: HashMap<&[u8], u32>, top: usize) -> Vec<WordCount> {
    let mut all: Vec<(&[u8], u32)> = counts.into_iter().collect();
    let order = |a: &(&[u8], u32), b: &(&[u8], u32)| b.1.cmp(&a.1).then(a.0.cmp(b.0));
    if top < all.len() {
        all.select_nth_unstable_by(top, order);
        all.truncate(top);
    }
    all.sort_unstable_by(order);
    all.into_iter().map(|(word, count)| WordCount { word: shown(word), count }).collect()
}
