//! The keys under which the host adds to `_meta` (specification 2026-07-28, "General fields").

/// On a tool: the pack behind it, `{"name", "version"}`. On what a call has made: the pack, `{"name"}`.
pub(crate) const PACK: &str = "packhost/pack";
/// On a result, and on what a call has made: the id of the call, as it stands in the operator's log.
pub(crate) const RUN: &str = "packhost/run";
/// On a result: what was mended in the input, a list.
pub(crate) const MENDS: &str = "packhost/mends";
/// On a result: the manifest's revision that the call started under.
pub(crate) const REVISION: &str = "packhost/revision";
/// On a result: time, memory and requests that the call used.
pub(crate) const USAGE: &str = "packhost/usage";
/// On a result: the sandbox that the call had, on which backend and why, where it had one.
pub(crate) const SESSION: &str = "packhost/session";
/// On what a call has made: the digest of its bytes.
pub(crate) const DIGEST: &str = "packhost/digest";
/// On a part of what a call has made: which bytes they are, as `Content-Range` says it.
pub(crate) const RANGE: &str = "packhost/range";
/// On a result with `isError`: the failure as data, the same for every tool.
pub(crate) const ERROR: &str = "packhost/error";
