//! `requestState`: what a call has been answered so far travels with the client, and cannot be changed on the way or
//! used for anything but the call that it belongs to.

use std::collections::BTreeMap;
use std::time::Duration;

use packhost_core::{Caller, Digest};
use rmcp::ErrorData;
use rmcp::model::{InputResponses, RequestStateCodec, SealOptions};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long a person may take to answer.
const VALID: Duration = Duration::from_secs(3600);

/// Seals with a key that only this process has; it is gone with the process.
pub(crate) struct Seal(RequestStateCodec);

/// What a call waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// The question that was asked last.
    pub(crate) asked: String,
    /// The answers to the earlier ones, by the question's id.
    pub(crate) answers: BTreeMap<String, Value>,
}

impl Seal {
    pub(crate) fn new() -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the kernel has random bytes for every process");
        Self(RequestStateCodec::new_unchecked(key))
    }

    /// The state as the client carries it. Signed, not secret.
    pub(crate) fn close(&self, waiting: &Waiting, call: &Binding) -> String {
        let payload = serde_json::to_vec(waiting).unwrap_or_default();
        self.0.seal_with(&payload, &SealOptions::new().associated_data(&call.0).ttl(VALID))
    }

    /// The answers of a retried call: the earlier ones out of its state, and the one to the question that was asked
    /// last out of its responses. A call without a state has none.
    ///
    /// # Errors
    /// Invalid params where the state is not ours, not for this call, or too old.
    pub(crate) fn answers(
        &self,
        state: Option<&str>,
        responses: Option<InputResponses>,
        call: &Binding,
    ) -> Result<InputResponses, ErrorData> {
        let Some(state) = state else { return Ok(InputResponses::new()) };
        let waiting: Waiting = self.0.open_json_with(state, &call.0).map_err(|error| {
            tracing::debug!(%error, "a request state was refused");
            let advice = "requestState does not belong to this call, or is too old: call again without it";
            ErrorData::invalid_params(advice, None)
        })?;
        let mut answers = waiting.answers;
        if let Some(answer) = responses.and_then(|mut responses| responses.remove(&waiting.asked)) {
            answers.insert(waiting.asked, answer);
        }
        Ok(answers)
    }
}

/// Which call a state belongs to: who calls, what, with which input.
pub(crate) struct Binding(Vec<u8>);

impl Binding {
    pub(crate) fn new(caller: &Caller, tool: &str, input: &Value) -> Self {
        let mut input = input.clone();
        // A client may send the same input with its keys in another order.
        input.sort_all_objects();
        let digest = Digest::of(input.to_string().as_bytes());
        Self(serde_json::json!([caller, tool, digest]).to_string().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::ErrorCode;
    use serde_json::json;

    use super::*;

    fn binding(caller: &str, tool: &str, input: Value) -> Binding {
        Binding::new(&Caller::token(caller), tool, &input)
    }

    fn responses(json: Value) -> Option<InputResponses> {
        Some(serde_json::from_value(json).expect("responses by id"))
    }

    #[test]
    fn answers_add_up_from_round_to_round() {
        let (seal, call) = (Seal::new(), binding("a", "t", json!({"x": 1, "y": 2})));
        let waiting = Waiting { asked: "two".into(), answers: [("one".into(), json!(1))].into() };
        let state = seal.close(&waiting, &call);
        let same_call = binding("a", "t", json!({"y": 2, "x": 1}));
        let given = responses(json!({"two": 2, "one": "changed", "three": 3}));
        let answers = seal.answers(Some(&state), given, &same_call).expect("it is ours");
        assert_eq!(json!(answers), json!({"one": 1, "two": 2}));
        assert_eq!(seal.answers(None, responses(json!({"two": 2})), &call), Ok(InputResponses::new()));
    }

    #[test]
    fn a_state_is_good_for_its_own_call_only() {
        let (seal, call) = (Seal::new(), binding("a", "t", json!({"x": 1})));
        let state = seal.close(&Waiting { asked: "q".into(), answers: BTreeMap::new() }, &call);
        assert!(seal.answers(Some(&state), None, &call).is_ok());
        for other in [
            binding("b", "t", json!({"x": 1})),
            binding("a", "u", json!({"x": 1})),
            binding("a", "t", json!({"x": 2})),
        ] {
            let refused = seal.answers(Some(&state), None, &other).expect_err("it is another call");
            assert_eq!(refused.code, ErrorCode::INVALID_PARAMS);
        }
        assert!(Seal::new().answers(Some(&state), None, &call).is_err(), "another process has another key");
        for forged in ["", "rs1..", "rs1.e30.e30", &state[..state.len() - 1], &format!("{state}A")] {
            assert!(seal.answers(Some(forged), None, &call).is_err(), "{forged:?} was taken");
        }
    }
}
