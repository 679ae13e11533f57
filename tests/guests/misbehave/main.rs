//! The pack `misbehave`: does whatever a host must bear, as its input says. It needs no grant to be loaded.

mod burn;
mod files;
mod network;
mod speak;

use guests::Saw;
use packhost_sdk::macro_support::bindings::exports::packhost::pack::handler::Guest;
use packhost_sdk::macro_support::bindings::packhost::pack::types::{Block, ErrorCode, Output, PackError};
use packhost_sdk::macro_support::{Effects, Pack, Wants, bindings, describe};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// What to do.
    #[serde(rename = "do")]
    act: Act,
    /// How much of it: bytes, milliseconds or times.
    #[serde(default)]
    amount: u64,
    /// A path, handed to the host as it is, from the first granted directory.
    #[serde(default)]
    path: String,
    /// Text to say, write or connect to.
    #[serde(default)]
    text: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Act {
    /// Never come back, without calling the host.
    Spin,
    /// Never come back, calling the host all the time.
    SpinInHost,
    /// Write to `amount` bytes of memory, in pieces of 1 MiB, and keep them.
    Grab,
    /// Leave a mark in each of `amount` pages of memory, far apart.
    Mark,
    /// Take as much memory and say how many marks are in all of it.
    FindMarks,
    /// Call itself until the stack is used up.
    Recurse,
    /// Answer `amount` bytes of structured data.
    Answer,
    /// Answer `amount` bytes in a text block.
    AnswerBlock,
    /// Answer `amount` empty text blocks.
    AnswerBlocks,
    /// Answer structured data that is not JSON.
    AnswerMalformed,
    /// Answer structured data that does not match the output schema.
    AnswerOther,
    /// Answer a string that is not UTF-8.
    AnswerNotUtf8,
    /// Answer nothing at all where the output schema promises something.
    AnswerNothing,
    /// Report an error whose message has `amount` bytes.
    Fail,
    /// Answer `text`.
    Echo,
    /// Write `amount` bytes to stdout, in lines.
    Stdout,
    /// Write `amount` bytes to stderr, without a line end.
    Stderr,
    /// Write `amount` bytes of log messages.
    Log,
    /// Write one log message of `text` at each level.
    LogLevels,
    /// Write bytes that are not UTF-8, terminal escapes and a zero byte to stdout.
    Garbage,
    /// Print `text` as a line of stdout: a forged JSON-RPC message.
    Print,
    /// Report progress `amount` times.
    Progress,
    /// Report progress with numbers that are none: NaN, infinite, falling, negative.
    ProgressNonsense,
    /// Panic with `text`.
    Panic,
    /// Execute the unreachable instruction.
    Trap,
    /// Read beyond the end of memory.
    OutOfBounds,
    /// Exit with the status `amount`.
    Exit,
    /// Sleep `amount` milliseconds in the host.
    Sleep,
    /// Ask for `amount` random bytes in one request.
    Random,
    /// Hold `amount` timers of the host at once.
    Handles,
    /// Say what environment and arguments there are.
    Environment,
    /// Say which directories are granted.
    Directories,
    /// List the directory `path`.
    List,
    /// Read the file `path`, through symbolic links.
    Read,
    /// Write `text` to the file `path`, through symbolic links.
    Write,
    /// Make a symbolic link `path` to `text`.
    Symlink,
    /// Give the file `text` the second name `path`.
    Hardlink,
    /// Rename `path` to `text`.
    Rename,
    /// Open the file `path` to read it, and cut it to nothing by that.
    Truncate,
    /// Open the file `path` to read it, and make it empty.
    Resize,
    /// Set the times of `path`.
    Touch,
    /// Delete the file `path`.
    Unlink,
    /// Make the directory `path`.
    MakeDirectory,
    /// Delete the directory `path`.
    RemoveDirectory,
    /// Connect to the address `text` over TCP.
    Tcp,
    /// Listen on the address `text` over TCP.
    Listen,
    /// Send a datagram to the address `text`.
    Udp,
    /// Look up the name `text`.
    Lookup,
}

struct Misbehave;

impl Guest for Misbehave {
    fn run(input: String) -> Result<Output, PackError> {
        match serde_json::from_str(&input) {
            Ok(input) => act(input),
            Err(error) => Err(failure(ErrorCode::InvalidInput, error.to_string())),
        }
    }
}

fn act(input: Input) -> Result<Output, PackError> {
    let Input { act, amount, path, text } = input;
    let times = usize::try_from(amount).unwrap_or(usize::MAX);
    let seen = match act {
        Act::Spin => burn::spin(),
        Act::SpinInHost => burn::spin_in_host(),
        Act::Grab => Saw::one(burn::grab(times)),
        Act::Mark => Saw::one(burn::mark(times)),
        Act::FindMarks => Saw::one(burn::find_marks(times)),
        Act::Recurse => Saw::one(burn::recurse(amount).to_string()),
        Act::Answer => Saw::one("x".repeat(times)),
        Act::AnswerBlock => return Ok(with(vec![Block::Text("x".repeat(times))])),
        Act::AnswerBlocks => return Ok(with(vec![Block::Text(String::new()); times])),
        Act::AnswerMalformed => return Ok(raw(Some("{\"saw\": [}".into()))),
        Act::AnswerOther => return Ok(raw(Some("{\"saw\": 7}".into()))),
        Act::AnswerNotUtf8 => return Ok(raw(Some(speak::not_utf8()))),
        Act::AnswerNothing => return Ok(raw(None)),
        Act::Fail => return Err(failure(ErrorCode::Failed, "x".repeat(times))),
        Act::Echo => Saw::one(text),
        Act::Stdout => speak::stdout(times),
        Act::Stderr => speak::stderr(times),
        Act::Log => speak::log(times),
        Act::LogLevels => speak::levels(&text),
        Act::Garbage => speak::garbage(),
        Act::Print => speak::print(&text),
        Act::Progress => speak::progress(amount),
        Act::ProgressNonsense => speak::nonsense(),
        Act::Panic => panic!("{text}"),
        Act::Trap => core::arch::wasm32::unreachable(),
        Act::OutOfBounds => Saw::one(burn::out_of_bounds().to_string()),
        Act::Exit => std::process::exit(i32::try_from(amount).unwrap_or(1)),
        Act::Sleep => burn::sleep(amount),
        Act::Random => Saw::one(wasip2::random::random::get_random_bytes(amount).len().to_string()),
        Act::Handles => Saw::one(burn::handles(times)),
        Act::Environment => speak::environment(),
        Act::Directories => files::directories(),
        Act::List => files::list(&path),
        Act::Read => Saw::tried(files::read(&path)),
        Act::Write => Saw::tried(files::write(&path, text.as_bytes())),
        Act::Symlink => Saw::tried(files::symlink(&path, &text)),
        Act::Hardlink => Saw::tried(files::hardlink(&path, &text)),
        Act::Rename => Saw::tried(files::rename(&path, &text)),
        Act::Truncate => Saw::tried(files::truncate(&path)),
        Act::Resize => Saw::tried(files::resize(&path)),
        Act::Touch => Saw::tried(files::touch(&path)),
        Act::Unlink => Saw::tried(files::unlink(&path)),
        Act::MakeDirectory => Saw::tried(files::make_directory(&path)),
        Act::RemoveDirectory => Saw::tried(files::remove_directory(&path)),
        Act::Tcp => Saw::tried(network::tcp(&text)),
        Act::Listen => Saw::tried(network::listen(&text)),
        Act::Udp => Saw::tried(network::udp(&text)),
        Act::Lookup => Saw::tried(network::lookup(&text)),
    };
    Ok(raw(serde_json::to_string(&seen).ok()))
}

fn raw(structured: Option<String>) -> Output {
    Output { structured, content: Vec::new() }
}

fn with(content: Vec<Block>) -> Output {
    Output { structured: Some("{\"saw\":[]}".into()), content }
}

fn failure(code: ErrorCode, message: String) -> PackError {
    PackError { code, message, fix: None, pointer: None, retry_after_ms: None }
}

bindings::export!(Misbehave with_types_in bindings);

#[unsafe(no_mangle)]
extern "C" fn packhost_describe() -> u64 {
    let pack = Pack {
        name: "misbehave",
        version: env!("CARGO_PKG_VERSION"),
        title: "Misbehave",
        description: "Does what a host must bear. For tests.",
        effects: Effects::default(),
        wants: Wants::default(),
        examples: vec![serde_json::json!({ "do": "echo", "text": "hello" })],
    };
    describe(pack, |_: Input| Ok(Saw::default()))
}
