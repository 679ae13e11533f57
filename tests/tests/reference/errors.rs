//! `errors.md`, from the closed set of errors.

use packhost_core::{ErrorCode, Failure};
use serde_json::json;

use crate::{MADE, head, is, row};

const INTRO: &str = "\
A call that does not succeed ends with one code of a closed set, whichever way it came in. The exit code is that of
`packhost call`. The HTTP status is for interfaces that speak plain HTTP; MCP over HTTP answers 200, with the error inside.
";

const FIELDS: [(&str, &str); 10] = [
    ("code", "the code"),
    ("message", "a sentence or two for the agent; never a secret, a path of the host or a backtrace"),
    ("retry", "whether the same call may succeed later without any change to it"),
    ("retry_after_ms", "after how many milliseconds, where that is known"),
    ("pointer", "where in the input, as a JSON pointer (RFC 6901)"),
    ("expected", "what was expected there"),
    ("got", "what was found there"),
    ("example", "an input that is valid as it stands"),
    ("fix", "what to do, in a sentence"),
    ("details", "the pack's own error as data, where it has one"),
];

const WHERE: &str = "\
- **MCP**: a result with `isError`. Its text is the code, the message, what to do, and the example where there is one; the
  whole error is in `_meta` under `packhost/error`. A tool that is not there is an error of the protocol (`-32602`), with the
  error in its `data`.
- **Command line**: the message on stderr and the exit code; with `--json` the error is `error` in the document on stdout.
- **HTTP**: a request without a token that is known is answered 401 before there is a call.
- **Log**: the code is the `outcome` of the call's record. The cause is in the log alone.
";

fn what_to_do(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidInput => {
            "Change the input where `pointer` says. `example`, where there is one, works as it stands."
        }
        ErrorCode::InvalidOutput => "Tell the operator: the pack is at fault.",
        ErrorCode::SchemaMismatch => {
            "Tell the operator: the pack was built for another host. The log says what does not fit."
        }
        ErrorCode::NotFound => {
            "Use a name from the list of tools; or, where the pack says it, name something that is there."
        }
        ErrorCode::CapabilityDenied => {
            "Ask the operator: no tool can change the manifest. `packhost policy explain PACK` says what is granted."
        }
        ErrorCode::EgressDenied => {
            "Ask the operator for a rule that allows the request. Some addresses no rule can allow."
        }
        ErrorCode::AuthFailed => "Send what the other side wants to know, such as a header with a key.",
        ErrorCode::RateLimited => "Wait, then make the same call again.",
        ErrorCode::ResourceExhausted => {
            "Ask for less in one call, or send less. The operator can raise the limit that the message names."
        }
        ErrorCode::SessionUnavailable => {
            "Make the call again, if its sandbox ended; tell the operator if none could be had: the message says why."
        }
        ErrorCode::Timeout => "Ask for less in one call. The operator can raise the limit `time`.",
        ErrorCode::Cancelled => "Make the call again if its answer is still wanted.",
        ErrorCode::HandlerFailed => {
            "Read the message: it is the pack's own. Tell the operator if the pack crashed."
        }
        ErrorCode::Internal => "Tell the operator: the log has the cause, under the id of the call.",
        ErrorCode::CredentialDenied => {
            "Write the placeholder where `fix` says; or ask the operator, who grants and binds credentials."
        }
        ErrorCode::CredentialInvalid => {
            "Tell the operator: the message says which credential it is, and what is the matter with it."
        }
        ErrorCode::ArtifactFailed => {
            "Make the call again; tell the operator if that fails too: the log has the cause."
        }
    }
}

/// A failure with everything that one of its kind says.
fn example() -> Failure {
    let message = "Wrong value at /text: expected text, got a list.";
    let mut failure = Failure::new(ErrorCode::InvalidInput, message);
    failure.advice.pointer = Some("/text".into());
    failure.advice.expected = Some("text".into());
    failure.advice.got = Some("a list".into());
    failure.advice.example = Some(json!({ "text": "To be, or not to be." }));
    failure.fix("Set /text to text. The example is a valid input.")
}

fn page() -> String {
    let mut page = format!("# Errors\n\n{MADE}\n\n{INTRO}\n");
    page += &head(&["code", "exit code", "HTTP status", "can a retry help", "meaning"]);
    for code in ErrorCode::ALL {
        let retry = if code.retry_can_help() { "yes" } else { "no" };
        let (exit, status) = (code.exit().to_string(), code.http_status().to_string());
        page += &row(&[&format!("`{code}`"), &exit, &status, retry, code.meaning()]);
    }
    page += "\n## What to do\n\n";
    page += &head(&["code", "what to do"]);
    for code in ErrorCode::ALL {
        page += &row(&[&format!("`{code}`"), what_to_do(*code)]);
    }
    page += "\n## What an error says\n\n";
    page += &head(&["field", ""]);
    for (field, meaning) in FIELDS {
        page += &row(&[&format!("`{field}`"), meaning]);
    }
    page += "\nAll but the first three are left out where there is nothing to say. For example:\n\n";
    page += &format!("```json\n{:#}\n```\n\n## Where it is\n\n{WHERE}", example().to_json());
    page
}

#[test]
fn the_error_reference_is_what_the_code_says() {
    is("errors.md", &page());
}

#[test]
fn the_fields_are_those_of_an_error() {
    let known: Vec<&str> = FIELDS.iter().map(|(field, _)| *field).collect();
    let mut failure = example().retry_after(std::time::Duration::from_secs(1));
    failure.advice.details = Some(json!({}));
    let said = failure.to_json();
    assert_eq!(said.as_object().map(|fields| fields.len()), Some(known.len()), "{said}");
    assert!(known.iter().all(|field| said.get(field).is_some()), "{said}");
}
