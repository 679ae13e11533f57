//! `GET /v1/audit`: the record of everybody's calls, for who may read it.

use std::ops::ControlFlow;
use std::time::SystemTime;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use packhost_audit::{Filter, When};
use packhost_core::{ErrorCode, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::api::Api;
use crate::artifacts::limit;
use crate::extract::{Asked, Vouched, allowed, parsed};
use crate::problem::Problem;
use crate::reply::json;

/// Records of a page.
const USUAL: u32 = 100;
const MOST: u32 = 1_000;
/// Bytes of records of a page; one record is let through whatever its size, which the log bounds.
const BYTES: usize = 4 << 20;

/// A page of the record.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RecordList {
    /// The newest first, each as it stands in the log.
    records: Vec<Value>,
    /// What to send as `before` for older ones; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// Which records are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    kind: Option<String>,
    pack: Option<String>,
    caller: Option<String>,
    outcome: Option<String>,
    run: Option<String>,
    since: Option<String>,
    until: Option<String>,
    before: Option<u64>,
    limit: Option<u32>,
}

pub(crate) async fn query(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    allowed(&identity, &Scope::ReadAudit)?;
    let dir = api.record().ok_or_else(|| Problem::new(ErrorCode::NotFound, "This host keeps no record."))?;
    let most = limit(wanted.limit, USUAL, MOST)?;
    let now = SystemTime::now();
    let moment = |text: &str| text.parse::<When>().ok().map(|when| when.moment(now));
    let filter = Filter {
        kinds: wanted.kind.iter().flat_map(|kinds| kinds.split(',')).map(str::to_owned).collect(),
        pack: wanted.pack,
        caller: wanted.caller,
        outcome: wanted.outcome,
        run: wanted.run,
        from: parsed(wanted.since, "since", moment)?,
        until: parsed(wanted.until, "until", moment)?,
        before: wanted.before,
        limit: Some(most as usize),
    };
    // Each reads the log: a few at a time.
    let turn = api.turn().await;
    let dir = dir.to_owned();
    let found = spawn_blocking(move || {
        let _turn = turn;
        let mut found = Vec::new();
        let queried = packhost_audit::query(&dir, &filter, |entry| {
            found.push((entry.position().n, entry.json().to_owned()));
            ControlFlow::Continue(())
        });
        queried.map(|_| found)
    });
    let found = match found.await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::warn!(target: "packhost", %error, "the record cannot be read");
            return Err(unreadable());
        }
        Err(_) => return Err(unreadable()),
    };
    Ok(json(StatusCode::OK, &page(found, most as usize)))
}

/// The newest of them that fit.
fn page(found: Vec<(u64, String)>, most: usize) -> RecordList {
    let (all, mut bytes) = (found.len(), 0);
    let (mut records, mut last) = (Vec::with_capacity(all), None);
    for (n, text) in found.into_iter().rev() {
        bytes += text.len();
        if bytes > BYTES && last.is_some() {
            break;
        }
        last = Some(n);
        records.push(serde_json::from_str(&text).unwrap_or_default());
    }
    let more = records.len() < all || all == most;
    RecordList { records, next: last.filter(|_| more) }
}

fn unreadable() -> Problem {
    Problem::new(ErrorCode::Internal, "The record cannot be read now.")
        .fix("Tell the operator: the host's log says why.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(count: u64, size: usize) -> Vec<(u64, String)> {
        (1..=count).map(|n| (n, format!("{{\"n\":{n},\"x\":\"{}\"}}", "x".repeat(size)))).collect()
    }

    #[test]
    fn a_page_has_the_newest_first_and_says_where_the_next_begins() {
        let some = page(found(3, 1), 3);
        assert_eq!((some.records[0]["n"].as_u64(), some.next), (Some(3), Some(1)));
        assert_eq!(page(found(2, 1), 3).next, None);
        assert_eq!(page(Vec::new(), 3).next, None);
    }

    #[test]
    fn a_page_is_bounded_in_bytes_and_never_empty() {
        let large = page(found(3, BYTES / 2), 3);
        assert_eq!((large.records.len(), large.next), (1, Some(3)));
        assert_eq!(page(found(1, 2 * BYTES), 3).records.len(), 1);
    }
}
