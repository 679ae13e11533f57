//! A record as one line for people.

use std::fmt::Write as _;

use anstyle::Style;
use packhost_audit::{Act, ActOutcome, Call, CredentialUse, Entry, Event, Outcome, Session};
use serde_json::Value;

use crate::output::{BAD, BOLD, DIM, GOOD, NOTE};

/// How much of a record is shown that is none of those, in characters.
const BODY: usize = 160;

/// Number, time, kind, and what it says in words.
pub(super) fn of(entry: &Entry) -> String {
    let (n, time, kind) = (entry.position().n, entry.time().to_string(), tame(entry.kind()));
    // Its micro-seconds are of use to programs.
    let time = time.split_once('.').map_or(time.as_str(), |(seconds, _)| seconds);
    let what = match entry.event() {
        Some(Event::Call(call)) => of_call(&call),
        Some(Event::Credential(usage)) => of_credential(&usage),
        Some(Event::Act(act)) => of_act(&act),
        Some(Event::Session(session)) => of_session(&session),
        None => format!("{DIM}{}{DIM:#}", tame(&of_the_log(entry))),
    };
    format!("{DIM}{n:>6}  {time}Z{DIM:#}  {kind:10}  {what}")
}

/// A record of the log itself, or of a newer host.
fn of_the_log(entry: &Entry) -> String {
    let body: Value = entry.body().unwrap_or_default();
    let number = |pointer| body.pointer(pointer).and_then(Value::as_u64);
    let key = body.pointer("/checkpoint/key_id").and_then(Value::as_str);
    match (entry.kind(), number("/segment"), number("/checkpoint/n"), key) {
        ("segment", Some(segment), ..) => format!("file {segment} begins"),
        ("checkpoint", _, Some(n), Some(key)) => format!("up to record {n}, signed with {key}"),
        _ => entry.body_json().chars().take(BODY).collect(),
    }
}

fn of_call(call: &Call) -> String {
    let style = match call.outcome {
        Outcome::Ok => GOOD,
        Outcome::Asks => NOTE,
        _ => BAD,
    };
    let (outcome, caller) = (tame(call.outcome.as_str()), tame(&call.caller));
    let pack = tame(call.pack.as_deref().unwrap_or(&call.tool));
    let milliseconds = call.total_us.div_ceil(1_000);
    let mut line = format!("{style}{outcome}{style:#} {BOLD}{pack}{BOLD:#} for {caller}, {milliseconds} ms");
    let mut add = |count: usize, one: &str, many: &str| match count {
        0 => {}
        1 => line.push_str(&format!(", 1 {one}")),
        count => line.push_str(&format!(", {count} {many}")),
    };
    add(usize::try_from(call.requests).unwrap_or(usize::MAX), "request", "requests");
    add(call.denied.len(), "request without a rule", "requests without a rule");
    add(call.mends.len(), "mend", "mends");
    add(call.artifacts.len(), "artifact", "artifacts");
    for used in &call.credentials {
        let _ = write!(line, ", {} to {}", tame(&used.name), tame(&used.host));
    }
    if let Some(session) = &call.session {
        let _ = write!(line, ", in {}", tame(&session.id));
    }
    let _ = write!(line, "  {DIM}run {}{DIM:#}", tame(&call.run));
    line
}

fn of_credential(usage: &CredentialUse) -> String {
    let CredentialUse { version, port, signs, .. } = usage;
    let [name, pack, caller, host, place, run] =
        [&usage.credential, &usage.pack, &usage.caller, &usage.host, &usage.place, &usage.run]
            .map(|text| tame(text));
    let how = signs.as_deref().map_or(String::new(), |signs| format!(", signs ({})", tame(signs)));
    format!(
        "{BOLD}{name}{BOLD:#} version {version} to {host}:{port}, {place}{how}, by {pack} for {caller}  {DIM}run {run}{DIM:#}"
    )
}

fn of_act(act: &Act) -> String {
    let style = match act.outcome {
        ActOutcome::Done => GOOD,
        ActOutcome::Begun => DIM,
        _ => BAD,
    };
    let [verb, subject, actor, outcome] =
        [&act.verb, &act.subject, &act.actor, &act.outcome.to_string()].map(|text| tame(text));
    let mut line = format!("{style}{outcome}{style:#} {BOLD}{verb}{BOLD:#} {subject} by {actor}");
    for (key, value) in &act.details {
        let _ = write!(line, "{DIM}, {} {}{DIM:#}", tame(key), tame(value));
    }
    line
}

fn of_session(session: &Session) -> String {
    let [event, id, backend, owner, reason] =
        [session.event.as_str(), &session.id, &session.backend, &session.owner, &session.reason].map(tame);
    let why = if reason.is_empty() { reason } else { format!(": {reason}") };
    format!("{event} {BOLD}{id}{BOLD:#} of {owner}, {backend}{why}")
}

/// Without what a terminal would obey, or show in another place: what was named by others may have both.
pub(super) fn tame(text: &str) -> String {
    let mut tame = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            tame.extend(c.escape_default());
        } else {
            tame.push(c);
        }
    }
    tame
}

/// A style for what was found to be wrong, or not.
pub(super) fn verdict(good: bool) -> Style {
    if good { GOOD } else { BAD }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn plain(line: &str) -> String {
        anstream::adapter::strip_str(line).to_string()
    }

    #[test]
    fn an_act_says_who_did_what_to_what() {
        let act = Act {
            actor: "ada".into(),
            verb: "tokens.create".into(),
            subject: "ci".into(),
            details: BTreeMap::from([("scopes".into(), "packs:*".into())]),
            outcome: ActOutcome::Failed("file_failed".into()),
        };
        assert_eq!(plain(&of_act(&act)), "failed: file_failed tokens.create ci by ada, scopes packs:*");
    }

    #[test]
    fn a_call_says_what_it_reached() {
        let call = Call {
            run: "0195".into(),
            caller: "local".into(),
            pack: Some("web.scrape".into()),
            requests: 2,
            total_us: 1_001,
            ..Call::default()
        };
        assert_eq!(plain(&of_call(&call)), "ok web.scrape for local, 2 ms, 2 requests  run 0195");
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(tame("a\u{1b}[2J\u{202e}b\u{9b}é"), "a\\u{1b}[2J\\u{202e}b\\u{9b}é");
    }
}
