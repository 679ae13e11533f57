//! A message as the provider's API takes it.

use packhost_sdk::api::Api;
use packhost_sdk::http::Request;
use packhost_sdk::{Error, OneOrMany, Serialize};
use sha2::{Digest, Sha256};

use crate::operator::Operator;
use crate::{Input, address};

/// The most addresses in one field, as Resend has it.
const MOST: usize = 50;

/// Bytes of text, and of HTML.
const LONGEST: usize = 1 << 20;

/// The longest subject, in bytes: a header line has at most 998 (RFC 5322, 2.1.1).
const SUBJECT: usize = 900;

/// What is sent. The order of the fields is that of the JSON, which the idempotency key is made of.
#[derive(Debug, Serialize)]
pub(crate) struct Message {
    from: String,
    to: Vec<String>,
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cc: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bcc: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reply_to: Vec<String>,
}

impl Message {
    /// The message that an input describes, if the operator lets it be sent.
    pub(crate) fn read(input: Input, operator: &Operator) -> Result<Self, Error> {
        let from = operator.sender(input.from.as_deref())?;
        let recipients = |of: Option<&OneOrMany>, pointer: &str| {
            addresses(of, pointer, |address, pointer| operator.recipient(address, pointer))
        };
        let to = recipients(Some(&input.to), "/to")?;
        if to.is_empty() {
            return Err(Error::invalid_input("There is nobody to send it to.").pointer("/to"));
        }
        if [&input.text, &input.html].into_iter().flatten().all(|part| part.trim().is_empty()) {
            return Err(Error::invalid_input("The message is empty.")
                .fix("Add \"text\", \"html\" or both.")
                .pointer("/text"));
        }
        for (part, pointer) in [(&input.text, "/text"), (&input.html, "/html")] {
            if part.as_ref().is_some_and(|part| part.len() > LONGEST) {
                return Err(Error::invalid_input("The message is longer than 1 MiB.").pointer(pointer));
            }
        }
        Ok(Self {
            from,
            to,
            subject: subject(&input.subject)?,
            text: input.text,
            html: input.html,
            cc: recipients(input.cc.as_ref(), "/cc")?,
            bcc: recipients(input.bcc.as_ref(), "/bcc")?,
            reply_to: addresses(input.reply_to.as_ref(), "/reply_to", |_, _| Ok(()))?,
        })
    }

    /// The request that sends it. The idempotency key is a digest of all of it, so that a call that is made again after
    /// its answer was lost does not send it again.
    pub(crate) fn request(&self, api: &Api) -> Result<Request, Error> {
        let body = serde_json::to_vec(self)
            .map_err(|error| Error::failed(format!("The message could not be written: {error}.")))?;
        let key: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        let request = api
            .request("POST", &["emails"])
            .header("content-type", "application/json")
            .header("idempotency-key", &format!("packhost-{key}"))
            .header("user-agent", concat!("packhost-email.send/", env!("CARGO_PKG_VERSION")));
        Ok(Request { body, ..request })
    }

    /// How many addresses it goes to.
    pub(crate) fn recipients(&self) -> usize {
        self.to.len() + self.cc.len() + self.bcc.len()
    }
}

fn addresses(
    of: Option<&OneOrMany>,
    pointer: &str,
    allowed: impl Fn(&str, &str) -> Result<(), Error>,
) -> Result<Vec<String>, Error> {
    let (all, is_list) = match of {
        None => return Ok(Vec::new()),
        Some(of) => (of.as_slice(), matches!(of, OneOrMany::Many(_))),
    };
    if all.len() > MOST {
        return Err(Error::invalid_input(format!("There are more than {MOST} addresses."))
            .fix("Send it in several calls.")
            .pointer(pointer));
    }
    let at = |n: usize| if is_list { format!("{pointer}/{n}") } else { pointer.to_owned() };
    let check = |(n, text): (usize, &String)| {
        let address = address::check(text, &at(n))?;
        allowed(&address, &at(n)).map(|()| address)
    };
    all.iter().enumerate().map(check).collect()
}

fn subject(text: &str) -> Result<String, Error> {
    let wrong = |why: &str| Err(Error::invalid_input(format!("The subject {why}.")).pointer("/subject"));
    match text.trim() {
        "" => wrong("is empty"),
        subject if subject.len() > SUBJECT => wrong("has more than 900 bytes"),
        subject if subject.chars().any(char::is_control) => wrong("has a line break in it; it is one line"),
        subject => Ok(subject.to_owned()),
    }
}
