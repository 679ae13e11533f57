//! What an answer says of artifacts: a link to each, images and small texts as they are, and which files were not kept and why.

use bytes::Bytes;
use packhost_artifacts::{Artifact, MediaType};
use serde_json::Value;

use super::keep::Kept;
use super::{Left, MOST, OUT, Refused, uri};
use crate::call::{Answer, Block, ResourceBody};

/// The largest image that an answer holds, in bytes.
const IMAGE: u64 = 512 << 10;
/// The largest text that an answer holds, in bytes.
const TEXT: u64 = 8 << 10;
/// What all of them take in one answer at most, in bytes; less where `limits.output` leaves less.
const ALL: u64 = 1 << 20;
/// Files that were not kept, of which an answer speaks by name.
const NAMED: usize = 10;
/// Letters of a name of those.
const NAME: usize = 100;

/// Images that models take, each with what such a file begins with: an answer with an image that is none breaks the
/// conversation of an agent that hands it on.
const IMAGES: [(&str, &[&[u8]]); 4] = [
    ("image/png", &[b"\x89PNG\r\n\x1a\n"]),
    ("image/jpeg", &[b"\xff\xd8\xff"]),
    ("image/gif", &[b"GIF87a", b"GIF89a"]),
    ("image/webp", &[b"RIFF"]),
];

/// Whether something of this kind and size is shown as it is, if it is what it says.
pub(super) fn may_be_shown(media_type: &MediaType, size: u64) -> bool {
    let essence = media_type.essence();
    match is_text(&essence) {
        true => size <= TEXT,
        false => size <= IMAGE && beginnings(&essence).is_some(),
    }
}

/// Adds to an answer what its call has left.
pub(super) fn add(answer: &mut Answer, left: &Left, output: u64) {
    let mut room = output.saturating_sub(weigh(answer)).min(ALL);
    for kept in &left.kept {
        if !is_linked(answer, &kept.artifact) {
            answer.content.push(link(&kept.artifact));
        }
        if let Some(block) = shown(kept)
            && kept.artifact.size <= room
        {
            room -= kept.artifact.size;
            answer.content.push(block);
        }
    }
    answer.content.extend(not_kept(left).map(Block::Text));
}

/// About what is in it already, in bytes. The text of one without blocks of its own is its data once more.
fn weigh(answer: &Answer) -> u64 {
    let blocks = answer.content.iter().map(|block| match block {
        Block::Text(text) => text.len(),
        Block::Image { data, .. } | Block::Audio { data, .. } => data.len(),
        Block::Resource { body: ResourceBody::Text(text), .. } => text.len(),
        Block::Resource { body: ResourceBody::Binary(data), .. } => data.len(),
        Block::Link { .. } => 0,
    });
    let data = answer.structured.as_ref().map_or(0, |value: &Value| value.to_string().len());
    (data as u64).max(blocks.sum::<usize>() as u64)
}

/// Whether the pack has said so itself.
fn is_linked(answer: &Answer, artifact: &Artifact) -> bool {
    let own = uri(artifact);
    answer.content.iter().any(|block| matches!(block, Block::Link { uri, .. } if *uri == own))
}

fn link(artifact: &Artifact) -> Block {
    Block::Link {
        uri: uri(artifact),
        name: artifact.name.to_string(),
        title: None,
        description: None,
        mime_type: Some(artifact.media_type.to_string()),
        size: Some(artifact.size),
    }
}

/// The bytes as a block, where they are what the name says.
fn shown(kept: &Kept) -> Option<Block> {
    let (bytes, essence) = (kept.bytes.as_ref()?, kept.artifact.media_type.essence());
    if is_text(&essence) {
        let body = ResourceBody::Text(text(bytes)?);
        return Some(Block::Resource { uri: uri(&kept.artifact), mime_type: Some(essence), body });
    }
    let begins = beginnings(&essence)?.iter().any(|beginning| bytes.starts_with(beginning));
    begins.then(|| Block::Image { mime_type: essence, data: bytes.to_vec() })
}

fn text(bytes: &Bytes) -> Option<String> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).map(str::to_owned)
}

fn is_text(essence: &str) -> bool {
    essence.starts_with("text/") || essence == "application/json"
}

fn beginnings(essence: &str) -> Option<&'static [&'static [u8]]> {
    IMAGES.iter().find(|(image, _)| *image == essence).map(|(_, beginnings)| *beginnings)
}

/// In a text for the model: it may make the rest smaller, or fewer.
fn not_kept(left: &Left) -> Option<String> {
    let mut lines: Vec<_> = left.refused.iter().take(NAMED).map(line).collect();
    if left.refused.len() > NAMED {
        lines.push(format!("{} more files of {OUT}/ were not kept.", left.refused.len() - NAMED));
    }
    if left.more {
        lines.push(format!("There is more in {OUT}/ than the {MOST} files that one call may leave."));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The name is a program's: it stays one line, whatever is in it.
fn line(refused: &Refused) -> String {
    let name: String = refused.name.chars().take(NAME).flat_map(char::escape_debug).collect();
    format!("{OUT}/{name} was not kept: {}.", refused.why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> MediaType {
        text.parse().expect("a media type")
    }

    #[test]
    fn what_is_too_large_is_a_link_alone() {
        assert!(may_be_shown(&kind("image/png"), IMAGE) && !may_be_shown(&kind("image/png"), IMAGE + 1));
        assert!(may_be_shown(&kind("text/csv"), TEXT) && !may_be_shown(&kind("text/csv"), TEXT + 1));
        assert!(!may_be_shown(&kind("image/svg+xml"), 10), "no model takes it for an image");
        assert!(!may_be_shown(&kind("application/octet-stream"), 10));
    }

    #[test]
    fn the_name_of_what_was_not_kept_stays_in_its_line_and_has_an_end() {
        let refused = Refused { name: format!("a\nb\u{202e}{}", "c".repeat(1_000)), why: "it is odd".into() };
        let said = line(&refused);
        assert!(!said.contains('\n') && !said.contains('\u{202e}'), "{said}");
        assert!(said.len() < 200 && said.ends_with(" was not kept: it is odd."), "{said}");
    }

    #[test]
    fn few_of_many_that_were_not_kept_are_named() {
        let refused = |n| Refused { name: format!("f{n}"), why: "no".into() };
        let left = Left { refused: (0..50).map(refused).collect(), more: true, ..Left::default() };
        let said = not_kept(&left).expect("it is said");
        assert_eq!(said.lines().count(), NAMED + 2, "{said}");
        assert!(said.contains("40 more files"), "{said}");
        assert_eq!(not_kept(&Left::default()), None);
    }
}
