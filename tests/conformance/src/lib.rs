//! What the fixtures share: small media, and a fixture without input or data.

use std::time::Duration;

use packhost_sdk::{Answer, Block};
use schemars::JsonSchema;
use serde::Deserialize;

/// A fixture that takes no arguments.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// The answer of a fixture: content, and no data.
pub type Content = Answer<()>;

/// An answer of one block.
pub fn content(block: Block) -> Content {
    Answer::new(()).with(block)
}

/// An answer of one text.
pub fn text(text: impl Into<String>) -> Content {
    content(Block::Text(text.into()))
}

/// One red pixel.
pub fn red_pixel() -> Block {
    Block::Image { mime_type: "image/png".into(), data: include_bytes!("red.png").to_vec() }
}

/// A millisecond of silence.
pub fn silence() -> Block {
    Block::Audio { mime_type: "audio/wav".into(), data: include_bytes!("silence.wav").to_vec() }
}

/// What the suite wants between two notifications.
pub fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

/// Declares a fixture: its name, what it does, why it asks if it asks, its input if it takes one, and its function.
#[macro_export]
macro_rules! fixture {
    ($name:literal, $does:literal, $(asks: $why:literal,)? input: $input:ty, example: $example:tt, run: $run:expr) => {
        packhost_sdk::pack! {
            name: $name,
            title: $name,
            description: $does,
            effects: [read_only],
            $(wants: { ask: $why },)?
            examples: [$example],
            run: run,
        }

        fn run(input: $input) -> Result<$crate::Content, packhost_sdk::Error> {
            let run: fn($input) -> Result<$crate::Content, packhost_sdk::Error> = $run;
            run(input)
        }
    };
    ($name:literal, $does:literal, $(asks: $why:literal,)? run: $run:expr) => {
        $crate::fixture!($name, $does, $(asks: $why,)? input: $crate::Nothing, example: {}, run: $run);
    };
}
