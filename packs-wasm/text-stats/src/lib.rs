//! The pack `text.stats`: counts what is in a text. Owns the counting; refuses everything else, and asks for nothing.

mod count;

use count::{Input, Output};
use packhost_sdk::Error;

packhost_sdk::pack! {
    name: "text.stats",
    title: "Text statistics",
    description: "Counts the words, lines, sentences, paragraphs and characters of a text, and lists its most frequent \
                  words. Works on the text you pass; reads no files and no web pages.",
    effects: [read_only, idempotent],
    examples: [{ "text": "To be, or not to be: that is the question." }],
    run: stats,
}

fn stats(input: Input) -> Result<Output, Error> {
    Ok(count::count(&input))
}
