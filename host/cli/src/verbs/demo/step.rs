//! One call of the demo, and how it is shown.

use std::time::Duration;

use packhost_manifest::{Entry, Manifest};
use rmcp::model::CallToolResult;
use serde_json::{Value, json};

use super::rules::FILE;
use crate::dirs::Dirs;
use crate::output::{BOLD, DIM, GOOD, NOTE, println};

/// A call to make.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) pack: &'static str,
    pub(super) tool: &'static str,
    pub(super) input: Value,
    /// The input as it is shown.
    pub(super) shown: String,
}

/// A call that was made; without an answer where there is no such tool here.
pub(super) struct Step {
    asked: Asked,
    answer: Option<Answered>,
}

/// What came back.
struct Answered {
    took: Duration,
    failed: bool,
    text: String,
    structured: Value,
    mends: Vec<String>,
    usage: Value,
}

impl Step {
    pub(super) fn not_served(asked: Asked) -> Self {
        Self { asked, answer: None }
    }

    pub(super) fn answered(asked: Asked, took: Duration, result: &CallToolResult) -> Self {
        let meta =
            |key: &str| result.meta.as_ref().and_then(|meta| meta.get(key)).cloned().unwrap_or_default();
        let mends = meta("packhost/mends");
        let text = result.content.first().and_then(|block| block.as_text());
        let answer = Answered {
            took,
            failed: result.is_error == Some(true),
            text: text.map(|text| text.text.clone()).unwrap_or_default(),
            structured: result.structured_content.clone().unwrap_or_default(),
            mends: mends.as_array().into_iter().flatten().map(mended).collect(),
            usage: meta("packhost/usage"),
        };
        Self { asked, answer: Some(answer) }
    }

    pub(super) fn print(&self, manifest: &Manifest, dirs: &Dirs) {
        let Asked { tool, shown, .. } = &self.asked;
        let Some(answer) = &self.answer else {
            println!("\n  → tools/call {BOLD}{tool}{BOLD:#}  {shown}  {NOTE}not served here{NOTE:#}");
            return;
        };
        println!("\n  → tools/call {BOLD}{tool}{BOLD:#}  {shown}  {}", answer.verdict());
        for mend in &answer.mends {
            println!("    {mend}. Small models do this; the call went through and says so.");
        }
        if answer.failed {
            answer.text.lines().for_each(|line| println!("    {line}"));
            return;
        }
        println!("    {}", summary(tool, &answer.structured));
        let entry = manifest.entries().find(|entry| entry.pack.as_str() == self.asked.pack);
        if let Some(entry) = entry {
            println!("    {DIM}{}{DIM:#}", used(entry, &answer.usage, &self.asked.input, dirs));
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let Asked { tool, input, .. } = &self.asked;
        let Some(answer) = &self.answer else {
            return json!({ "tool": tool, "input": input, "served": false });
        };
        json!({
            "tool": tool, "input": input, "served": true, "ms": millis(answer.took), "is_error": answer.failed,
            "text": answer.text, "mends": answer.mends, "structured": answer.structured, "usage": answer.usage,
        })
    }
}

impl Answered {
    fn verdict(&self) -> String {
        match (self.failed, self.mends.is_empty()) {
            (true, _) if self.text.contains("_denied:") => format!("{NOTE}denied{NOTE:#}"),
            (true, _) => format!("{NOTE}refused{NOTE:#}"),
            (false, false) => format!("{GOOD}mended{GOOD:#}"),
            (false, true) => format!("{GOOD}{:.1} ms{GOOD:#}", millis(self.took)),
        }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A mend in words; they come as data.
fn mended(mend: &Value) -> String {
    let name = mend["pointer"].as_str().unwrap_or_default().trim_start_matches('/');
    let was = match &mend["from"] {
        Value::Number(_) => "a number",
        Value::Bool(_) => "true or false",
        _ => "something else",
    };
    format!("\"{name}\" was {was}; read as {}", mend["to"])
}

/// One line of what came back.
fn summary(tool: &str, answer: &Value) -> String {
    match tool {
        "text_stats" => {
            let (words, lines) = (&answer["words"], &answer["lines"]);
            format!("words {words} · lines {lines} · characters {}", answer["characters"])
        }
        "web_scrape" => {
            let markdown = answer["markdown"].as_str().map_or(0, |text| text.chars().count());
            format!("title {} · {markdown} characters of Markdown", answer["title"])
        }
        _ => answer.to_string(),
    }
}

/// What the call used of what it may use, and the line that let its requests out.
fn used(entry: &Entry, usage: &Value, input: &Value, dirs: &Dirs) -> String {
    let number = |key: &str| usage[key].as_u64().unwrap_or_default();
    let (memory, time) = (entry.limits.memory, entry.limits.time);
    let ran = Duration::from_micros(number("ran_us"));
    let mut line = format!(
        "fresh instance, {} of {}, {} of {}",
        size(number("memory")),
        size(memory),
        duration(ran),
        duration(time)
    );
    let requests = number("requests");
    if requests > 0 {
        line.push_str(&format!(" · {requests} request{}", if requests == 1 { "" } else { "s" }));
        // With one rule there is one that can have let them out.
        if let [rule] = entry.narrow(input, &dirs.vars()).http.rules() {
            let own = if &*rule.place.file == FILE { ", written for this demo" } else { "" };
            line.push_str(&format!(", allowed by {}{own}", rule.place));
        }
    }
    line
}

fn size(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if bytes.is_multiple_of(1 << 20) { format!("{mib:.0} MiB") } else { format!("{mib:.1} MiB") }
}

fn duration(time: Duration) -> String {
    if time.subsec_nanos() == 0 { format!("{} s", time.as_secs()) } else { format!("{:.2} ms", millis(time)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mend_is_said_as_people_say_it() {
        let mend = json!({"pointer": "/text", "kind": "to_string", "from": 5, "to": "5"});
        assert_eq!(mended(&mend), "\"text\" was a number; read as \"5\"");
    }

    #[test]
    fn sizes_and_times_are_as_people_write_them() {
        assert_eq!(size(64 << 20), "64 MiB");
        assert_eq!(size((1 << 20) + (1 << 17)), "1.1 MiB");
        assert_eq!(duration(Duration::from_secs(10)), "10 s");
        assert_eq!(duration(Duration::from_micros(30)), "0.03 ms");
    }
}
