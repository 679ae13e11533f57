//! Which functions of a component can be tools.

use std::collections::BTreeMap;

use packhost_core::PackName;
use packhost_schema::Contract;
use serde_json::Value;
use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};

use super::Signature;
use super::shape::{Budget, Member, NoShape, Shape};

/// The most functions of one component that can be tools.
const MAX_FUNCTIONS: usize = 256;

/// What a component offers.
#[derive(Debug, Default)]
pub(crate) struct Discovered {
    /// What can be called, sorted by name.
    pub(crate) signatures: Vec<Signature>,
    /// What cannot, and why.
    pub(crate) left_out: Vec<LeftOut>,
}

/// An export that is no tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the export {export} is not a tool: {reason}")]
pub(crate) struct LeftOut {
    /// The export as the component names it: `add`, or `demo:text/count@0.1.0#words`.
    pub(crate) export: String,
    /// Why.
    pub(crate) reason: Unsupported,
}

/// Why an export is no tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsupported {
    /// WASI's or this host's own, such as `wasi:cli/run`.
    #[error("it is an entry point for hosts")]
    EntryPoint,
    /// A method, constructor or static function.
    #[error("it belongs to a resource, and resources do not outlive a call")]
    OfResource,
    /// An instance in an instance, a core module, a component.
    #[error("it is neither a function nor an interface of functions")]
    NotAFunction,
    /// The name, without package and version, is not one.
    #[error("{0}")]
    Name(String),
    /// A parameter's type has no JSON form.
    #[error("its parameter \"{0}\" holds {1}")]
    Parameter(String, NoShape),
    /// The result's type has no JSON form.
    #[error("its result holds {0}")]
    Result(NoShape),
    /// More than [`Contract`] takes.
    #[error("the JSON Schema of its {0} is larger than {max} values or deeper than {depth} levels",
        max = Contract::MAX_NODES, depth = Contract::MAX_DEPTH)]
    Schema(&'static str),
    /// Two exports, one name.
    #[error("the exports {0} would all be called \"{1}\"")]
    Collision(String, String),
    /// This one and all after it.
    #[error("a component may have {MAX_FUNCTIONS} functions that are tools, and this is one more")]
    TooMany,
}

/// Reads the exported functions of a component: those at its root and those in its exported interfaces. Nothing is run.
pub(crate) fn signatures(component: &Component) -> Discovered {
    let mut walk =
        Walk { component, engine: component.engine(), found: BTreeMap::new(), left_out: Vec::new() };
    if let Err(full) = walk.root() {
        walk.left_out.push(full);
    }
    walk.finish()
}

struct Walk<'c> {
    component: &'c Component,
    engine: &'c Engine,
    found: BTreeMap<String, Vec<(String, Signature)>>,
    left_out: Vec<LeftOut>,
}

impl Walk<'_> {
    fn root(&mut self) -> Result<(), LeftOut> {
        let ty = self.component.component_type();
        for (name, export) in ty.exports(self.engine) {
            if of_hosts(name) || export.implements.is_some_and(of_hosts) {
                self.leave(name, Unsupported::EntryPoint);
                continue;
            }
            match export.ty {
                ComponentItem::ComponentFunc(func) => self.function(None, name, &func)?,
                ComponentItem::ComponentInstance(instance) => self.interface(name, &instance)?,
                ComponentItem::Type(_) | ComponentItem::Resource(_) => {}
                _ => self.leave(name, Unsupported::NotAFunction),
            }
        }
        Ok(())
    }

    fn interface(&mut self, name: &str, instance: &ComponentInstance) -> Result<(), LeftOut> {
        let Some(index) = self.component.get_export_index(None, name) else { return Ok(()) };
        for (function, export) in instance.exports(self.engine) {
            match export.ty {
                ComponentItem::ComponentFunc(func) => self.function(Some((name, index)), function, &func)?,
                ComponentItem::Type(_) | ComponentItem::Resource(_) => {}
                _ => self.leave(&format!("{name}#{function}"), Unsupported::NotAFunction),
            }
        }
        Ok(())
    }

    fn function(
        &mut self,
        interface: Option<(&str, ComponentExportIndex)>,
        function: &str,
        func: &ComponentFunc,
    ) -> Result<(), LeftOut> {
        let export = match interface {
            Some((interface, _)) => format!("{interface}#{function}"),
            None => function.to_owned(),
        };
        if self.found.values().map(Vec::len).sum::<usize>() >= MAX_FUNCTIONS {
            return Err(LeftOut { export, reason: Unsupported::TooMany });
        }
        match self.signature(interface, function, func) {
            Ok(signature) => {
                self.found.entry(signature.name.clone()).or_default().push((export, signature));
            }
            Err(reason) => self.left_out.push(LeftOut { export, reason }),
        }
        Ok(())
    }

    fn signature(
        &self,
        interface: Option<(&str, ComponentExportIndex)>,
        function: &str,
        func: &ComponentFunc,
    ) -> Result<Signature, Unsupported> {
        let name = tool_name(interface.map(|(name, _)| name), function)?;
        let mut budget = Budget::new();
        let mut params = Vec::new();
        for (name, ty) in func.params() {
            let shape =
                Shape::read(&ty, &mut budget).map_err(|why| Unsupported::Parameter(name.into(), why))?;
            params.push(Member { name: name.into(), shape });
        }
        let result = func.results().next().map(|ty| Shape::read(&ty, &mut budget)).transpose();
        let result = result.map_err(Unsupported::Result)?;
        let export = self.component.get_export_index(interface.as_ref().map(|(_, index)| index), function);
        let export = export.ok_or(Unsupported::NotAFunction)?;
        let signature = Signature { name, export, params, result };
        if !fits(&signature.input_schema(), Contract::MAX_DEPTH, &mut { Contract::MAX_NODES }) {
            return Err(Unsupported::Schema("input"));
        }
        let output = signature.output_schema();
        if output.is_some_and(|schema| !fits(&schema, Contract::MAX_DEPTH, &mut { Contract::MAX_NODES })) {
            return Err(Unsupported::Schema("output"));
        }
        Ok(signature)
    }

    fn leave(&mut self, export: &str, reason: Unsupported) {
        self.left_out.push(LeftOut { export: export.to_owned(), reason });
    }

    fn finish(self) -> Discovered {
        let Self { found, mut left_out, .. } = self;
        let mut signatures = Vec::new();
        for (name, mut named) in found {
            if named.len() == 1 {
                signatures.extend(named.pop().map(|(_, signature)| signature));
                continue;
            }
            let all: Vec<_> = named.iter().map(|(export, _)| export.as_str()).collect();
            let all = all.join(" and ");
            left_out.extend(named.into_iter().map(|(export, _)| LeftOut {
                export,
                reason: Unsupported::Collision(all.clone(), name.clone()),
            }));
        }
        Discovered { signatures, left_out }
    }
}

/// Interfaces that say how a host starts a component, not what the component can do for a caller.
fn of_hosts(export: &str) -> bool {
    export.starts_with("wasi:") || export.starts_with("packhost:")
}

/// `demo:text/count@0.1.0` and `words` make `count.words`. WIT names are unique whatever their case; tool names are
/// lower case.
fn tool_name(interface: Option<&str>, function: &str) -> Result<String, Unsupported> {
    if function.starts_with('[') {
        return Err(Unsupported::OfResource);
    }
    let name = match interface {
        Some(interface) => {
            let unversioned = interface.split('@').next().unwrap_or(interface);
            let short = unversioned.rsplit('/').next().unwrap_or(unversioned);
            format!("{short}.{function}")
        }
        None => function.to_owned(),
    };
    let name: PackName = name
        .to_ascii_lowercase()
        .parse()
        .map_err(|why: packhost_core::NameError| Unsupported::Name(why.to_string()))?;
    Ok(name.into())
}

/// Whether a schema is within what a [`Contract`] takes.
fn fits(value: &Value, depth: usize, nodes: &mut usize) -> bool {
    let Some(left) = nodes.checked_sub(1) else { return false };
    *nodes = left;
    let mut within = |value: &Value| depth > 0 && fits(value, depth - 1, nodes);
    match value {
        Value::Array(items) => items.iter().all(&mut within),
        Value::Object(map) => map.values().all(&mut within),
        _ => true,
    }
}
