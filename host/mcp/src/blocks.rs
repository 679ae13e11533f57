//! Content blocks as they go over the wire.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhost_engine::{Block, ResourceBody};
use rmcp::model::{ContentBlock, Resource, ResourceContents};

/// One block (specification 2026-07-28, "Tool Result"). Bytes become base64 (RFC 4648 section 4).
pub(crate) fn on_the_wire(block: Block) -> ContentBlock {
    match block {
        Block::Text(text) => ContentBlock::text(text),
        Block::Image { mime_type, data } => ContentBlock::image(STANDARD.encode(data), mime_type),
        Block::Audio { mime_type, data } => ContentBlock::audio(STANDARD.encode(data), mime_type),
        Block::Resource { uri, mime_type, body } => ContentBlock::resource(match body {
            ResourceBody::Text(text) => {
                ResourceContents::TextResourceContents { uri, mime_type, text, meta: None }
            }
            ResourceBody::Binary(bytes) => {
                let blob = STANDARD.encode(bytes);
                ResourceContents::BlobResourceContents { uri, mime_type, blob, meta: None }
            }
        }),
        Block::Link { uri, name, title, description, mime_type, size } => {
            let mut link = Resource::new(uri, name);
            link.title = title;
            link.description = description;
            link.mime_type = mime_type;
            link.size = size;
            ContentBlock::resource_link(link)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn wire(block: Block) -> Value {
        serde_json::to_value(on_the_wire(block)).expect("a content block is JSON")
    }

    #[test]
    fn every_block_is_what_the_schema_has() {
        assert_eq!(wire(Block::Text("hi".into())), json!({"type": "text", "text": "hi"}));
        let image = Block::Image { mime_type: "image/png".into(), data: vec![0xff, 0xfe] };
        assert_eq!(wire(image), json!({"type": "image", "mimeType": "image/png", "data": "//4="}));
        let audio = Block::Audio { mime_type: "audio/wav".into(), data: vec![1] };
        assert_eq!(wire(audio), json!({"type": "audio", "mimeType": "audio/wav", "data": "AQ=="}));
    }

    #[test]
    fn an_embedded_resource_is_text_or_a_blob() {
        let of = |body| Block::Resource { uri: "test://a".into(), mime_type: Some("text/x".into()), body };
        assert_eq!(
            wire(of(ResourceBody::Text("t".into()))),
            json!({"type": "resource", "resource": {"uri": "test://a", "mimeType": "text/x", "text": "t"}})
        );
        assert_eq!(
            wire(of(ResourceBody::Binary(vec![0]))),
            json!({"type": "resource", "resource": {"uri": "test://a", "mimeType": "text/x", "blob": "AA=="}})
        );
    }

    #[test]
    fn a_link_says_no_more_than_it_has() {
        let link = |title: Option<&str>, size| Block::Link {
            uri: "file:///a".into(),
            name: "a".into(),
            title: title.map(Into::into),
            description: None,
            mime_type: None,
            size,
        };
        assert_eq!(wire(link(None, None)), json!({"type": "resource_link", "uri": "file:///a", "name": "a"}));
        assert_eq!(
            wire(link(Some("A"), Some(7))),
            json!({"type": "resource_link", "uri": "file:///a", "name": "a", "title": "A", "size": 7})
        );
    }
}
