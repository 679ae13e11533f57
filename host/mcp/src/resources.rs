//! `resources/list`, `resources/templates/list` and `resources/read`: what the calls of this caller have made.
//!
//! The protocol has no word for a part of a resource. A part has an address of its own instead, that of the whole with
//! `?bytes=0-1023` behind it, which a template tells clients of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhost_artifacts::{
    Artifact, ArtifactError, ArtifactId, Artifacts, ByteRange, Cursor, Filter, Kind, Page,
};
use packhost_core::{ErrorCode, Failure, Identity, Scope};
use packhost_engine::ARTIFACTS;
use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, ListResourceTemplatesResult, ListResourcesResult, MetaObject, PaginatedRequestParams,
    ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
};
use serde_json::json;

use crate::meta;

/// Bytes of an artifact that one answer holds. In base64 it is a third more, and some clients have it in memory twice.
const MOST: u64 = 4 << 20;
/// How long a client may hold on to what was read, in milliseconds. It never changes, and may be removed.
const FRESH_MS: u64 = 60_000;

/// `resources/list`: a page of what this caller's calls have made, the latest first. A caller whose token does not let it read
/// them has none: clients ask whatever they may, and take an empty list better than an error.
pub(crate) async fn list(
    artifacts: Option<&Artifacts>,
    identity: &Identity,
    request: Option<PaginatedRequestParams>,
) -> Result<ListResourcesResult, ErrorData> {
    let cursor = request.and_then(|request| request.cursor);
    let after: Option<Cursor> = cursor
        .map(|cursor| cursor.parse().map_err(|_| ErrorData::invalid_params("unknown cursor", None)))
        .transpose()?;
    let mut list = ListResourcesResult::default();
    if let Some(artifacts) = artifacts.filter(|_| identity.scopes.allow(&Scope::ReadArtifacts)) {
        let filter = Filter { kind: Some(Kind::Made), ..Filter::default() };
        let page = Page { after, ..Page::default() };
        let found = artifacts.list(&identity.caller, filter, page).await.map_err(refused)?;
        list.resources = found.artifacts.iter().map(resource).collect();
        list.next_cursor = found.next.map(|next| next.to_string());
    }
    // What a call makes is on it at once.
    Ok(list.with_ttl_ms(0).with_cache_scope(CacheScope::Private))
}

/// `resources/templates/list`: the address of a part.
pub(crate) fn templates(artifacts: Option<&Artifacts>) -> ListResourceTemplatesResult {
    let template = ResourceTemplate::new(format!("{ARTIFACTS}{{id}}{{?bytes}}"), "artifact")
        .with_title("A part of an artifact")
        .with_description("Bytes of what a call has made: 0-1023 for the first ones, 1024- for the rest, -1024 for the last.");
    let templates = artifacts.map(|_| template).into_iter().collect();
    ListResourceTemplatesResult::with_all_items(templates)
        .with_ttl_ms(FRESH_MS)
        .with_cache_scope(CacheScope::Private)
}

/// `resources/read`. What is another caller's is answered as what never was.
pub(crate) async fn read(
    artifacts: Option<&Artifacts>,
    identity: &Identity,
    uri: &str,
) -> Result<ReadResourceResult, ErrorData> {
    let missing = || ErrorData::resource_not_found("there is no such resource", Some(json!({ "uri": uri })));
    let (artifacts, address) = artifacts.zip(uri.strip_prefix(ARTIFACTS)).ok_or_else(missing)?;
    if !identity.scopes.allow(&Scope::ReadArtifacts) {
        return Err(out_of_scope());
    }
    let (id, part) = address.split_once('?').map_or((address, None), |(id, part)| (id, Some(part)));
    let id: ArtifactId = id.parse().map_err(|_| missing())?;
    let range: ByteRange = part.map(str::parse).transpose().map_err(invalid)?.unwrap_or_default();
    let found = |error| match error {
        ArtifactError::NotFound => missing(),
        error => refused(error),
    };
    let artifact = artifacts.get(&identity.caller, &id).await.map_err(found)?;
    let bytes = range.of(artifact.size).map_err(ArtifactError::from).map_err(refused)?;
    if bytes.end - bytes.start > MOST {
        return Err(too_large(&artifact));
    }
    let reading = artifacts.read(&identity.caller, &id, range).await.map_err(found)?;
    let content = contents(uri, &artifact, reading.bytes().await.map_err(refused)?.to_vec());
    let content = match part {
        Some(_) => content.with_meta(about(&bytes, artifact.size)),
        None => content,
    };
    Ok(ReadResourceResult::new(vec![content]).with_ttl_ms(FRESH_MS).with_cache_scope(CacheScope::Private))
}

fn resource(artifact: &Artifact) -> Resource {
    Resource::new(format!("{ARTIFACTS}{}", artifact.id), artifact.name.to_string())
        .with_mime_type(artifact.media_type.to_string())
        .with_size(artifact.size)
        .with_meta(MetaObject(
            [
                (meta::RUN.to_owned(), json!(artifact.run)),
                (meta::PACK.to_owned(), json!({ "name": artifact.pack })),
                (meta::DIGEST.to_owned(), json!(artifact.digest)),
            ]
            .into_iter()
            .collect(),
        ))
}

/// Text where it says that it is, and is.
fn contents(uri: &str, artifact: &Artifact, bytes: Vec<u8>) -> ResourceContents {
    let essence = artifact.media_type.essence();
    let is_text = essence.starts_with("text/") || essence == "application/json";
    let content = match String::from_utf8(bytes) {
        Ok(text) if is_text => ResourceContents::text(text, uri),
        Ok(text) => ResourceContents::blob(STANDARD.encode(text), uri),
        Err(bytes) => ResourceContents::blob(STANDARD.encode(bytes.as_bytes()), uri),
    };
    content.with_mime_type(artifact.media_type.to_string())
}

/// Which bytes they are, as `Content-Range` says it.
fn about(bytes: &std::ops::Range<u64>, size: u64) -> MetaObject {
    let range = match bytes.is_empty() {
        true => format!("bytes */{size}"),
        false => format!("bytes {}-{}/{size}", bytes.start, bytes.end - 1),
    };
    MetaObject([(meta::RANGE.to_owned(), range.into())].into_iter().collect())
}

fn too_large(artifact: &Artifact) -> ErrorData {
    let (id, size, last) = (&artifact.id, artifact.size, MOST - 1);
    let message = format!("There are {size} bytes of it, and {MOST} are read at once.");
    let fix = format!(
        "Read a part, such as {ARTIFACTS}{id}?bytes=0-{last}, or have the operator get all of it: packhost artifacts get {id}."
    );
    told(&Failure::new(ErrorCode::InvalidInput, message).fix(fix))
}

fn out_of_scope() -> ErrorData {
    let message = "The token of this caller does not let it read what its calls have made.";
    let fix = format!("Ask for a token with the scope \"{}\".", Scope::ReadArtifacts);
    told(&Failure::new(ErrorCode::CapabilityDenied, message).fix(fix))
}

fn invalid(error: packhost_artifacts::InvalidRange) -> ErrorData {
    told(&Failure::new(ErrorCode::InvalidInput, format!("That is {error}.")))
}

fn refused(error: ArtifactError) -> ErrorData {
    let failure = Failure::from(error);
    if let Some(cause) = failure.cause.as_ref().filter(|_| failure.code == ErrorCode::ArtifactFailed) {
        tracing::warn!(target: "packhost", code = %failure.code, %cause, "an artifact is not read");
    }
    told(&failure)
}

fn told(failure: &Failure) -> ErrorData {
    let (message, data) = (failure.to_string(), Some(failure.to_json()));
    match failure.code {
        ErrorCode::InvalidInput | ErrorCode::CapabilityDenied => ErrorData::invalid_params(message, data),
        _ => ErrorData::internal_error(message, data),
    }
}
