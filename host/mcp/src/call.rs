//! `tools/call`: one call of the protocol is one call of the engine.

use std::sync::Arc;

use packhost_core::{Caller, ErrorCode, RunId};
use packhost_engine::{Call, Ended, Outcome, Question};
use rmcp::model::{CallToolRequestParams, CallToolResponse, InputRequiredResult, InputResponses};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::answer;
use crate::ask::{Asks, required};
use crate::client::{Feed, Reach};
use crate::seal::{Binding, Waiting};
use crate::server::{Server, is_modern};

impl Server {
    pub(crate) async fn call(
        &self,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = self.caller(&context.extensions)?;
        let input = request.arguments.take().unwrap_or_default();
        let binding = is_modern(&context).then(|| Binding::new(&caller, &request.name, &input));
        let answers = match &binding {
            Some(binding) => {
                let state = request.request_state.as_deref();
                self.shared.seal.answers(state, request.input_responses.take(), binding)?
            }
            None => InputResponses::new(),
        };
        let (client, feed) = self.client(&request.name, &context, answers.clone());
        let call = Call {
            run: RunId::fresh(),
            caller: caller.clone(),
            door: self.shared.door,
            pack: request.name.into_owned(),
            input: Value::Object(input),
            client: Arc::new(client),
        };
        let name = call.pack.clone();
        let outcome = self.run(call, feed, &context.ct).await?;
        match &outcome.result {
            Err(Ended::Asks(question)) => {
                let waiting = Waiting { asked: question.id.clone(), answers };
                Ok(self.asks(question, &waiting, binding.as_ref(), &outcome, &context))
            }
            _ => self.ended(&name, &caller, outcome),
        }
    }

    /// Runs the call. When the client takes it back the engine's future is dropped, which stops the guest.
    async fn run(&self, call: Call, feed: Option<Feed>, gone: &CancellationToken) -> Result<Outcome, ErrorData> {
        let ended = CancellationToken::new();
        let feed = async {
            if let Some(feed) = feed {
                feed.run(ended.clone()).await;
            }
        };
        let both = async {
            let dispatch = async {
                let outcome = self.shared.engine.dispatch(call).await;
                ended.cancel();
                outcome
            };
            // What the pack said goes out before its answer does.
            tokio::join!(dispatch, feed).0
        };
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
    ) -> (Reach, Option<Feed>) {
        let capabilities = context.client_capabilities().unwrap_or_default();
        let peer = context.peer.clone();
        let (floor, asks) = if is_modern(context) {
            (context.meta.log_level(), Asks::Again { answers, capabilities })
        } else {
            let call = context.id.clone();
            (Some(self.session.log_level()), Asks::Now { peer: peer.clone(), call, capabilities })
        };
        Reach::new(peer, context.meta.get_progress_token(), floor, tool.to_owned(), asks)
    }

    fn ended(&self, name: &str, caller: &Caller, outcome: Outcome) -> Result<CallToolResponse, ErrorData> {
        let about = answer::about(&outcome);
        let listing = self.listing();
        match outcome.result {
            Ok(answer) => Ok(answer::answered(answer, about).into()),
            Err(Ended::Failed(failure)) => {
                // An unknown tool is an error of the protocol (specification 2025-11-25, "Tools: Error Handling");
                // a pack that did not find something is not.
                if failure.code == ErrorCode::NotFound && !listing.shows(name, caller) {
                    return Err(ErrorData::invalid_params(failure.to_string(), Some(failure.to_json())));
                }
                let typed = listing.tool(name).is_some_and(|tool| tool.output_schema.is_some());
                Ok(answer::failed(&failure, typed, about).into())
            }
            Err(Ended::Asks(_)) => Err(ErrorData::internal_error("a question was not put to the client", None)),
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
