//! What people and programs see: text with colours on a terminal, or JSON.

use std::io::IsTerminal;
use std::time::Duration;

use anstream::{eprintln, println};
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use packhost_core::Failure;
use packhost_manifest::Diagnostics;
use serde::Serialize;
use serde_json::json;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const NOTE: Style = AnsiColor::Yellow.on_default();

/// Text for people or JSON for programs. Answers go to stdout, everything else to stderr.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// One JSON document, or what `text` prints.
    pub(crate) fn answer<T: Serialize>(self, value: &T, text: impl FnOnce()) {
        if self.json {
            match serde_json::to_string_pretty(value) {
                Ok(text) => println!("{text}"),
                Err(error) => self.error(&format!("the answer is not JSON: {error}")),
            }
        } else {
            text();
        }
    }

    pub(crate) fn error(self, sentence: &str) {
        if self.json {
            println!("{}", json!({ "error": { "message": sentence } }));
        } else {
            eprintln!("{BAD}error{BAD:#}: {sentence}");
        }
    }

    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            println!("{}", json!({ "error": failure.to_json() }));
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

    pub(crate) fn diagnostics(self, diagnostics: &Diagnostics) {
        if self.json {
            println!(
                "{}",
                json!({ "error": { "message": "the manifest has errors", "diagnostics": diagnostics } })
            );
        } else {
            eprintln!("{diagnostics}");
        }
    }

    /// A spinner on a terminal, once the work has taken a second; silence elsewhere.
    pub(crate) fn spinner(self, what: &'static str) -> ProgressBar {
        if self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new_spinner().with_message(what);
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// Logs go to stderr, never to stdout, which may be a protocol stream.
pub(crate) fn log_to_stderr(filter: Option<&str>, json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_new(filter.unwrap_or("warn"))
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if json { builder.json().init() } else { builder.init() }
}
