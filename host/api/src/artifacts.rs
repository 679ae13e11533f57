//! `/v1/artifacts`: what this caller's calls have made.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_RANGE, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use packhost_artifacts::{
    Artifact, ArtifactError, ArtifactId, Artifacts, ByteRange, Filter, Operator, Page, Reading,
};
use packhost_core::{Caller, ErrorCode, Failure, Identity, RunId, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::acts::on_record;
use crate::api::Api;
use crate::extract::{Asked, Named, Vouched, allowed, parsed};
use crate::problem::Problem;
use crate::reply::json;

/// What a browser that is led there may do with what a pack has made: show it, and nothing else.
const SANDBOX: &str = "default-src 'none'; sandbox";

/// A page of artifacts.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ArtifactList {
    /// The latest first.
    artifacts: Vec<ArtifactAbout>,
    /// What to send as `after` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Something that a call has made.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ArtifactAbout {
    /// What it is asked for by.
    id: String,
    /// `made` by a pack, or the signed `manifest` of a call.
    kind: &'static str,
    /// What the pack calls it: a label, and no path.
    name: String,
    /// What the pack says it is.
    media_type: String,
    /// Bytes.
    size: u64,
    /// The SHA-256 of its bytes.
    digest: String,
    /// The call that made it.
    run: String,
    /// The pack that made it.
    pack: String,
    /// Whose it is.
    owner: String,
    /// When it was finished, in milliseconds since 1970.
    created: u64,
    /// From when on it is not there any more, in milliseconds since 1970.
    expires: u64,
}

impl From<Artifact> for ArtifactAbout {
    fn from(artifact: Artifact) -> Self {
        Self {
            id: artifact.id.to_string(),
            kind: artifact.kind.as_str(),
            name: artifact.name.to_string(),
            media_type: artifact.media_type.to_string(),
            size: artifact.size,
            digest: artifact.digest.to_string(),
            run: artifact.run.to_string(),
            pack: artifact.pack.to_string(),
            owner: artifact.owner.to_string(),
            created: artifact.created,
            expires: artifact.expires,
        }
    }
}

/// Which are listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    run: Option<String>,
    pack: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
    #[serde(default)]
    all: bool,
}

/// Whether it may be somebody else's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whose {
    #[serde(default)]
    pub(crate) all: bool,
}

pub(crate) async fn list(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let artifacts = reader(&api, &identity)?;
    let filter = Filter {
        run: parsed(wanted.run, "run", RunId::recorded)?,
        pack: parsed(wanted.pack, "pack", |text| text.parse().ok())?,
        kind: None,
    };
    let page = Page {
        after: parsed(wanted.after, "after", |text| text.parse().ok())?,
        most: limit(wanted.limit, Page::default().most, Page::MOST)?,
    };
    let listing = if wanted.all {
        allowed(&identity, &Scope::Admin)?;
        Operator::of(artifacts).list(None, filter, page).await
    } else {
        artifacts.list(&identity.caller, filter, page).await
    };
    let listing = listing.map_err(refused)?;
    let next = listing.next.map(|next| next.to_string());
    let artifacts = listing.artifacts.into_iter().map(ArtifactAbout::from).collect();
    Ok(json(StatusCode::OK, &ArtifactList { artifacts, next }))
}

pub(crate) async fn look(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Named(id): Named,
    Asked(Whose { all }): Asked<Whose>,
) -> Result<Response, Problem> {
    let artifacts = reader(&api, &identity)?;
    let id = named(&id)?;
    let found = if all {
        allowed(&identity, &Scope::Admin)?;
        Operator::of(artifacts).get(&id).await
    } else {
        artifacts.get(&identity.caller, &id).await
    };
    Ok(json(StatusCode::OK, &ArtifactAbout::from(found.map_err(refused)?)))
}

/// The bytes, or one range of them (RFC 9110 section 14). A range that is none, and more than one, is passed over.
pub(crate) async fn content(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Named(id): Named,
    Asked(Whose { all }): Asked<Whose>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let artifacts = reader(&api, &identity)?;
    if all {
        allowed(&identity, &Scope::Admin)?;
    }
    send(artifacts, (!all).then_some(&identity.caller), &named(&id)?, &headers).await
}

/// The bytes of one of this caller's, or of anybody's, as the headers want them.
pub(crate) async fn send(
    artifacts: &Artifacts,
    whose: Option<&Caller>,
    id: &ArtifactId,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let artifact = match whose {
        Some(caller) => artifacts.get(caller, id).await,
        None => Operator::of(artifacts).get(id).await,
    };
    let artifact = artifact.map_err(refused)?;
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // Whoever has a part of something else gets all of this.
    let same = text(IF_RANGE).is_none_or(|tag| tag == self::tag(&artifact));
    let range = text(RANGE).filter(|_| same).and_then(|range| range.parse::<ByteRange>().ok());
    let wanted = range.unwrap_or_default();
    let reading = match whose {
        Some(caller) => artifacts.read(caller, id, wanted).await,
        None => Operator::of(artifacts).read(id, wanted).await,
    };
    Ok(bytes(reading.map_err(refused)?, range.is_some()))
}

pub(crate) async fn remove(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Named(id): Named,
) -> Result<Response, Problem> {
    let artifacts = store(&api)?.clone();
    allowed(&identity, &Scope::WriteArtifacts)?;
    let id = named(&id)?;
    // What is not theirs is not worth a record.
    artifacts.get(&identity.caller, &id).await.map_err(refused)?;
    let (subject, caller) = (id.to_string(), identity.caller.clone());
    on_record(&api, &identity, "artifacts.rm", subject, async move {
        artifacts.remove(&caller, &id).await.map_err(refused)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn bytes(reading: Reading, part: bool) -> Response {
    let (artifact, range) = (reading.artifact.clone(), reading.range.clone());
    let mut headers = HeaderMap::new();
    let mut put = |name: HeaderName, value: String| {
        // All of these are made of letters that a header may have.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    put(CONTENT_TYPE, artifact.media_type.to_string());
    put(CONTENT_LENGTH, (range.end - range.start).to_string());
    put(CONTENT_DISPOSITION, disposition(artifact.name.as_str()));
    put(ETAG, tag(&artifact));
    put(ACCEPT_RANGES, "bytes".into());
    put(CACHE_CONTROL, "no-store".into());
    put(X_CONTENT_TYPE_OPTIONS, "nosniff".into());
    put(CONTENT_SECURITY_POLICY, SANDBOX.into());
    let status = if part && !range.is_empty() {
        put(CONTENT_RANGE, format!("bytes {}-{}/{}", range.start, range.end - 1, artifact.size));
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    };
    (status, headers, Body::from_stream(reading)).into_response()
}

fn tag(artifact: &Artifact) -> String {
    format!("\"{}\"", artifact.digest)
}

/// Saved, and never shown in the place of a page; under its own name (RFC 6266), spelled so that every name can be told (RFC 8187
/// section 3.2.1).
fn disposition(name: &str) -> String {
    let spelled: String = name
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    format!("attachment; filename*=UTF-8''{spelled}")
}

pub(crate) fn store(api: &Api) -> Result<&Artifacts, Problem> {
    let none = || Problem::new(ErrorCode::NotFound, "This host keeps no artifacts.");
    api.engine().artifacts().ok_or_else(none)
}

pub(crate) fn reader<'a>(api: &'a Api, identity: &Identity) -> Result<&'a Artifacts, Problem> {
    allowed(identity, &Scope::ReadArtifacts)?;
    store(api)
}

/// What is no id names nothing.
pub(crate) fn named(id: &str) -> Result<ArtifactId, Problem> {
    id.parse().map_err(|_| refused(ArtifactError::NotFound))
}

/// A number from 1 to the most.
pub(crate) fn limit(asked: Option<u32>, usual: u32, most: u32) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(usual);
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::new(ErrorCode::InvalidInput, "\"limit\" is out of range.").fix(format!("Send 1 to {most}.")))
}

pub(crate) fn refused(error: ArtifactError) -> Problem {
    if matches!(error, ArtifactError::NotFound) {
        return Problem::new(ErrorCode::NotFound, "There is no such artifact of this caller.");
    }
    let beyond = match &error {
        ArtifactError::Range(beyond) => Some(beyond.size),
        _ => None,
    };
    let failure = Failure::from(error);
    if failure.code == ErrorCode::ArtifactFailed {
        tracing::warn!(target: "packhost", cause = ?failure.cause, "an artifact cannot be had");
    }
    let problem = Problem::from(failure);
    match beyond.map(|size| HeaderValue::from_str(&format!("bytes */{size}"))) {
        Some(Ok(size)) => problem.status(StatusCode::RANGE_NOT_SATISFIABLE).header(CONTENT_RANGE, size),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_can_be_told_in_a_header() {
        for (name, told) in [
            ("table.csv", "table.csv"),
            ("a \"b\".txt", "a%20%22b%22.txt"),
            ("x\r\nSet-Cookie: a", "x%0D%0ASet-Cookie%3A%20a"),
            ("Übersicht", "%C3%9Cbersicht"),
        ] {
            let header = disposition(name);
            assert_eq!(header, format!("attachment; filename*=UTF-8''{told}"));
            HeaderValue::from_str(&header).expect("a header");
        }
    }

    #[test]
    fn a_limit_is_bounded() {
        assert_eq!(limit(None, 100, 1000).expect("the usual"), 100);
        assert_eq!(limit(Some(1000), 100, 1000).expect("the most"), 1000);
        assert!(limit(Some(0), 100, 1000).is_err() && limit(Some(1001), 100, 1000).is_err());
    }
}
