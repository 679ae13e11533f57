//! Inputs as an agent may send them, against schemas as packs have them. What is accepted is valid, and accepted again
//! without a change; what was valid is not touched; what is refused was invalid, and the example in the refusal is not.
//!
//! The first byte chooses the schema, the rest is JSON; what is no JSON is a string that an agent sent.

use std::sync::LazyLock;

use packhost_core::ErrorCode;
use packhost_schema::Contract;
use serde_json::{Value, json};

/// A schema, as it is served and as the validator has it by itself.
struct Pack {
    contract: Contract,
    reference: jsonschema::Validator,
}

static PACKS: LazyLock<Vec<Pack>> = LazyLock::new(|| {
    let pack = |schema: Value| Pack {
        reference: jsonschema::draft202012::new(&schema).expect("a schema"),
        contract: Contract::compile(&schema).expect("a schema"),
    };
    let mut packs: Vec<Pack> =
        [fetch(), tagged(), lists(), tree(), combined(), conditional()].map(pack).into();
    for Pack { contract, .. } in &mut packs[..1] {
        let example = json!({"url": "https://example.org/", "max_bytes": 100});
        *contract = contract.clone().with_examples(vec![example]).expect("a valid example");
    }
    packs
});

pub(crate) fn fuzz(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let Pack { contract, reference } = &PACKS[usize::from(*first) % PACKS.len()];
    let input = serde_json::from_slice(rest).unwrap_or_else(|_| String::from_utf8_lossy(rest).into());
    let valid = reference.is_valid(&input);
    assert_eq!(contract.check(&input).is_ok(), valid);
    match contract.accept(input.clone()) {
        Ok(accepted) => {
            assert!(reference.is_valid(&accepted.value), "{} is not valid", accepted.value);
            assert_eq!(accepted.mends.is_empty(), valid, "{:?}", accepted.mends);
            assert!(!valid || accepted.value == input, "what was valid is touched");
            accepted.mends.iter().for_each(|mend| assert!(mend.to_string().len() < 4096, "{mend}"));
            let again = contract.accept(accepted.value.clone()).expect("what was accepted is accepted");
            assert!(again.mends.is_empty() && again.value == accepted.value);
        }
        Err(failure) => {
            assert!(!valid, "a valid input was refused: {failure}");
            assert_eq!(failure.code, ErrorCode::InvalidInput);
            assert!(failure.to_json().to_string().len() < 8192, "a refusal stays short");
            if let Some(example) = &failure.advice.example {
                assert!(reference.is_valid(example), "the example {example} is not valid");
            }
        }
    }
}

/// Scalars of every type beside each other, nothing else allowed.
fn fetch() -> Value {
    json!({
        "type": "object",
        "properties": {
            "url": {"type": "string", "format": "uri"},
            "method": {"enum": ["GET", "POST", 5, true, null], "default": "GET"},
            "max_bytes": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000, "multipleOf": 5},
            "follow": {"type": "boolean"},
            "ratio": {"type": "number", "exclusiveMinimum": 0},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 3},
            "a~/b": {"const": "5"}
        },
        "required": ["url"],
        "additionalProperties": false
    })
}

/// Alternatives, told apart by a tag and by their shape.
fn tagged() -> Value {
    json!({
        "oneOf": [
            {"type": "object", "properties": {"kind": {"const": "file"}, "path": {"type": "string"}}, "required": ["kind", "path"], "additionalProperties": false},
            {"type": "object", "properties": {"kind": {"const": "page"}, "number": {"type": "integer"}}, "required": ["kind", "number"], "additionalProperties": false},
            {"type": "object", "properties": {"any": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "string"}}, {"$ref": "#"}]}}, "required": ["any"], "additionalProperties": false}
        ]
    })
}

/// Lists of everything, also as the input itself.
fn lists() -> Value {
    json!({
        "type": ["array", "object"],
        "prefixItems": [{"type": "integer"}, {"type": ["string", "boolean"]}],
        "items": {"type": "array", "items": {"type": "number"}, "uniqueItems": true, "maxItems": 4},
        "contains": {"type": "integer"},
        "properties": {
            "ids": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
            "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2}}
        },
        "minProperties": 1,
        "additionalProperties": {"type": "array", "items": {"type": "boolean"}}
    })
}

/// A schema that refers to itself.
fn tree() -> Value {
    json!({
        "$ref": "#/$defs/node",
        "$defs": {"node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "left": {"$ref": "#/$defs/node"},
                "right": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "more": {"type": "array", "items": {"$ref": "#/$defs/node"}}
            },
            "required": ["value"],
            "additionalProperties": false
        }}
    })
}

/// Names that differ in spelling alone, over several parts.
fn combined() -> Value {
    json!({
        "type": "object",
        "allOf": [
            {"properties": {"max_bytes": {"type": "integer"}, "maxBytes": {"type": "string"}}},
            {"properties": {"user_name": {"type": "string"}, "input": {"type": "object"}}, "required": ["user_name"]},
            {"anyOf": [{"properties": {"MaxBytes": {"type": "boolean"}}}, {"required": ["params"]}]}
        ],
        "patternProperties": {"^x-": {"type": ["integer", "boolean"]}},
        "propertyNames": {"maxLength": 12},
        "unevaluatedProperties": false
    })
}

/// What is required depends on what is there.
fn conditional() -> Value {
    json!({
        "type": "object",
        "properties": {
            "mode": {"enum": ["read", "write"]},
            "text": {"type": "string", "minLength": 1, "maxLength": 9},
            "count": {"type": "integer", "not": {"const": 7}}
        },
        "if": {"properties": {"mode": {"const": "write"}}, "required": ["mode"]},
        "then": {"required": ["text"]},
        "else": {"properties": {"text": false}},
        "dependentRequired": {"count": ["mode"]},
        "dependentSchemas": {"text": {"properties": {"count": {"maximum": 3}}}},
        "additionalProperties": {"type": "string"}
    })
}
