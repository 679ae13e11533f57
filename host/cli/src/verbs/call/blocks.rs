//! Content blocks as JSON, in the form that MCP gives them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhost_engine::{Block, ResourceBody};
use serde_json::{Value, json};

/// One block; bytes as base64 (RFC 4648 section 4), what is absent left out.
pub(super) fn to_json(block: &Block) -> Value {
    match block {
        Block::Text(text) => json!({ "type": "text", "text": text }),
        Block::Image { mime_type, data } => bytes("image", mime_type, data),
        Block::Audio { mime_type, data } => bytes("audio", mime_type, data),
        Block::Resource { uri, mime_type, body } => {
            let (key, content) = match body {
                ResourceBody::Text(text) => ("text", text.clone()),
                ResourceBody::Binary(data) => ("blob", STANDARD.encode(data)),
            };
            let resource = said(json!({ "uri": uri, "mimeType": mime_type, key: content }));
            json!({ "type": "resource", "resource": resource })
        }
        Block::Link { uri, name, title, description, mime_type, size } => said(json!({
            "type": "resource_link", "uri": uri, "name": name, "title": title,
            "description": description, "mimeType": mime_type, "size": size,
        })),
    }
}

fn bytes(kind: &str, mime_type: &str, data: &[u8]) -> Value {
    json!({ "type": kind, "mimeType": mime_type, "data": STANDARD.encode(data) })
}

/// An object without its nulls.
fn said(mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, field| !field.is_null());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_the_form_of_the_protocol() {
        let image = Block::Image { mime_type: "image/png".into(), data: vec![0xff, 0xfe] };
        assert_eq!(to_json(&image), json!({"type": "image", "mimeType": "image/png", "data": "//4="}));
        let resource = |body| to_json(&Block::Resource { uri: "test://a".into(), mime_type: None, body });
        assert_eq!(
            resource(ResourceBody::Text("t".into())),
            json!({"type": "resource", "resource": {"uri": "test://a", "text": "t"}})
        );
        assert_eq!(
            resource(ResourceBody::Binary(vec![0])),
            json!({"type": "resource", "resource": {"uri": "test://a", "blob": "AA=="}})
        );
        let link = Block::Link {
            uri: "file:///a".into(),
            name: "a".into(),
            title: None,
            description: None,
            mime_type: Some("text/plain".into()),
            size: Some(7),
        };
        assert_eq!(
            to_json(&link),
            json!({"type": "resource_link", "uri": "file:///a", "name": "a", "mimeType": "text/plain", "size": 7})
        );
    }
}
