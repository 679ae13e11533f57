//! Questions to the agent's side, where the manifest grants `ask`.
//!
//! A call that asks may be run again from the start with the answers so far: ask before acting, and give each
//! question an id that is the same on every run.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::bindings::packhost::pack::ask::{self, Answer, AskError, Prompt, Question};

/// Asks the person who uses the agent. `None` when they decline or close the question. `T` is a flat struct of
/// strings, numbers and booleans; its doc comments are what the person reads.
///
/// # Errors
///
/// `denied` without the grant, `failed` where the client cannot be asked or its answer does not fit.
pub fn user<T: DeserializeOwned + JsonSchema>(id: &str, message: &str) -> Result<Option<T>, Error> {
    let question = Question {
        id: id.to_owned(),
        message: message.to_owned(),
        schema: schemars::schema_for!(T).to_value().to_string(),
    };
    match ask::user(&question).map_err(refusal)? {
        Answer::Accepted(json) => serde_json::from_str(&json).map(Some).map_err(|error| {
            Error::failed(format!("The person's answer does not fit the question: {error}."))
        }),
        Answer::Declined | Answer::Cancelled => Ok(None),
    }
}

/// Asks the model that the client offers, for at most `max_tokens` tokens.
///
/// # Errors
///
/// As [`user`].
pub fn model(id: &str, text: &str, max_tokens: u32) -> Result<String, Error> {
    ask::model(&Prompt { id: id.to_owned(), text: text.to_owned(), max_tokens }).map_err(refusal)
}

fn refusal(error: AskError) -> Error {
    match error {
        AskError::Denied => Error::denied("This pack may not ask the agent's user or model."),
        AskError::Unsupported => Error::failed("The client on the other side cannot be asked."),
        AskError::Failed => Error::failed("The client on the other side failed to answer."),
    }
}
