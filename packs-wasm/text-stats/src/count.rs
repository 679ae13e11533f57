//! What is counted, and how. Knows nothing of packs, so that the bench can compile it for the host as well.

use hashbrown::HashMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Words a minute that an adult reads silently (Brysbaert 2019, "How many words do we read per minute?").
const READING_SPEED: f64 = 238.0;

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
    /// The word in lower case.
    word: String,
    /// How often it occurs.
    count: u32,
}

/// Counts.
pub(crate) fn count(input: &Input) -> Output {
    let text = input.text.as_str();
    let lower = text.to_lowercase();
    let mut counts: HashMap<&str, u32> = HashMap::new();
    let (mut words, mut letters) = (0, 0);
    for word in split_words(&lower) {
        words += 1;
        letters += word.chars().count();
        *counts.entry(word).or_insert(0) += 1;
    }
    Output {
        words,
        unique_words: counts.len(),
        lines: text.lines().count(),
        sentences: sentences(text),
        paragraphs: paragraphs(text),
        characters: text.chars().count(),
        bytes: text.len(),
        average_word_length: if words == 0 {
            0.0
        } else {
            (letters as f64 / words as f64 * 100.0).round() / 100.0
        },
        reading_time_seconds: (words as f64 * 60.0 / READING_SPEED).ceil() as u64,
        top_words: most_frequent(counts, input.top.into()),
    }
}

/// Apostrophes belong to a word when they stand inside it: "don't" is one word.
fn split_words(text: &str) -> impl Iterator<Item = &str> {
    let apostrophe = ['\'', '’'];
    text.split(move |c: char| !c.is_alphanumeric() && !apostrophe.contains(&c))
        .map(move |word| word.trim_matches(apostrophe))
        .filter(|word| !word.is_empty())
}

/// A sentence ends where a stop is followed by white space, a closing mark or the end; "3.5" ends none.
fn sentences(text: &str) -> usize {
    let mut count = 0;
    let mut open = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let stop = matches!(c, '。' | '!' | '?')
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
        let empty = line.trim().is_empty();
        count += usize::from(blank && !empty);
        blank = empty;
    }
    count
}

/// Ties go by the alphabet, so that the same text always gives the same answer.
fn most_frequent(counts: HashMap<&str, u32>, top: usize) -> Vec<WordCount> {
    let mut all: Vec<(&str, u32)> = counts.into_iter().collect();
    let order = |a: &(&str, u32), b: &(&str, u32)| b.1.cmp(&a.1).then(a.0.cmp(b.0));
    if top < all.len() {
        all.select_nth_unstable_by(top, order);
        all.truncate(top);
    }
    all.sort_unstable_by(order);
    all.into_iter().map(|(word, count)| WordCount { word: word.to_owned(), count }).collect()
}
