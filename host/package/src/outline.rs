//! What a component asks for and how much one instance of it takes, read from its bytes.

use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentDefinedType, ComponentExternalKind,
    ComponentInstance, ComponentOuterAliasKind, ComponentType, ComponentTypeDeclaration, Instance,
    InstanceTypeDeclaration, Payload,
};

use crate::PackageError;
use crate::walk::{Piece, is_component_header, walk};

/// What a component asks for and how much one instance of it takes, read without compiling it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outline {
    /// What it imports, such as `wasi:http/outgoing-handler@0.2.6`, in the component's order.
    pub imports: Vec<String>,
    /// What it exports, in the component's order.
    pub exports: Vec<String>,
    /// It needs the component model's async half (WASI 0.3): async functions, streams, futures, tasks.
    pub uses_async: bool,
    /// What one instance takes.
    pub needs: Needs,
}

/// What one instance of a component takes from an allocator. Counts saturate; what cannot be told from the bytes (a
/// module or component that is itself imported) counts as [`u32::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Instances of core modules.
    pub core_instances: u32,
    /// Linear memories that those define.
    pub memories: u32,
    /// Tables that those define.
    pub tables: u32,
    /// Instances of nested components; the outermost one is not counted.
    pub component_instances: u32,
}

impl Needs {
    const UNKNOWN: Self = Self {
        core_instances: u32::MAX,
        memories: u32::MAX,
        tables: u32::MAX,
        component_instances: u32::MAX,
    };

    fn plus(self, other: Self) -> Self {
        Self {
            core_instances: self.core_instances.saturating_add(other.core_instances),
            memories: self.memories.saturating_add(other.memories),
            tables: self.tables.saturating_add(other.tables),
            component_instances: self.component_instances.saturating_add(other.component_instances),
        }
    }
}

/// How many types may stand inside types in one section. Tools write two or three.
const NESTED_TYPES: usize = 200;

impl Outline {
    /// Reads the outline. Time and memory are linear in the bytes; function bodies are not looked at.
    ///
    /// # Errors
    ///
    /// [`PackageError`], for any bytes whatever. That this succeeds does not mean that the component is valid.
    pub fn read(component: &[u8]) -> Result<Self, PackageError> {
        let mut scan = Scan::default();
        walk(component, |piece| scan.visit(component, piece))?;
        let mut outline = scan.outline;
        let p3 = |name: &String| name.starts_with("wasi:") && name.contains("@0.3");
        outline.uses_async |= outline.imports.iter().chain(&outline.exports).any(p3);
        Ok(outline)
    }
}

/// The index spaces of a component, as far as instances are concerned: what one instance of each entry takes.
#[derive(Default)]
struct Spaces {
    /// This is a core module: its own count grows, and there are no spaces.
    module: bool,
    modules: Vec<Needs>,
    components: Vec<Needs>,
    own: Needs,
}

#[derive(Default)]
struct Scan {
    outline: Outline,
    stack: Vec<Spaces>,
}

impl Scan {
    fn visit(&mut self, bytes: &[u8], piece: Piece<'_>) -> Result<(), PackageError> {
        let top = piece.depth == 0;
        if let Payload::Version { .. } = piece.payload {
            let module = !is_component_header(&piece.payload);
            let own = Needs { core_instances: u32::from(module), ..Needs::default() };
            self.stack.push(Spaces { module, own, ..Spaces::default() });
            return Ok(());
        }
        if let Payload::End(_) = piece.payload {
            self.close();
            return Ok(());
        }
        let Some((here, outer)) = self.stack.split_last_mut() else { return Ok(()) };
        let outline = &mut self.outline;
        match piece.payload {
            Payload::MemorySection(memories) => here.own.memories = memories.count(),
            Payload::TableSection(tables) => here.own.tables = tables.count(),
            Payload::InstanceSection(instances) => here.core_instances(instances)?,
            Payload::ComponentInstanceSection(instances) => here.component_instances(instances)?,
            Payload::ComponentAliasSection(aliases) => here.aliases(aliases, outer)?,
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    let import = import?;
                    here.unknown(import.ty.kind());
                    if top {
                        outline.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    here.again(export.kind, export.index);
                    if top {
                        outline.exports.push(export.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentTypeSection(types) => {
                shallow(bytes, types.range())?;
                for kind in types {
                    outline.uses_async |= async_type(&kind?);
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    outline.uses_async |= async_function(&function?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A module or component is complete: it takes its place in what is around it.
    fn close(&mut self) {
        let Some(done) = self.stack.pop() else { return };
        match self.stack.last_mut() {
            Some(around) if done.module => around.modules.push(done.own),
            Some(around) => around.components.push(done.own),
            None => self.outline.needs = done.own,
        }
    }
}

impl Spaces {
    fn core_instances(&mut self, all: wasmparser::InstanceSectionReader<'_>) -> Result<(), PackageError> {
        for instance in all {
            if let Instance::Instantiate { module_index, .. } = instance? {
                self.own = self.own.plus(at(&self.modules, module_index));
            }
        }
        Ok(())
    }

    fn component_instances(
        &mut self,
        all: wasmparser::ComponentInstanceSectionReader<'_>,
    ) -> Result<(), PackageError> {
        let one = Needs { component_instances: 1, ..Needs::default() };
        for instance in all {
            if let ComponentInstance::Instantiate { component_index, .. } = instance? {
                self.own = self.own.plus(one).plus(at(&self.components, component_index));
            }
        }
        Ok(())
    }

    fn aliases(
        &mut self,
        all: wasmparser::ComponentAliasSectionReader<'_>,
        outer: &[Spaces],
    ) -> Result<(), PackageError> {
        for alias in all {
            match alias? {
                ComponentAlias::InstanceExport { kind, .. } => self.unknown(kind),
                ComponentAlias::Outer { kind, count, index } => {
                    let place = match count {
                        0 => Some(&*self),
                        n => outer.len().checked_sub(n as usize).and_then(|place| outer.get(place)),
                    };
                    let needs = |pick: fn(&Spaces) -> &Vec<Needs>| {
                        place.map_or(Needs::UNKNOWN, |s| at(pick(s), index))
                    };
                    match kind {
                        ComponentOuterAliasKind::CoreModule => {
                            let needs = needs(|s| &s.modules);
                            self.modules.push(needs);
                        }
                        ComponentOuterAliasKind::Component => {
                            let needs = needs(|s| &s.components);
                            self.components.push(needs);
                        }
                        ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => {}
                    }
                }
                ComponentAlias::CoreInstanceExport { .. } => {}
            }
        }
        Ok(())
    }

    /// Something comes in from outside.
    fn unknown(&mut self, kind: ComponentExternalKind) {
        match kind {
            ComponentExternalKind::Module => self.modules.push(Needs::UNKNOWN),
            ComponentExternalKind::Component => self.components.push(Needs::UNKNOWN),
            _ => {}
        }
    }

    /// An export takes an index of its own in the space of what it exports.
    fn again(&mut self, kind: ComponentExternalKind, index: u32) {
        match kind {
            ComponentExternalKind::Module => self.modules.push(at(&self.modules, index)),
            ComponentExternalKind::Component => self.components.push(at(&self.components, index)),
            _ => {}
        }
    }
}

fn at(space: &[Needs], index: u32) -> Needs {
    space.get(index as usize).copied().unwrap_or(Needs::UNKNOWN)
}

/// The parser reads nested types by recursion without a limit. A component or instance type inside another is the
/// bytes `01 41` or `01 42`, so their number bounds the depth.
fn shallow(bytes: &[u8], section: std::ops::Range<usize>) -> Result<(), PackageError> {
    let offset = section.start;
    let section = bytes.get(section).unwrap_or_default();
    let nested = section.windows(2).filter(|pair| pair[0] == 1 && matches!(pair[1], 0x41 | 0x42)).count();
    if nested > NESTED_TYPES { Err(PackageError::TooDeep { offset }) } else { Ok(()) }
}

fn async_type(kind: &ComponentType<'_>) -> bool {
    match kind {
        ComponentType::Defined(ComponentDefinedType::Future(_) | ComponentDefinedType::Stream(_)) => true,
        ComponentType::Func(function) => function.async_,
        ComponentType::Component(inside) => inside.iter().any(
            |declaration| matches!(declaration, ComponentTypeDeclaration::Type(kind) if async_type(kind)),
        ),
        ComponentType::Instance(inside) => inside.iter().any(
            |declaration| matches!(declaration, InstanceTypeDeclaration::Type(kind) if async_type(kind)),
        ),
        ComponentType::Defined(_) | ComponentType::Resource { .. } => false,
    }
}

fn async_function(function: &CanonicalFunction) -> bool {
    match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => options
            .iter()
            .any(|option| matches!(option, CanonicalOption::Async | CanonicalOption::Callback(_))),
        CanonicalFunction::ResourceNew { .. }
        | CanonicalFunction::ResourceDrop { .. }
        | CanonicalFunction::ResourceRep { .. } => false,
        _ => true,
    }
}
