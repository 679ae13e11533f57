//! Hints for clients about what a tool does to the world, derived from what it imports and is granted.

use packhost_manifest::{Entry, FsMode};
use packhost_package::{Description, Outline};

use crate::capabilities;

/// The hints that MCP has for tools (schema `ToolAnnotations`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annotations {
    /// It changes nothing.
    pub read_only: bool,
    /// It may destroy what was there before.
    pub destructive: bool,
    /// The same call twice has the effect of one.
    pub idempotent: bool,
    /// It talks to something outside this host.
    pub open_world: bool,
}

impl Annotations {
    /// What the pack says of itself, held against its imports and grants. A pack that can reach nothing outside itself
    /// changes nothing, whatever it says; one that may write files, or send more than GET and HEAD, is not read-only,
    /// whatever it says.
    pub(crate) fn derive(description: Option<&Description>, outline: &Outline, entry: &Entry) -> Self {
        let says = description.map(|d| d.effects).unwrap_or_default();
        let http = capabilities::imports(outline, "wasi:http/") && entry.may_send();
        let writes = entry.fs.iter().any(|rule| rule.mode == FsMode::ReadWrite);
        let asks = capabilities::imports(outline, "packhost:pack/ask") && (entry.ask.user || entry.ask.model);
        let reads = |method: &String| method == "GET" || method == "HEAD";
        let sends = http && (entry.report || entry.http.iter().any(|rule| !rule.methods.iter().all(reads)));
        let programs = (capabilities::imports(outline, "packhost:pack/session") || entry.command.is_some())
            && entry.session.is_some();
        let harmless = !http && !writes && !asks && !programs && !entry.workspace;
        let writes = writes || (entry.workspace && !says.read_only);
        let read_only = harmless || (says.read_only && !writes && !sends && !programs);
        Self {
            read_only,
            destructive: !read_only && (says.destructive || description.is_none()),
            idempotent: read_only || says.idempotent,
            open_world: http || entry.session.as_ref().is_some_and(|session| !session.http.is_empty()),
        }
    }
}
