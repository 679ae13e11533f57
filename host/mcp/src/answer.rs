//! What came of a call, as a tool result.

use packhost_core::Failure;
use packhost_engine::{Answer, Outcome};
use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use serde_json::{Value, json};

use crate::blocks::on_the_wire;
use crate::meta;

/// What a result says of the call in `_meta`.
pub(crate) fn about(outcome: &Outcome) -> MetaObject {
    let mut about = MetaObject::new();
    about.insert(meta::RUN.into(), outcome.run.to_string().into());
    about.insert(meta::REVISION.into(), outcome.revision.as_str().into());
    about.insert(meta::MENDS.into(), json!(outcome.mends));
    about.insert(meta::USAGE.into(), json!(outcome.usage));
    if let Some(session) = &outcome.session {
        about.insert(meta::SESSION.into(), json!(session));
    }
    about
}

/// A result of a pack that answered. Clients that read only text get the data as text.
pub(crate) fn answered(answer: Answer, about: MetaObject) -> CallToolResult {
    let mut content: Vec<_> = answer.content.into_iter().map(on_the_wire).collect();
    if content.is_empty()
        && let Some(structured) = &answer.structured
    {
        content.push(ContentBlock::text(structured.to_string()));
    }
    let mut result = CallToolResult::success(content).with_meta(Some(about));
    result.structured_content = answer.structured;
    result
}

/// A result that says why there is no answer: as text for the model, as data for programs.
///
/// The data is always in `_meta`. It is `structuredContent` too, unless the tool has an output schema: clients hold
/// `structuredContent` against that schema even where `isError` is set, and would show the model their own
/// complaint instead of ours.
pub(crate) fn failed(failure: &Failure, has_output_schema: bool, mut about: MetaObject) -> CallToolResult {
    let error = failure.to_json();
    about.insert(meta::ERROR.into(), error.clone());
    let mut result =
        CallToolResult::error(vec![ContentBlock::text(sentence(failure))]).with_meta(Some(about));
    if !has_output_schema {
        result.structured_content = Some(json!({ "error": error }));
    }
    result
}

/// `code: message fix`, and an input that works where there is one: the model sees no more than this.
fn sentence(failure: &Failure) -> String {
    match &failure.advice.example {
        Some(example) => format!("{failure}\nThis input is valid: {}", Value::to_string(example)),
        None => failure.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use packhost_core::{ErrorCode, RunId};
    use packhost_engine::{Block, Usage};

    use super::*;

    fn wire(result: &CallToolResult) -> Value {
        serde_json::to_value(result).expect("a tool result is JSON")
    }

    #[test]
    fn every_code_reaches_the_model_as_text_and_programs_as_data() {
        for &code in ErrorCode::ALL {
            let failure = Failure::new(code, "It broke.").fix("Mend it.").cause("at /etc/secret");
            let wire = wire(&failed(&failure, false, MetaObject::new()));
            assert_eq!(wire["isError"], true);
            assert_eq!(
                wire["content"],
                json!([{"type": "text", "text": format!("{code}: It broke. Mend it.")}])
            );
            assert_eq!(wire["structuredContent"]["error"]["code"], code.as_str());
            assert_eq!(wire["_meta"][meta::ERROR], wire["structuredContent"]["error"]);
            assert!(!wire.to_string().contains("secret"), "the cause of {code} is told");
        }
    }

    #[test]
    fn a_failure_never_breaks_the_output_schema_of_its_tool() {
        let failure = Failure::new(ErrorCode::Timeout, "Too long.");
        let wire = wire(&failed(&failure, true, MetaObject::new()));
        assert!(wire.get("structuredContent").is_none());
        assert_eq!(wire["_meta"][meta::ERROR]["code"], "timeout");
    }

    #[test]
    fn the_model_sees_the_corrected_input() {
        let mut failure = Failure::new(ErrorCode::InvalidInput, "\"url\" is missing.");
        failure.advice.example = Some(json!({"url": "https://example.com"}));
        let wire = wire(&failed(&failure, true, MetaObject::new()));
        let text = wire["content"][0]["text"].as_str().expect("a text block");
        assert!(text.ends_with("\nThis input is valid: {\"url\":\"https://example.com\"}"), "{text}");
    }

    #[test]
    fn data_alone_is_shown_as_text_too() {
        let answer = Answer { structured: Some(json!({"words": 2})), content: Vec::new() };
        let wire = wire(&answered(answer, MetaObject::new()));
        assert_eq!(wire["structuredContent"], json!({"words": 2}));
        assert_eq!(wire["content"], json!([{"type": "text", "text": "{\"words\":2}"}]));
        assert_eq!(wire["isError"], false);
    }

    #[test]
    fn the_packs_own_blocks_stay_as_they_are() {
        let answer = Answer { structured: Some(json!([1])), content: vec![Block::Text("one".into())] };
        let wire = wire(&answered(answer, MetaObject::new()));
        assert_eq!(wire["content"], json!([{"type": "text", "text": "one"}]));
        assert_eq!(wire["structuredContent"], json!([1]));
    }

    #[test]
    fn a_result_says_which_call_it_was() {
        let run = RunId::fresh();
        let outcome = Outcome {
            run,
            pack: None,
            result: Ok(Answer::default()),
            mends: Vec::new(),
            revision: "41".into(),
            session: None,
            artifacts: Vec::new(),
            usage: Usage::default(),
        };
        let about = about(&outcome);
        assert_eq!(about.get(meta::RUN), Some(&json!(run.to_string())));
        assert_eq!(about.get(meta::REVISION), Some(&json!("41")));
        assert_eq!(about.get(meta::MENDS), Some(&json!([])));
        assert!(about.get(meta::USAGE).is_some_and(Value::is_object));
    }
}
