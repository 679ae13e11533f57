//! One callable thing of a pack.

use std::borrow::Cow;
use std::sync::Arc;

use packhost_core::{Identity, PackName, ToolName};
use packhost_manifest::{CommandPack, Entry};
use packhost_schema::Contract;
use serde_json::Value;

use super::{Annotations, Pack};
use crate::wit_json::Signature;

/// One callable thing: a pack's handler, or one exported function of a component that does not know packhost.
#[derive(Debug, Clone)]
pub struct Tool {
    /// The pack's own name; for a plain component, its name and the function's.
    pub name: PackName,
    /// The name that MCP clients see.
    pub tool: ToolName,
    /// A short name for people.
    pub title: String,
    /// What it does.
    pub description: String,
    /// JSON Schema 2020-12 of the input.
    pub input_schema: Arc<Value>,
    /// JSON Schema 2020-12 of the structured output.
    pub output_schema: Option<Arc<Value>>,
    /// Hints for clients.
    pub annotations: Annotations,
    /// The component behind it.
    pub pack: Arc<Pack>,
    /// The manifest's entry that it is served under.
    pub entry: Arc<Entry>,
    pub(crate) input: Arc<Contract>,
    pub(crate) output: Option<Arc<Contract>>,
    pub(crate) export: Arc<Export>,
}

impl Tool {
    /// Whether the manifest lets this caller call it, and the caller's scopes let it be seen.
    pub fn is_visible_to(&self, identity: &Identity) -> bool {
        self.entry.admits(identity) && identity.scopes.may_see(&self.name)
    }

    /// The tool as it is for this caller: the manifest may leave it less.
    #[must_use]
    pub fn for_caller(self: &Arc<Self>, identity: &Identity) -> Arc<Self> {
        match self.entry.for_caller(identity) {
            Cow::Borrowed(_) => Arc::clone(self),
            Cow::Owned(entry) => Arc::new(Self { entry: Arc::new(entry), ..Self::clone(self) }),
        }
    }

    /// Whether there is something to load before it runs: a command of the manifest has no component.
    pub(crate) fn has_component(&self) -> bool {
        !matches!(*self.export, Export::Command(_))
    }
}

/// What is called in the component.
#[derive(Debug)]
pub(crate) enum Export {
    /// `packhost:pack/handler.run`.
    Handler,
    /// A program in a sandbox; there is no component.
    Command(Box<CommandPack>),
    /// A function of a component that does not know packhost.
    Function(Box<Signature>),
}

/// Something that is not served, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Refused {
    /// The pack, or the file that should have been one.
    pub name: String,
    /// Why, in a sentence.
    pub reason: String,
}
