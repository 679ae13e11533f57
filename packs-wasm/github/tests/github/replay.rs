//! A GitHub that answers in order, and remembers what it was asked.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;

use packhost_github::{GitHub, Repo};
use packhost_sdk::api::{Api, Transport};
use packhost_sdk::bindings::packhost::pack::types::PackError;
use packhost_sdk::http::{Reply, Request};
use packhost_sdk::{Error, Value};

/// An exchange as the recordings have it.
pub(crate) struct Recorded {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) body: Value,
    pub(crate) reply: Reply,
}

/// The exchanges of a file in `data`.
pub(crate) fn recorded(name: &str) -> Vec<Recorded> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name).with_extension("json");
    let text = std::fs::read_to_string(&file).expect("the recording is there");
    let all: Vec<Value> = packhost_sdk::serde_json::from_str(&text).expect("a recording");
    all.into_iter().map(read).collect()
}

fn read(exchange: Value) -> Recorded {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let headers = exchange["headers"].as_object().expect("headers");
    Recorded {
        method: text(&exchange["method"]).to_uppercase(),
        path: text(&exchange["path"]),
        body: exchange["body"].clone(),
        reply: Reply {
            status: exchange["status"]
                .as_u64()
                .and_then(|status| u16::try_from(status).ok())
                .expect("a status"),
            headers: headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            body: exchange["response"].to_string().into_bytes(),
        },
    }
}

/// An answer that was not recorded.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &Value) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Reply { status, headers, body: body.to_string().into_bytes() }
}

/// Answers in order; the last answer again and again where it is to.
#[derive(Default)]
pub(crate) struct Replay {
    replies: RefCell<VecDeque<Reply>>,
    again: bool,
    asked: RefCell<Vec<Request>>,
}

impl Replay {
    pub(crate) fn of(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self { replies: RefCell::new(replies.into_iter().collect()), ..Self::default() }
    }

    pub(crate) fn always(reply: Reply) -> Self {
        Self { again: true, ..Self::of([reply]) }
    }

    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.borrow().clone()
    }
}

impl Transport for &Replay {
    fn exchange(&self, request: &Request, _: usize) -> Result<Reply, Error> {
        self.asked.borrow_mut().push(request.clone());
        let mut replies = self.replies.borrow_mut();
        let next = if self.again { replies.front().cloned() } else { replies.pop_front() };
        Ok(next.expect("no more requests than answers"))
    }
}

pub(crate) fn github(replay: &Replay) -> GitHub<&Replay> {
    GitHub::new(Api::new("https://api.github.com", "GITHUB_TOKEN").expect("an API"), replay)
}

pub(crate) fn repo(name: &str) -> Repo {
    Repo::parse(name).expect("a repository")
}

/// An error as the host gets it.
pub(crate) fn told(error: Error) -> PackError {
    error.into()
}
