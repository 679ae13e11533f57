//! The tool of an entry that has a command and no component.

use std::borrow::Cow;
use std::sync::Arc;

use packhost_core::Digest;
use packhost_manifest::{CommandPack, Entry};
use packhost_package::Outline;
use packhost_schema::Contract;

use super::build::{compile_output, names_its_workspace};
use super::tool::Export;
use super::{Annotations, Pack, Tool};

pub(super) fn tool(entry: &Entry, command: &CommandPack, packs: &[Arc<Pack>]) -> Result<Tool, String> {
    if entry.session.is_none() {
        return Err("it has a `command` and no `session` to run it in".to_owned());
    }
    if let Some(same) = packs.iter().find(|pack| pack.name == entry.pack) {
        return Err(format!("there is a component of that name ({})", same.origin));
    }
    names_its_workspace(entry, &command.input)?;
    let input = Contract::compile(&command.input)
        .map_err(|error| format!("its input schema: {error}"))?
        .with_examples(command.examples.clone())
        .map_err(|error| format!("its examples: {error}"))?;
    let pack = Arc::new(Pack::of_command(entry.pack.clone(), command));
    let entry = Arc::new(entry.clone());
    Ok(Tool {
        name: pack.name.clone(),
        tool: pack.name.tool(),
        title: command.title.clone().unwrap_or_else(|| pack.name.as_str().replace(['.', '-', '_'], " ")),
        description: command.description.clone(),
        input_schema: Arc::new(command.input.clone()),
        output_schema: command.output.clone().map(Arc::new),
        annotations: Annotations::derive(None, &pack.outline, &entry),
        output: compile_output(command.output.as_ref())?,
        export: Arc::new(Export::Command(Box::new(command.clone()))),
        pack,
        entry,
        input: Arc::new(input),
    })
}

impl Pack {
    /// What stands for the component where there is none: its digest is that of the command and its schemas.
    fn of_command(name: packhost_core::PackName, command: &CommandPack) -> Self {
        let said = serde_json::json!([command.run, command.description, command.input, command.output]);
        let origin = command.place.to_string();
        let digest = Digest::of(said.to_string().as_bytes());
        Self::assemble(name, origin, digest, Outline::default(), Cow::Borrowed(&[]))
    }
}
