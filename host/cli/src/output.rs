//! What people and programs see: text with colours on a terminal, or JSON.

use std::fmt;
use std::io::{ErrorKind, IsTerminal, Write};
use std::pin::pin;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use packhost_core::Failure;
use packhost_manifest::Diagnostics;
use serde::Serialize;
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use crate::args::Global;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const NOTE: Style = AnsiColor::Yellow.on_default();

/// A line on stdout, which may be a file on a full disk. See [`answer_line`].
macro_rules! say {
    () => { $crate::output::answer_line(format_args!("")) };
    ($($words:tt)*) => { $crate::output::answer_line(format_args!($($words)*)) };
}

/// A line on stderr. That it cannot be written changes nothing else.
macro_rules! tell {
    ($($words:tt)*) => { $crate::output::other_line(format_args!($($words)*)) };
}

pub(crate) use {say as println, tell as eprintln};

/// Writes a line of an answer. That nobody reads any more is no error; where it cannot be written, what was asked for did not
/// arrive, and the process ends with 1 and the reason.
pub(crate) fn answer_line(words: fmt::Arguments<'_>) {
    if let Err(error) = writeln!(anstream::stdout(), "{words}")
        && error.kind() != ErrorKind::BrokenPipe
    {
        eprintln!("{BAD}error{BAD:#}: stdout: {error}");
        std::process::exit(1);
    }
}

/// Writes a line that is no answer.
pub(crate) fn other_line(words: fmt::Arguments<'_>) {
    // There is nowhere else to say it.
    let _ = writeln!(anstream::stderr(), "{words}");
}

/// How long work may take before a person is shown that it goes on.
const PATIENCE: Duration = Duration::from_secs(1);

/// Text for people or JSON for programs. Answers go to stdout, everything else to stderr; JSON goes to stdout as one
/// document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    stdout: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, stdout: true }
    }

    /// For a verb whose stdout belongs to somebody else.
    pub(crate) fn to_stderr(json: bool) -> Self {
        Self { json, stdout: false }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// One JSON document, or what `text` prints.
    pub(crate) fn answer<T: Serialize>(self, value: &T, text: impl FnOnce()) {
        if !self.json {
            text();
            return;
        }
        match serde_json::to_value(value) {
            Ok(value) => self.document(&value),
            Err(error) => self.error("command_failed", &format!("the answer is not JSON: {error}")),
        }
    }

    pub(crate) fn error(self, code: &str, sentence: &str) {
        if self.json {
            self.document(&json!({ "error": { "code": code, "message": sentence } }));
        } else {
            eprintln!("{BAD}error{BAD:#}: {sentence}");
        }
    }

    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            self.document(&json!({ "error": failure.to_json() }));
            return;
        }
        eprintln!("{BAD}{}{BAD:#}: {}", failure.code, failure.message);
        if let Some(fix) = &failure.advice.fix {
            eprintln!("  {fix}");
        }
        if let Some(example) = &failure.advice.example {
            eprintln!("  for example: {example}");
        }
    }

    pub(crate) fn diagnostics(self, code: &str, diagnostics: &Diagnostics) {
        if self.json {
            let message = "the manifest has errors";
            self.document(
                &json!({ "error": { "code": code, "message": message, "diagnostics": diagnostics } }),
            );
        } else {
            eprintln!("{diagnostics}");
        }
    }

    fn document(self, value: &Value) {
        if self.stdout {
            println!("{value:#}");
        } else {
            eprintln!("{value}");
        }
    }

    /// What shows that work goes on: a spinner on a terminal, silence elsewhere. Nothing is drawn before the work has
    /// taken a second.
    pub(crate) fn progress(self, what: &'static str) -> Work {
        let shown = !self.json && std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_message(what);
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        Work { bar, shown }
    }
}

/// Work that may take long.
#[derive(Clone)]
pub(crate) struct Work {
    bar: ProgressBar,
    shown: bool,
}

impl Work {
    /// What is being done now.
    pub(crate) fn say(&self, what: String) {
        self.bar.set_message(what);
    }

    /// Waits for the work.
    pub(crate) async fn watch<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if let Ok(done) = tokio::time::timeout(PATIENCE, &mut work).await {
            return done;
        }
        let _drawn = self.shown.then(|| Drawn::start(&self.bar));
        work.await
    }
}

/// A spinner that is on the terminal, until the work is done or dropped.
struct Drawn<'a>(&'a ProgressBar);

impl<'a> Drawn<'a> {
    fn start(bar: &'a ProgressBar) -> Self {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }
}

impl Drop for Drawn<'_> {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        self.0.set_draw_target(ProgressDrawTarget::hidden());
    }
}

/// Logs go to stderr, never to stdout, which may be a protocol stream. Who serves others shows each call unless told
/// otherwise.
pub(crate) fn log_to_stderr(global: &Global, calls: &str) {
    // hickory quotes name servers; what matters of it, and of broken connections to sandboxes, the host says itself.
    let usual = format!("warn,rmcp=error,hickory=off,rustls=error,yamux=off,packhost::call={calls}");
    // The command line takes only filters that can be read.
    let filter = EnvFilter::new(global.log.as_deref().unwrap_or(&usual));
    let colours = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    if global.json { builder.json().init() } else { builder.init() }
}
