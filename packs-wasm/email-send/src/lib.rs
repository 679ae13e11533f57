//! The pack `email.send`: sends one e-mail through a provider's HTTP API, as Resend has it.

mod address;
mod failure;
mod message;
mod operator;

use message::Message;
use operator::Operator;
use packhost_sdk::api::{Api, Egress, Transport};
use packhost_sdk::{Deserialize, Error, JsonSchema, OneOrMany, Serialize};

/// Where the API is, and the credential for it, unless the operator says otherwise.
const BASE: &str = "https://api.resend.com";
const CREDENTIAL: &str = "EMAIL_API_KEY";

/// Bytes of an answer: an id, or what is wrong.
const LARGEST: usize = 64 << 10;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// Whom to send it to: an address such as "ada@example.com" or "Ada <ada@example.com>", or a list of them.
    to: OneOrMany,
    /// The subject, such as "Your report is ready".
    #[schemars(length(min = 1, max = 900))]
    subject: String,
    /// The message as plain text. Give this, html or both.
    text: Option<String>,
    /// The message as HTML.
    html: Option<String>,
    /// Who sends it. Leave it out where the operator has set the address.
    from: Option<String>,
    /// Who gets a copy that everybody sees.
    cc: Option<OneOrMany>,
    /// Who gets a copy that nobody else sees.
    bcc: Option<OneOrMany>,
    /// Where answers go, if not to the sender.
    reply_to: Option<OneOrMany>,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The provider's name for the message.
    id: String,
    /// The addresses that it goes to, copies included.
    recipients: usize,
}

packhost_sdk::pack! {
    name: "email.send",
    title: "Send an e-mail",
    description: "Sends one e-mail, as plain text, HTML or both. The same message is not sent twice within a day.",
    effects: [],
    wants: { http: "to hand the message to the e-mail provider" },
    examples: [
        {
            "to": "ada@example.com",
            "subject": "Your report is ready",
            "text": "Hello Ada,\n\nthe report is at https://example.com/report.\n"
        },
        {
            "to": ["Ada <ada@example.com>", "bob@example.com"],
            "subject": "Meeting at ten",
            "html": "<p>See you in <b>room 4</b>.</p>",
            "reply_to": "carol@example.com"
        },
    ],
    run: send,
}

fn send(input: Input) -> Result<Output, Error> {
    let api = Api::configured(BASE, CREDENTIAL)?;
    let message = Message::read(input, &Operator::configured()?)?;
    deliver(&api, &Egress, &message)
}

fn deliver(api: &Api, transport: &impl Transport, message: &Message) -> Result<Output, Error> {
    let reply = transport.exchange(&message.request(api)?, LARGEST)?;
    match reply.status {
        200..=299 => {
            let accepted: Accepted = reply.json()?;
            Ok(Output { id: accepted.id, recipients: message.recipients() })
        }
        _ => Err(failure::explain(&reply, api)),
    }
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
}

#[cfg(test)]
mod tests;
