//! From packs and a manifest to a catalog.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use packhost_core::PackName;
use packhost_manifest::{Entry, Manifest};
use packhost_package::Description;
use packhost_schema::Contract;
use serde_json::Value;

use super::tool::Export;
use super::{Annotations, Catalog, Pack, Refused, Tool, command};
use crate::capabilities;
use crate::dispatch::workspace::KEY;
use crate::runtime::{Cache, Runtimes};
use crate::wit_json;

/// The catalog of these packs under this manifest. `refused` are the sources that did not even become packs.
pub(crate) async fn build(
    packs: &[Arc<Pack>],
    refused: &[Refused],
    manifest: &Manifest,
    runtimes: &Arc<Runtimes>,
    cache: Option<&Arc<Cache>>,
    generation: u64,
) -> Catalog {
    let mut refused = refused.to_vec();
    let mut tools = Vec::new();
    for pack in packs {
        match serve(pack, manifest, runtimes, cache).await {
            Ok(served) => {
                tools.extend(served.tools);
                refused.extend(served.refused);
            }
            Err(reason) => refused.push(Refused { name: pack.name.to_string(), reason }),
        }
    }
    for entry in manifest.entries().filter(|entry| !entry.denied) {
        let Some(command) = &entry.command else { continue };
        match command::tool(entry, command, packs) {
            Ok(tool) => tools.push(tool),
            Err(reason) => refused.push(Refused { name: entry.pack.to_string(), reason }),
        }
    }
    without_collisions(tools, refused, generation)
}

/// What one pack adds to the catalog.
#[derive(Default)]
struct Served {
    tools: Vec<Tool>,
    refused: Vec<Refused>,
}

async fn serve(
    pack: &Arc<Pack>,
    manifest: &Manifest,
    runtimes: &Arc<Runtimes>,
    cache: Option<&Arc<Cache>>,
) -> Result<Served, String> {
    let entry = manifest.entry(&pack.name).ok_or("the manifest has no entry for it")?;
    // Before anything that it lacks: a denied entry grants nothing, and mending that would change nothing.
    if entry.denied {
        return Err(format!("its entry denies it ({})", entry.place_of("deny")));
    }
    if entry.command.is_some() {
        return Err("its entry names a `command`, which is another pack of that name".to_owned());
    }
    let unmet = capabilities::unmet(&pack.outline, entry);
    if !unmet.is_empty() {
        return Err(unmet.join("; "));
    }
    if let Some(error) = pack.load_error() {
        return Err(error.to_owned());
    }
    let entry = Arc::new(entry.clone());
    if pack.description.is_some() {
        let tool = described(pack, &entry)?;
        return Ok(Served { tools: vec![tool], refused: Vec::new() });
    }
    let loaded =
        pack.loaded(runtimes, cache).await.map_err(|failure| failure.cause.unwrap_or(failure.message))?;
    let found = wit_json::signatures(loaded.pre.component());
    let mut served = Served::default();
    for left_out in found.left_out {
        let name = format!("{} {}", pack.name, left_out.export);
        served.refused.push(Refused { name, reason: left_out.reason.to_string() });
    }
    for signature in found.signatures {
        let name = signature.name.clone();
        match plain(pack, &entry, signature) {
            Ok(tool) => served.tools.push(tool),
            Err(reason) => served.refused.push(Refused { name: format!("{}.{name}", pack.name), reason }),
        }
    }
    Ok(served)
}

/// A pack that works in a workspace has to be told which.
pub(super) fn names_its_workspace(entry: &Entry, input: &Value) -> Result<(), String> {
    let named = input.get("properties").and_then(|properties| properties.get(KEY)).is_some();
    match entry.workspace && !named {
        true => Err(format!("its entry has `workspace`, and its input has no \"{KEY}\"")),
        false => Ok(()),
    }
}

/// The tool of a pack that describes itself.
fn described(pack: &Arc<Pack>, entry: &Arc<Entry>) -> Result<Tool, String> {
    let description = pack.description.as_ref().ok_or("it does not describe itself")?;
    let input = Contract::compile(&description.input_schema)
        .map_err(|error| format!("its input schema: {error}"))?
        .with_examples(description.examples.clone())
        .map_err(|error| format!("its examples: {error}"))?;
    names_its_workspace(entry, &description.input_schema)?;
    let output = compile_output(description.output_schema.as_ref())?;
    Ok(Tool {
        name: pack.name.clone(),
        tool: pack.name.tool(),
        title: description.title.clone(),
        description: description.description.clone(),
        input_schema: Arc::new(with_examples(description)),
        output_schema: description.output_schema.clone().map(Arc::new),
        annotations: Annotations::derive(Some(description), &pack.outline, entry),
        pack: Arc::clone(pack),
        entry: Arc::clone(entry),
        input: Arc::new(input),
        output,
        export: Arc::new(Export::Handler),
    })
}

/// The input's schema as clients see it: a model copies an example sooner than it reads a schema.
fn with_examples(description: &Description) -> Value {
    let mut schema = description.input_schema.clone();
    if let (Some(root), [_, ..]) = (schema.as_object_mut(), description.examples.as_slice()) {
        root.entry("examples").or_insert_with(|| description.examples.clone().into());
    }
    schema
}

/// The tool of one exported function of a component that does not know packhost.
fn plain(pack: &Arc<Pack>, entry: &Arc<Entry>, signature: wit_json::Signature) -> Result<Tool, String> {
    let name: PackName =
        format!("{}.{}", pack.name, signature.name).parse().map_err(|error| format!("{error}"))?;
    let input_schema = signature.input_schema();
    let output_schema = signature.output_schema();
    let input = Contract::compile(&input_schema).map_err(|error| format!("its input schema: {error}"))?;
    Ok(Tool {
        tool: name.tool(),
        title: name.as_str().replace(['.', '-', '_'], " "),
        description: format!("Calls the function {} of the component {}.", signature.name, pack.name),
        input: Arc::new(input),
        output: compile_output(output_schema.as_ref())?,
        input_schema: Arc::new(input_schema),
        output_schema: output_schema.map(Arc::new),
        annotations: Annotations::derive(None, &pack.outline, entry),
        pack: Arc::clone(pack),
        entry: Arc::clone(entry),
        export: Arc::new(Export::Function(Box::new(signature))),
        name,
    })
}

pub(super) fn compile_output(schema: Option<&Value>) -> Result<Option<Arc<Contract>>, String> {
    let compiled = schema.map(Contract::compile).transpose();
    compiled.map(|contract| contract.map(Arc::new)).map_err(|error| format!("its output schema: {error}"))
}

/// Refuses every tool whose name another one has too, under either of its names: which one an agent means could
/// not be known.
fn without_collisions(tools: Vec<Tool>, mut refused: Vec<Refused>, generation: u64) -> Catalog {
    let mut seen: HashMap<&str, u32> = HashMap::new();
    for tool in &tools {
        *seen.entry(tool.tool.as_str()).or_default() += 1;
    }
    let twice: HashSet<String> =
        seen.into_iter().filter(|(_, n)| *n > 1).map(|(name, _)| name.to_owned()).collect();
    let mut catalog = Catalog { generation, ..Catalog::default() };
    let mut kept: BTreeMap<PackName, Arc<Tool>> = BTreeMap::new();
    for tool in tools {
        if twice.contains(tool.tool.as_str()) {
            let reason = format!("another pack is also called {} by clients; neither is served", tool.tool);
            refused.push(Refused { name: format!("{} ({})", tool.name, tool.pack.origin), reason });
        } else {
            catalog.by_tool.insert(tool.tool.as_str().to_owned(), tool.name.clone());
            kept.insert(tool.name.clone(), Arc::new(tool));
        }
    }
    catalog.tools = kept;
    catalog.refused = refused;
    catalog
}
