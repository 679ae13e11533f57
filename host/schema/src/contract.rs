//! A schema, compiled once and shared by every call.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, Registry, Retrieve, Uri, ValidationError, Validator};
use serde_json::{Value, json};

/// The one dialect that is served.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What one side of a pack's conversation looks like: a compiled JSON Schema 2020-12. Cheap to clone.
#[derive(Clone)]
pub struct Contract {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) validator: Validator,
    pub(crate) schema: Value,
    pub(crate) examples: Vec<Value>,
    parts: Parts,
}

/// Validators of parts of the schema, made when a refusal or a mend first asks for them.
#[derive(Default)]
struct Parts {
    registry: OnceLock<Option<Registry<'static>>>,
    made: Mutex<HashMap<String, Option<Arc<Validator>>>>,
}

/// Under what name the parts refer to the whole schema.
const WHOLE: &str = "urn:packhost:schema";

/// Why a schema cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A schema is an object or a boolean.
    #[error("a schema is a JSON object or a boolean")]
    NotASchema,
    /// More JSON values than [`Contract::MAX_NODES`].
    #[error("the schema has more than {} JSON values", Contract::MAX_NODES)]
    TooLarge,
    /// Nested deeper than [`Contract::MAX_DEPTH`].
    #[error("the schema is nested deeper than {} levels", Contract::MAX_DEPTH)]
    TooDeep,
    /// `$schema` names another dialect than 2020-12.
    #[error("the schema is written for {0}; only JSON Schema 2020-12 is served")]
    Dialect(String),
    /// A `$ref` to something that is not in the schema itself. Nothing is ever fetched.
    #[error("the schema refers to something outside itself, and nothing is fetched: {0}")]
    Reference(String),
    /// The schema breaks the rules of JSON Schema 2020-12.
    #[error("{pointer}: {reason}")]
    Invalid {
        /// Where in the schema, as a JSON pointer.
        pointer: String,
        /// What is wrong there.
        reason: String,
    },
    /// An example that the schema does not allow.
    #[error("example {index} does not match the schema: {reason}")]
    Example {
        /// Which one, counted from 0.
        index: usize,
        /// Where and why.
        reason: String,
    },
}

impl Contract {
    /// The most JSON values a schema may be made of.
    pub const MAX_NODES: usize = 20_000;
    /// The deepest a schema may nest.
    pub const MAX_DEPTH: usize = 64;

    /// Compiles a JSON Schema 2020-12; without `$schema` it is taken for one. Formats are annotations, as the
    /// specification has it (Validation 7.2.1).
    ///
    /// # Errors
    /// When the schema is too large, of another dialect, broken, or refers to something outside itself.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        if !schema.is_object() && !schema.is_boolean() {
            return Err(SchemaError::NotASchema);
        }
        bounds(schema, 0, &mut 0)?;
        dialect(schema)?;
        let validator = compiler().build(schema).map_err(|error| SchemaError::from_library(&error))?;
        let inner = Inner { validator, schema: schema.clone(), examples: Vec::new(), parts: Parts::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Adds inputs that work as they stand; refusals prefer their values over invented ones.
    ///
    /// # Errors
    /// When one of them does not match the schema.
    pub fn with_examples(self, examples: Vec<Value>) -> Result<Self, SchemaError> {
        for (index, example) in examples.iter().enumerate() {
            if let Err(error) = self.inner.validator.validate(example) {
                let reason = format!("{}: {}", error.instance_path(), error);
                return Err(SchemaError::Example { index, reason });
            }
        }
        let inner = match Arc::try_unwrap(self.inner) {
            Ok(inner) => Inner { examples, ..inner },
            Err(shared) => {
                let validator = compiler().build(&shared.schema).map_err(|e| SchemaError::from_library(&e))?;
                Inner { validator, schema: shared.schema.clone(), examples, parts: Parts::default() }
            }
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The schema as it was given.
    pub fn schema(&self) -> &Value {
        &self.inner.schema
    }
}

impl Inner {
    /// The validator of the part of the schema at this JSON pointer.
    pub(crate) fn alternative(&self, pointer: &str) -> Option<Arc<Validator>> {
        let mut made = self.parts.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(pointer) {
            return known.clone();
        }
        let registry = self.parts.registry.get_or_init(|| whole(&self.schema)).as_ref()?;
        let reference = json!({ "$ref": format!("{WHOLE}#{}", fragment(pointer)) });
        let validator = compiler().with_registry(registry).build(&reference).ok().map(Arc::new);
        made.insert(pointer.to_owned(), validator.clone());
        validator
    }
}

fn whole(schema: &Value) -> Option<Registry<'static>> {
    let builder = Registry::new().retriever(Nowhere).draft(Draft::Draft202012);
    builder.add(WHOLE, schema.clone()).ok()?.prepare().ok()
}

/// Percent-encodes what may not stand in a fragment (RFC 3986 section 3.5).
fn fragment(pointer: &str) -> String {
    let mut encoded = String::new();
    for byte in pointer.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Fetches nothing.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("{uri} is not in the schema").into())
    }
}

impl fmt::Debug for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contract").field("schema", &self.inner.schema).finish_non_exhaustive()
    }
}

/// Bounded in time and memory: no fetching, and patterns with a small backtracking and size limit.
pub(crate) fn compiler<'i>() -> jsonschema::ValidationOptions<'i> {
    let patterns = PatternOptions::fancy_regex().backtrack_limit(100_000).size_limit(1 << 20);
    jsonschema::options().with_draft(Draft::Draft202012).with_retriever(Nowhere).with_pattern_options(patterns)
}

impl SchemaError {
    pub(crate) fn from_library(error: &ValidationError<'_>) -> Self {
        match error.kind() {
            ValidationErrorKind::Referencing(reason) => Self::Reference(reason.to_string()),
            _ => Self::Invalid { pointer: error.instance_path().to_string(), reason: error.to_string() },
        }
    }
}

fn bounds(value: &Value, depth: usize, nodes: &mut usize) -> Result<(), SchemaError> {
    *nodes += 1;
    if *nodes > Contract::MAX_NODES {
        return Err(SchemaError::TooLarge);
    }
    if depth > Contract::MAX_DEPTH {
        return Err(SchemaError::TooDeep);
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| bounds(item, depth + 1, nodes)),
        Value::Object(map) => map.values().try_for_each(|item| bounds(item, depth + 1, nodes)),
        _ => Ok(()),
    }
}

fn dialect(schema: &Value) -> Result<(), SchemaError> {
    match schema.get("$schema") {
        Some(Value::String(dialect)) if dialect.trim_end_matches('#') != DIALECT => {
            Err(SchemaError::Dialect(dialect.clone()))
        }
        _ => Ok(()),
    }
}
