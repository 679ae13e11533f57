//! The pack `maker`: keeps artifacts, and then answers, fails, or spins.

use packhost_sdk::artifacts::Writer;
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// What it is called.
    name: String,
    /// What it is.
    #[serde(default = "text")]
    media_type: String,
    /// How many bytes, each the last digit of its place.
    #[serde(default)]
    size: usize,
    /// How many of them.
    #[serde(default = "one")]
    times: u32,
    /// What to do then.
    #[serde(default)]
    then: Then,
}

fn text() -> String {
    "text/plain".into()
}

fn one() -> u32 {
    1
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Then {
    /// Answer.
    #[default]
    Answer,
    /// Say that it failed.
    Fail,
    /// Go on for ever.
    Spin,
    /// Answer, and leave one that is not finished.
    Leave,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// Where they are read.
    uris: Vec<String>,
    /// Bytes of the last one.
    size: u64,
    /// The digest of the last one.
    digest: String,
}

packhost_sdk::pack! {
    name: "maker",
    title: "Maker",
    description: "Keeps artifacts. For tests.",
    effects: [],
    wants: { artifacts: "To keep what it is told to keep." },
    examples: [{ "name": "a.txt", "size": 10 }],
    run: make,
}

fn make(input: Input) -> Result<Output, Error> {
    let (mut uris, mut size, mut digest) = (Vec::new(), 0, String::new());
    for _ in 0..input.times {
        let writer = Writer::new(&input.name, &input.media_type)?;
        let digits: Vec<u8> = (0..10_000).map(|at| b'0' + (at % 10) as u8).collect();
        let mut left = input.size;
        while left > 0 {
            let piece = left.min(digits.len());
            writer.write(&digits[..piece])?;
            left -= piece;
        }
        let made = writer.finish()?;
        uris.push(made.uri);
        (size, digest) = (made.size, made.digest);
    }
    match input.then {
        Then::Answer => {}
        Then::Fail => return Err(Error::failed("It was told to fail.")),
        Then::Spin => loop {
            std::hint::spin_loop();
        },
        Then::Leave => {
            let left = Writer::new("left", "text/plain")?;
            left.write(b"never finished")?;
            std::mem::forget(left);
        }
    }
    Ok(Output { uris, size, digest })
}
