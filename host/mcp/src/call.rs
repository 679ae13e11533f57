//! `tools/call`: one call of the protocol is one call of the engine.

use std::sync::Arc;

use packhost_core::{ErrorCode, Identity, RunId};
use packhost_engine::{Call, ClientAddress, Ended, Outcome, Peer, Question, TraceParent};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CustomResult, InputRequiredResult, InputResponses, ServerResult,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::answer;
use crate::ask::{Asks, Missing, required};
use crate::client::{Feed, Reach};
use crate::seal::{Binding, Waiting};
use crate::server::{Server, is_modern};

/// A call as it was sent.
pub(crate) struct Sent {
    tool: String,
    input: Value,
    state: Option<String>,
    responses: Option<InputResponses>,
}

impl From<CallToolRequestParams> for Sent {
    fn from(params: CallToolRequestParams) -> Self {
        Self {
            tool: params.name.into_owned(),
            input: Value::Object(params.arguments.unwrap_or_default()),
            state: params.request_state,
            responses: params.input_responses,
        }
    }
}

/// Params of a call whose arguments are not an object.
#[derive(Deserialize)]
struct Loose {
    name: String,
    arguments: Value,
}

impl Server {
    pub(crate) async fn call(
        &self,
        mut sent: Sent,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let identity = self.identity(&context.extensions)?;
        let binding = is_modern(&context).then(|| Binding::new(&identity.caller, &sent.tool, &sent.input));
        let answers = match &binding {
            Some(binding) => {
                self.shared.seal.answers(sent.state.as_deref(), sent.responses.take(), binding)?
            }
            None => InputResponses::new(),
        };
        let missing = Missing::default();
        let (client, feed) = self.client(&sent.tool, &context, answers.clone(), missing.clone());
        let call = Call {
            run: RunId::fresh(),
            identity: identity.clone(),
            door: self.shared.door,
            peer: peer(&context),
            pack: sent.tool.clone(),
            input: sent.input,
            client: Arc::new(client),
        };
        let outcome = self.run(call, feed, &context.ct).await?;
        match &outcome.result {
            Err(Ended::Asks(question)) => {
                let waiting = Waiting { asked: question.id.clone(), answers };
                Ok(self.asks(question, &waiting, binding.as_ref(), &outcome, &context))
            }
            // A pack that gave up after a question that its client cannot be asked (specification 2026-07-28,
            // "Capability Negotiation"); one that can do without the answer does not come here.
            Err(Ended::Failed(failure)) if failure.code == ErrorCode::HandlerFailed => missing
                .error(failure.to_string())
                .map_or_else(|| self.ended(&sent.tool, &identity, outcome), Err),
            _ => self.ended(&sent.tool, &identity, outcome),
        }
    }

    /// A call that rmcp does not take for one, because its arguments are not an object. The engine mends an object
    /// that was sent as text, and tells whoever sent something else what an input looks like.
    pub(crate) async fn call_loosely(
        &self,
        params: Option<Value>,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let Ok(Loose { name, arguments }) = serde_json::from_value(params.unwrap_or_default()) else {
            return Err(ErrorData::invalid_params("tools/call takes a name and arguments", None));
        };
        let modern = is_modern(&context);
        let sent = Sent { tool: name, input: arguments, state: None, responses: None };
        let mut result = ServerResult::from(self.call(sent, context).await?);
        if !modern {
            result.strip_result_type_for_legacy_peer();
            result.strip_non_object_output_for_legacy_peer();
        }
        Ok(CustomResult::new(json!(result)))
    }

    /// Runs the call. When the client takes it back the engine's future is dropped, which stops the guest.
    async fn run(
        &self,
        call: Call,
        feed: Option<Feed>,
        gone: &CancellationToken,
    ) -> Result<Outcome, ErrorData> {
        let ended = CancellationToken::new();
        let feed = async {
            if let Some(feed) = feed {
                feed.run(ended.clone()).await;
            }
        };
        let dispatch = async {
            let outcome = self.shared.engine.dispatch(call).await;
            ended.cancel();
            outcome
        };
        // What the pack said goes out before its answer does.
        let both = async { tokio::join!(dispatch, feed).0 };
        tokio::select! {
            biased;
            () = gone.cancelled() => Err(ErrorData::internal_error("the call was cancelled", None)),
            outcome = both => Ok(outcome),
        }
    }

    fn client(
        &self,
        tool: &str,
        context: &RequestContext<RoleServer>,
        answers: InputResponses,
        missing: Missing,
    ) -> (Reach, Option<Feed>) {
        let peer = context.peer.clone();
        let (floor, asks) = if is_modern(context) {
            let capabilities = context.client_capabilities().unwrap_or_default();
            (context.meta.log_level(), Asks::Again { answers, capabilities, missing })
        } else {
            let (call, stated) = (context.id.clone(), context.meta.client_capabilities());
            (Some(self.session.log_level()), Asks::Now { peer: peer.clone(), call, stated })
        };
        Reach::new(peer, context.meta.get_progress_token(), floor, tool.to_owned(), asks)
    }

    fn ended(
        &self,
        tool: &str,
        identity: &Identity,
        outcome: Outcome,
    ) -> Result<CallToolResponse, ErrorData> {
        let about = answer::about(&outcome);
        let listing = self.listing();
        match outcome.result {
            Ok(answer) => Ok(answer::answered(answer, about).into()),
            Err(Ended::Failed(failure)) => {
                // An unknown tool is an error of the protocol (specification 2025-11-25, "Tools: Error Handling");
                // a pack that did not find something is not.
                if failure.code == ErrorCode::NotFound && !listing.shows(tool, identity) {
                    return Err(ErrorData::invalid_params(failure.to_string(), Some(failure.to_json())));
                }
                let typed = listing.tool(tool).is_some_and(|tool| tool.output_schema.is_some());
                Ok(answer::failed(&failure, typed, about).into())
            }
            Err(Ended::Asks(_)) => {
                Err(ErrorData::internal_error("a question was not put to the client", None))
            }
        }
    }

    fn asks(
        &self,
        question: &Question,
        waiting: &Waiting,
        binding: Option<&Binding>,
        outcome: &Outcome,
        context: &RequestContext<RoleServer>,
    ) -> CallToolResponse {
        let capabilities = context.client_capabilities().unwrap_or_default();
        let state = binding.map(|binding| self.shared.seal.close(waiting, binding));
        let requests = required(question, &capabilities);
        InputRequiredResult::new(Some(requests), state).with_meta(answer::about(outcome)).into()
    }
}

/// Where the client is, where a listener knows it, and what it says of itself and of the request.
fn peer(context: &RequestContext<RoleServer>) -> Peer {
    let head = context.extensions.get::<http::request::Parts>();
    let address = head.and_then(|head| head.extensions.get::<ClientAddress>());
    Peer {
        address: address.map(|ClientAddress(address)| *address),
        client: context.client_info().map(|client| (client.name, client.version)),
        protocol: context.protocol_version().map(|version| version.to_string()),
        trace: context.meta.get_traceparent().and_then(TraceParent::parse),
    }
}
