//! Values both ways: over generated types without a guest, and through guests that give back what they get.

mod components;
mod discovery;
mod generate;
mod refusals;
mod round_trip;

use wasmtime::component::{Component, Instance, Linker};
use wasmtime::{Config, Engine, Store};

use super::discover::Discovered;
use super::{Signature, signatures};

/// An engine with every kind of type that a component can have.
fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_component_model_async(true).wasm_component_model_map(true);
    config.wasm_component_model_fixed_length_lists(true);
    Engine::new(&config).expect("the configuration is one that wasmtime takes")
}

fn compile(engine: &Engine, wat: &str) -> Component {
    let bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}\n{wat}"));
    Component::new(engine, bytes).unwrap_or_else(|error| panic!("{error:?}\n{wat}"))
}

fn discover(wat: &str) -> Discovered {
    signatures(&compile(&engine(), wat))
}

/// A component that is ready to be called.
struct Ready {
    signatures: Vec<Signature>,
    instance: Instance,
    store: Store<()>,
    runtime: tokio::runtime::Runtime,
}

impl Ready {
    fn new(engine: &Engine, wat: &str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime needs no resources");
        let component = compile(engine, wat);
        let discovered = signatures(&component);
        assert_eq!(discovered.left_out, [], "{wat}");
        let mut store = Store::new(engine, ());
        let linker = Linker::new(engine);
        let instance =
            runtime.block_on(linker.instantiate_async(&mut store, &component)).expect("it instantiates");
        Self { signatures: discovered.signatures, instance, store, runtime }
    }

    /// From JSON to JSON, through the guest.
    fn call(&mut self, name: &str, input: &serde_json::Value) -> super::Lifted {
        let signature =
            self.signatures.iter().find(|signature| signature.name == name).expect("it is exported");
        let params = signature.lower(input).unwrap_or_else(|failure| panic!("{failure} in {input}"));
        let call = signature.call(&self.instance, &mut self.store, &params);
        let results = self.runtime.block_on(call).expect("the guest does not trap");
        signature.lift(results).expect("the results are those of the function")
    }
}
