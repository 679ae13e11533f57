//! Writing the description into a component. For builds: it interprets the pack's describe function, which a host
//! never does.

use wasmi::{
    CompilationMode, Config, Engine, Extern, ExternType, Func, Instance, Linker, Module, Store, Val,
};
use wasmparser::Payload;

use crate::walk::{sections, walk};
use crate::{Description, PackageError, SECTION};

/// The core export that a pack's build looks for: `() -> i64`, an address in the upper half and a length in the lower.
const DESCRIBE: &str = "packhost_describe";

/// Instructions, about a second's worth. Building two schemas takes a thousandth of that.
const FUEL: u64 = 1_000_000_000;

/// Why a component cannot be stamped.
#[derive(Debug, thiserror::Error)]
pub enum StampError {
    /// The bytes are not a component, or what it says of itself is not a description.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// No core module in the component exports the describe function.
    #[error("nothing in the component exports {DESCRIBE}; does the crate use packhost_sdk::pack!?")]
    NoDescribe,
    /// The describe function could not be run.
    #[error("{DESCRIBE} did not run: {0}")]
    Run(String),
}

/// The component with its description in the custom section [`SECTION`], in place of one that is there. The same
/// bytes always give the same bytes.
///
/// # Errors
///
/// [`StampError`].
pub fn stamp(component: &[u8]) -> Result<Vec<u8>, StampError> {
    let mut modules = Vec::new();
    let mut kept = Vec::with_capacity(component.len());
    let mut copied = 0;
    walk(component, |piece| {
        match piece.payload {
            Payload::ModuleSection { unchecked_range, .. } => modules.extend(component.get(unchecked_range)),
            Payload::CustomSection(custom) if piece.depth == 0 && custom.name() == SECTION => {
                kept.extend_from_slice(&component[copied..piece.span.start]);
                copied = piece.span.end;
            }
            _ => {}
        }
        Ok(())
    })?;
    kept.extend_from_slice(&component[copied..]);
    let module = modules.into_iter().find(|module| exports_describe(module)).ok_or(StampError::NoDescribe)?;
    let description =
        Description::from_json(&describe(module).map_err(|error| StampError::Run(error.to_string()))?)?;
    append(&mut kept, &serde_json::to_vec(&description).map_err(PackageError::section)?);
    Ok(kept)
}

fn exports_describe(module: &[u8]) -> bool {
    let mut found = false;
    let walked = sections(module, &mut |piece| {
        if let Payload::ExportSection(exports) = piece.payload {
            for export in exports {
                found |= export?.name == DESCRIBE;
            }
        }
        Ok(())
    });
    walked.is_ok() && found
}

/// Runs the describe function with every import answering zero.
fn describe(module: &[u8]) -> Result<Vec<u8>, wasmi::Error> {
    let engine = Engine::new(Config::default().consume_fuel(true).compilation_mode(CompilationMode::Lazy));
    let module = Module::new(&engine, module)?;
    let mut store = Store::new(&engine, ());
    store.set_fuel(FUEL)?;
    let mut linker = Linker::new(&engine);
    for import in module.imports() {
        let ExternType::Func(kind) = import.ty() else {
            return Err(wasmi::Error::new(format!(
                "it imports \"{}\", which is not a function",
                import.name()
            )));
        };
        let zeros: Vec<Val> = kind.results().iter().map(|kind| Val::default_for_ty(*kind)).collect();
        let stub = Func::new(&mut store, kind.clone(), move |_, _, results| {
            results.clone_from_slice(&zeros);
            Ok(())
        });
        linker.define(import.module(), import.name(), Extern::Func(stub))?;
    }
    let instance = linker.instantiate_and_start(&mut store, &module)?;
    if let Ok(initialize) = instance.get_typed_func::<(), ()>(&store, "_initialize") {
        initialize.call(&mut store, ())?;
    }
    let place = instance.get_typed_func::<(), i64>(&store, DESCRIBE)?.call(&mut store, ())?.cast_unsigned();
    text_at(&store, &instance, (place >> 32) as usize, (place & u64::from(u32::MAX)) as usize)
}

fn text_at(
    store: &Store<()>,
    instance: &Instance,
    at: usize,
    length: usize,
) -> Result<Vec<u8>, wasmi::Error> {
    let memory =
        instance.get_memory(store, "memory").ok_or_else(|| wasmi::Error::new("it exports no memory"))?;
    let bytes = at.checked_add(length).and_then(|end| memory.data(store).get(at..end));
    bytes.map(<[u8]>::to_vec).ok_or_else(|| wasmi::Error::new("its answer lies outside its memory"))
}

/// Appends a custom section (WebAssembly core specification, 5.5.3).
fn append(component: &mut Vec<u8>, content: &[u8]) {
    let mut body = Vec::with_capacity(content.len() + SECTION.len() + 5);
    unsigned(&mut body, SECTION.len());
    body.extend_from_slice(SECTION.as_bytes());
    body.extend_from_slice(content);
    component.push(0);
    unsigned(component, body.len());
    component.extend_from_slice(&body);
}

/// LEB128.
fn unsigned(bytes: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return;
        }
    }
}
