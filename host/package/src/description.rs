//! What a pack says of itself.

use packhost_core::PackName;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmparser::Payload;

use crate::PackageError;
use crate::walk::walk;

/// The name of the custom section that holds a [`Description`] as JSON.
pub const SECTION: &str = "packhost:pack";

/// What a pack says of itself: written by its build, read by the host without running it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The version of `packhost:pack` that the pack was built for, such as `0.1.0`.
    pub contract: String,
    /// The pack's name, such as `text.stats`.
    pub name: PackName,
    /// The pack's own version (semver).
    pub version: String,
    /// A short name for people, such as `Text statistics`.
    pub title: String,
    /// What it does. The first sentence is enough to choose it.
    pub description: String,
    /// JSON Schema 2020-12 of the input; an object.
    pub input_schema: Value,
    /// JSON Schema 2020-12 of the structured output, where the pack has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// What a call changes in the world.
    #[serde(default)]
    pub effects: Effects,
    /// What the pack would like to be granted, each with the reason. A request, never a grant.
    #[serde(default)]
    pub wants: Wants,
    /// Inputs that work as they stand, the simplest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Value>,
}

impl Description {
    /// The longest section that is read, in bytes.
    pub const MAX: usize = 1 << 20;

    /// What the component says of itself, from its custom section [`SECTION`] alone: nothing is run and nothing is
    /// compiled. `None` where there is no such section; one inside a nested component is not its own.
    ///
    /// # Errors
    ///
    /// [`PackageError`], for any bytes whatever.
    pub fn read(component: &[u8]) -> Result<Option<Self>, PackageError> {
        let mut section = None;
        walk(component, |piece| match piece.payload {
            Payload::CustomSection(custom) if piece.depth == 0 && custom.name() == SECTION => {
                match section.replace(custom.data()) {
                    Some(_) => Err(PackageError::DuplicateSection),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        })?;
        section.map(Self::from_json).transpose()
    }

    /// The description in the content of a section.
    ///
    /// # Errors
    ///
    /// [`PackageError::SectionTooLarge`] and [`PackageError::Section`].
    pub fn from_json(json: &[u8]) -> Result<Self, PackageError> {
        if json.len() > Self::MAX {
            return Err(PackageError::SectionTooLarge(json.len()));
        }
        // serde_json bounds the depth (128), the cap above the rest.
        let description: Self = serde_json::from_slice(json).map_err(PackageError::section)?;
        let schemas = [Some(&description.input_schema), description.output_schema.as_ref()];
        if schemas.into_iter().flatten().any(|schema| !schema.is_object()) {
            return Err(PackageError::section("a schema is not an object"));
        }
        if description.title.trim().is_empty() || description.description.trim().is_empty() {
            return Err(PackageError::section("the title or the description is empty"));
        }
        Ok(description)
    }
}

/// What a call changes in the world, as the pack says; the host checks it against what is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effects {
    /// It changes nothing.
    #[serde(default)]
    pub read_only: bool,
    /// It may destroy what was there before.
    #[serde(default)]
    pub destructive: bool,
    /// The same call twice has the effect of one.
    #[serde(default)]
    pub idempotent: bool,
}

/// What a pack would like to be granted, each with its reason in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wants {
    /// Outgoing HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// Directories of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fs: Option<String>,
    /// Questions to the agent's user or its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// A sandbox for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// To keep what its calls make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<String>,
}
