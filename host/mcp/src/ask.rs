//! Questions to the agent's user or model, in both eras: as a request to the client while the call waits
//! (`elicitation/create`, `sampling/createMessage`), or by ending the call with `input_required`, which the client
//! answers by calling again (specification 2026-07-28, "Multi Round-Trip Requests").

#![expect(deprecated, reason = "rmcp marks what the newest protocol version deprecates")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use packhost_engine::{Asked, Question, Reply};
use rmcp::model::{
    ClientCapabilities, ClientResult, CreateMessageRequest, CreateMessageRequestParams, CreateMessageResult,
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationCapability,
    ElicitationSchema, Extensions, FormElicitationCapability, InputRequest, InputResponses, RequestId,
    SamplingCapability, SamplingMessage, SamplingMessageContentBlock, ServerRequest,
};
use rmcp::service::OriginatingRequestId;
use rmcp::{ErrorData, Peer, RoleServer};
use serde_json::{Value, json};

/// How one call can ask.
pub(crate) enum Asks {
    /// Not at all.
    #[cfg(test)]
    Nobody,
    /// By a request to the client while the call waits.
    Now {
        peer: Peer<RoleServer>,
        /// The call that asks; the question travels on its stream.
        call: RequestId,
        /// What the call says that its client is able to; otherwise it is what the client said when it connected.
        stated: Option<ClientCapabilities>,
    },
    /// By ending the call; these are the answers so far, by the question's id.
    Again { answers: InputResponses, capabilities: ClientCapabilities, missing: Missing },
}

/// What a call needed its client to be able to, and the client is not.
#[derive(Clone, Default)]
pub(crate) struct Missing(Arc<Mutex<ClientCapabilities>>);

impl Missing {
    fn note(&self, asked: &Asked) {
        let mut missing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Asked::User { .. } => {
                let forms = ElicitationCapability::new().with_form(FormElicitationCapability::new());
                missing.elicitation = Some(forms);
            }
            Asked::Model { .. } => missing.sampling = Some(SamplingCapability::default()),
        }
    }

    /// The protocol's error for a call that failed for want of it; nothing where nothing was missing.
    pub(crate) fn error(&self, message: String) -> Option<ErrorData> {
        let missing = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if missing == ClientCapabilities::default() {
            return None;
        }
        Some(ErrorData { message: message.into(), ..ErrorData::missing_required_client_capability(missing) })
    }
}

impl Asks {
    pub(crate) async fn ask(&self, question: Question) -> Reply {
        match self {
            #[cfg(test)]
            Self::Nobody => Reply::Unsupported,
            Self::Now { peer, call, stated } => {
                let told = || peer.peer_info().map(|client| client.capabilities.clone());
                let capabilities = stated.clone().or_else(told).unwrap_or_default();
                match pose(&question, &capabilities) {
                    Ok(request) => put(peer, call, request, &question).await,
                    Err(reply) => reply,
                }
            }
            Self::Again { answers, capabilities, missing } => match answers.get(&question.id) {
                Some(answer) => reply(&question.body, answer),
                None => {
                    let asked = pose(&question, capabilities).map_or_else(|reply| reply, |_| Reply::Suspend);
                    if asked == Reply::Unsupported {
                        missing.note(&question.body);
                    }
                    asked
                }
            },
        }
    }
}

/// The question as the client is asked it, by its id.
pub(crate) fn required(
    question: &Question,
    capabilities: &ClientCapabilities,
) -> BTreeMap<String, InputRequest> {
    pose(question, capabilities).into_iter().map(|request| (question.id.clone(), request)).collect()
}

/// The request that asks the question, or the reply where it cannot be asked.
fn pose(question: &Question, capabilities: &ClientCapabilities) -> Result<InputRequest, Reply> {
    match &question.body {
        Asked::User { message, schema } => {
            // Without a mode a client means forms (specification 2025-11-25, "Elicitation: Capabilities").
            let forms =
                capabilities.elicitation.as_ref().is_some_and(|e| e.form.is_some() || e.url.is_none());
            if !forms {
                return Err(Reply::Unsupported);
            }
            let schema = schema.as_object().cloned().ok_or(Reply::Failed)?;
            let requested_schema = ElicitationSchema::from_json_schema(schema).map_err(|_| Reply::Failed)?;
            let message = message.clone();
            let form = ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema };
            Ok(InputRequest::Elicitation(ElicitRequest::new(form)))
        }
        Asked::Model { text, max_tokens } => {
            if capabilities.sampling.is_none() {
                return Err(Reply::Unsupported);
            }
            let messages = vec![SamplingMessage::user_text(text.clone())];
            let params = CreateMessageRequestParams::new(messages, *max_tokens);
            Ok(InputRequest::CreateMessage(CreateMessageRequest::new(params)))
        }
    }
}

async fn put(peer: &Peer<RoleServer>, call: &RequestId, request: InputRequest, question: &Question) -> Reply {
    // The engine asks from a thread of its own, where rmcp cannot know which call it is about.
    let mut about = Extensions::new();
    about.insert(OriginatingRequestId(call.clone()));
    let request = match request {
        InputRequest::Elicitation(mut request) => {
            request.extensions = about;
            ServerRequest::ElicitRequest(request)
        }
        InputRequest::CreateMessage(mut request) => {
            request.extensions = about;
            ServerRequest::CreateMessageRequest(request)
        }
        _ => return Reply::Unsupported,
    };
    match peer.send_request(request).await {
        Ok(ClientResult::ElicitResult(result)) if matches!(question.body, Asked::User { .. }) => {
            elicited(result)
        }
        Ok(ClientResult::CreateMessageResult(result)) if matches!(question.body, Asked::Model { .. }) => {
            sampled(*result)
        }
        Ok(_) => Reply::Failed,
        Err(error) => {
            tracing::debug!(%error, "a question was not answered");
            Reply::Failed
        }
    }
}

fn reply(asked: &Asked, answer: &Value) -> Reply {
    let answer = answer.clone();
    match asked {
        Asked::User { .. } => serde_json::from_value::<ElicitResult>(answer).map_or(Reply::Failed, elicited),
        Asked::Model { .. } => {
            serde_json::from_value::<CreateMessageResult>(answer).map_or(Reply::Failed, sampled)
        }
    }
}

fn elicited(result: ElicitResult) -> Reply {
    match result.action {
        ElicitationAction::Accept => match result.content.unwrap_or_else(|| json!({})) {
            content @ Value::Object(_) => Reply::Accepted(content),
            _ => Reply::Failed,
        },
        ElicitationAction::Decline => Reply::Declined,
        ElicitationAction::Cancel => Reply::Cancelled,
        _ => Reply::Failed,
    }
}

fn sampled(result: CreateMessageResult) -> Reply {
    let blocks = result.message.content.into_vec();
    let texts: Vec<_> =
        blocks.iter().filter_map(SamplingMessageContentBlock::as_text).map(|t| &*t.text).collect();
    if texts.is_empty() { Reply::Failed } else { Reply::Text(texts.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> Question {
        let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]});
        Question { id: "q".into(), body: Asked::User { message: "Sure?".into(), schema } }
    }

    fn model() -> Question {
        Question { id: "m".into(), body: Asked::Model { text: "Capital of France?".into(), max_tokens: 10 } }
    }

    fn capabilities(json: Value) -> ClientCapabilities {
        serde_json::from_value(json).expect("capabilities")
    }

    fn both() -> ClientCapabilities {
        capabilities(json!({"elicitation": {}, "sampling": {}}))
    }

    async fn ask(question: Question, answers: Value, capabilities: ClientCapabilities) -> Reply {
        let answers = serde_json::from_value(answers).expect("answers by id");
        Asks::Again { answers, capabilities, missing: Missing::default() }.ask(question).await
    }

    #[tokio::test]
    async fn the_first_asking_ends_the_call_and_the_second_has_the_answer() {
        assert_eq!(ask(user(), json!({}), both()).await, Reply::Suspend);
        let answered = |answer| ask(user(), json!({"q": answer}), both());
        let yes = json!({"action": "accept", "content": {"ok": true}});
        assert_eq!(answered(yes).await, Reply::Accepted(json!({"ok": true})));
        assert_eq!(answered(json!({"action": "decline"})).await, Reply::Declined);
        assert_eq!(answered(json!({"action": "cancel"})).await, Reply::Cancelled);
        for bad in [json!(7), json!({}), json!({"action": "accept", "content": [1]})] {
            assert_eq!(answered(bad).await, Reply::Failed);
        }
        let said = json!({"role": "assistant", "model": "x", "content": {"type": "text", "text": "Paris"}});
        assert_eq!(ask(model(), json!({"m": said}), both()).await, Reply::Text("Paris".into()));
        assert_eq!(ask(model(), json!({"m": {"action": "accept"}}), both()).await, Reply::Failed);
    }

    #[tokio::test]
    async fn a_client_is_asked_only_what_it_says_it_can_answer() {
        let none = || capabilities(json!({}));
        assert_eq!(ask(user(), json!({}), none()).await, Reply::Unsupported);
        assert_eq!(ask(model(), json!({}), none()).await, Reply::Unsupported);
        let only_urls = capabilities(json!({"elicitation": {"url": {}}}));
        assert_eq!(ask(user(), json!({}), only_urls).await, Reply::Unsupported);
        let body = Asked::User { message: "?".into(), schema: json!({"type": "array"}) };
        assert_eq!(ask(Question { id: "q".into(), body }, json!({}), both()).await, Reply::Failed);
    }

    #[tokio::test]
    async fn what_the_client_lacks_is_named_in_the_error() {
        let missing = Missing::default();
        let of = |capabilities| Asks::Again {
            answers: InputResponses::new(),
            capabilities,
            missing: missing.clone(),
        };
        assert_eq!(of(both()).ask(user()).await, Reply::Suspend);
        assert_eq!(missing.error("no".into()), None);
        assert_eq!(of(capabilities(json!({"elicitation": {}}))).ask(model()).await, Reply::Unsupported);
        let error = missing.error("It needs a model.".into()).expect("sampling was missing");
        assert_eq!((error.code.0, &*error.message), (-32021, "It needs a model."));
        assert_eq!(error.data, Some(json!({"requiredCapabilities": {"sampling": {}}})));
    }

    #[test]
    fn questions_look_as_the_protocol_has_them() {
        let wire = |question| serde_json::to_value(required(&question, &both())).expect("requests are JSON");
        let asked = &wire(user())["q"];
        assert_eq!(asked["method"], "elicitation/create");
        assert_eq!(asked["params"]["message"], "Sure?");
        assert_eq!(asked["params"]["requestedSchema"]["properties"]["ok"]["type"], "boolean");
        let asked = &wire(model())["m"];
        assert_eq!(asked["method"], "sampling/createMessage");
        assert_eq!(asked["params"]["maxTokens"], 10);
    }
}
