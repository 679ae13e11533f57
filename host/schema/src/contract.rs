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

/// The most parts that are kept; each may take as much memory as the whole.
const PARTS: usize = 256;

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
        let inner =
            Inner { validator, schema: schema.clone(), examples: Vec::new(), parts: Parts::default() };
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
                let validator =
                    compiler().build(&shared.schema).map_err(|e| SchemaError::from_library(&e))?;
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
        if made.len() >= PARTS {
            return None;
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
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_retriever(Nowhere)
        .with_pattern_options(patterns)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(schema: Value) -> SchemaError {
        Contract::compile(&schema).expect_err(&format!("{schema} was compiled"))
    }

    #[test]
    fn nothing_is_fetched() {
        for reference in [
            "https://example.com/a.json",
            "http://127.0.0.1:9/",
            "file:///etc/passwd",
            "other.json",
            "#/$defs/none",
        ] {
            let error = refused(json!({"properties": {"a": {"$ref": reference}}}));
            assert!(matches!(error, SchemaError::Reference(_)), "{reference}: {error}");
        }
        let with_id = json!({"$id": "https://example.com/root", "properties": {"a": {"$ref": "other"}}});
        assert!(matches!(refused(with_id), SchemaError::Reference(_)));
    }

    #[test]
    fn only_the_one_dialect() {
        let draft7 = refused(json!({"$schema": "http://json-schema.org/draft-07/schema#"}));
        assert_eq!(draft7, SchemaError::Dialect("http://json-schema.org/draft-07/schema#".into()));
        assert!(
            Contract::compile(&json!({"$schema": DIALECT, "prefixItems": [{"type": "integer"}]})).is_ok()
        );
        assert_eq!(refused(json!("schema")), SchemaError::NotASchema);
        let invalid = refused(json!({"properties": {"a": {"type": "int"}}}));
        assert!(
            matches!(&invalid, SchemaError::Invalid { pointer, .. } if pointer == "/properties/a/type"),
            "{invalid}"
        );
    }

    #[test]
    fn schemas_have_bounds() {
        let deep = (0..40).fold(json!({}), |inner, _| json!({"properties": {"a": inner}}));
        assert_eq!(refused(deep), SchemaError::TooDeep);
        assert_eq!(refused(json!({"enum": vec![0; 20_000]})), SchemaError::TooLarge);
        let pattern = json!({"pattern": "(a{1000}){1000}"});
        assert!(Contract::compile(&pattern).is_err(), "a pattern that compiles to gigabytes");
    }

    #[test]
    fn references_may_go_in_circles() {
        for schema in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
        ] {
            let contract = Contract::compile(&schema).expect("a schema");
            assert!(contract.accept(json!({"a": 1})).is_ok());
        }
        let node = json!({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}, "required": ["left", "right"]});
        let contract = Contract::compile(&node).expect("a schema that nothing matches");
        let failure = contract.accept(json!({"left": {}})).expect_err("no finite input matches");
        assert_eq!(failure.advice.example, None);
    }

    #[test]
    fn examples_must_match() {
        let schema = json!({"type": "object", "required": ["a"]});
        let contract = Contract::compile(&schema).expect("a schema");
        let error =
            contract.clone().with_examples(vec![json!({"a": 1}), json!({})]).expect_err("a wrong example");
        assert!(matches!(error, SchemaError::Example { index: 1, .. }), "{error}");
        let shared = contract.clone();
        let with = contract.with_examples(vec![json!({"a": 1})]).expect("a right example");
        assert_eq!(with.accept(json!({})).expect_err("a is missing").advice.example, Some(json!({"a": 1})));
        assert_ne!(shared.accept(json!({})).expect_err("a is missing").advice.example, Some(json!({"a": 1})));
    }

    #[test]
    fn shared_between_threads() {
        fn shareable<T: Send + Sync + Clone>() {}
        shareable::<Contract>();
    }
}
