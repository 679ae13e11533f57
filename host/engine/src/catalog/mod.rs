//! The catalog: which packs there are, what each tool looks like to a client, and what may not be served and why.

mod annotations;
mod build;
mod command;
mod pack;
mod tool;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use packhost_core::{ErrorCode, Failure, Identity, PackName};

pub use annotations::Annotations;
pub(crate) use build::build;
pub use pack::{Pack, PackSource};
pub(crate) use tool::Export;
pub use tool::{Refused, Tool};

/// Every tool under one manifest revision. A catalog never changes; a reload makes another.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Grows by one with each reload.
    pub generation: u64,
    tools: BTreeMap<PackName, Arc<Tool>>,
    by_tool: HashMap<String, PackName>,
    refused: Vec<Refused>,
}

impl Catalog {
    /// The tools that this caller may see, sorted by pack name. The order depends on the names alone.
    pub fn visible_to<'a>(&'a self, identity: &'a Identity) -> impl Iterator<Item = &'a Arc<Tool>> {
        self.tools.values().filter(move |tool| tool.is_visible_to(identity))
    }

    /// A tool by the pack's own name or by the name that MCP clients see.
    pub fn find(&self, name: &str) -> Option<&Arc<Tool>> {
        let own = self.by_tool.get(name);
        own.and_then(|own| self.tools.get(own)).or_else(|| self.tools.get(&name.parse::<PackName>().ok()?))
    }

    /// What is said about a name that this caller may call nothing by. Near names are found among what it may call.
    pub(crate) fn unknown(&self, name: &str, identity: &Identity) -> Failure {
        let names = self.visible_to(identity).flat_map(|tool| [tool.tool.as_str(), tool.name.as_str()]);
        let message = format!("There is no tool \"{}\".", name.chars().take(100).collect::<String>());
        let fix = match packhost_schema::closest(name, names) {
            Some(near) => format!("Did you mean \"{near}\"?"),
            None => "List the tools and use a name from the list.".into(),
        };
        Failure::new(ErrorCode::NotFound, message).fix(fix)
    }

    /// Every tool, sorted by pack name.
    pub fn tools(&self) -> impl Iterator<Item = &Arc<Tool>> {
        self.tools.values()
    }

    /// What is not served, and why.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }
}
