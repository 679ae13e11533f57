//! Step 6: what a guest answered, checked before anybody sees it.

use packhost_core::{ErrorCode, Failure};
use serde_json::Value;

use super::event::text;
use super::run::{Raw, clip};
use crate::call::{Answer, Block, ResourceBody};
use crate::capabilities::types;
use crate::catalog::Tool;

pub(super) fn check(tool: &Tool, raw: Raw) -> Result<Answer, Failure> {
    let mut answer = match raw {
        Raw::Handler(output) => {
            fits(tool, weigh(&output))?;
            Answer { structured: structured(tool, output.structured)?, content: content(output.content) }
        }
        Raw::Function(value) => {
            let answer = Answer { structured: value, content: Vec::new() };
            fits(tool, answer.structured.as_ref().map_or(0, |value| text(value).len()))?;
            answer
        }
        Raw::FunctionErr(value) => return Err(function_failed(tool, value)?),
    };
    match (&tool.output, &answer.structured) {
        (Some(contract), Some(value)) => contract.check(value)?,
        (Some(_), None) => {
            let message = format!("{} answered without the data that it promises.", tool.name);
            return Err(Failure::new(ErrorCode::InvalidOutput, message)
                .fix("Tell the operator: the pack is at fault."));
        }
        (None, _) => {}
    }
    if answer.content.is_empty() {
        answer.content.push(Block::Text(answer.structured.as_ref().map_or_else(|| "Done.".to_owned(), text)));
    }
    Ok(answer)
}

/// The function's own error: a sentence for the model, the whole of it for programs. It is bounded as an answer is.
fn function_failed(tool: &Tool, value: Value) -> Result<Failure, Failure> {
    let text = value.to_string();
    fits(tool, text.len())?;
    let mut failure = Failure::new(ErrorCode::HandlerFailed, clip(format!("The function failed: {text}")));
    failure.advice.details = Some(value);
    Ok(failure)
}

fn fits(tool: &Tool, size: usize) -> Result<(), Failure> {
    let limit = tool.entry.limits.output;
    if size as u64 <= limit {
        return Ok(());
    }
    let message = format!("The answer of {} has {size} bytes; it may have {limit}.", tool.name);
    Err(Failure::new(ErrorCode::ResourceExhausted, message).fix("Ask for less in one call."))
}

fn structured(tool: &Tool, text: Option<String>) -> Result<Option<Value>, Failure> {
    let Some(text) = text else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        let message = format!("{} answered something that is not JSON.", tool.name);
        Failure::new(ErrorCode::InvalidOutput, message)
            .fix("Tell the operator: the pack is at fault.")
            .cause(error)
    })
}

/// Bytes of an answer, without what the encoding adds.
fn weigh(output: &types::Output) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let blocks: usize = output
        .content
        .iter()
        .map(|block| match block {
            types::Block::Text(text) => text.len(),
            types::Block::Image(blob) | types::Block::Audio(blob) => blob.data.len() + blob.mime_type.len(),
            types::Block::Resource(resource) => {
                let body = match &resource.body {
                    types::ResourceBody::Text(text) => text.len(),
                    types::ResourceBody::Binary(data) => data.len(),
                };
                resource.uri.len() + optional(&resource.mime_type) + body
            }
            types::Block::Link(link) => {
                let texts = [&link.title, &link.description, &link.mime_type];
                link.uri.len() + link.name.len() + texts.into_iter().map(optional).sum::<usize>()
            }
        })
        .sum();
    optional(&output.structured) + blocks + 64 * output.content.len()
}

fn content(blocks: Vec<types::Block>) -> Vec<Block> {
    blocks
        .into_iter()
        .map(|block| match block {
            types::Block::Text(text) => Block::Text(text),
            types::Block::Image(blob) => Block::Image { mime_type: blob.mime_type, data: blob.data },
            types::Block::Audio(blob) => Block::Audio { mime_type: blob.mime_type, data: blob.data },
            types::Block::Resource(resource) => Block::Resource {
                uri: resource.uri,
                mime_type: resource.mime_type,
                body: match resource.body {
                    types::ResourceBody::Text(text) => ResourceBody::Text(text),
                    types::ResourceBody::Binary(data) => ResourceBody::Binary(data),
                },
            },
            types::Block::Link(link) => Block::Link {
                uri: link.uri,
                name: link.name,
                title: link.title,
                description: link.description,
                mime_type: link.mime_type,
                size: link.size,
            },
        })
        .collect()
}
