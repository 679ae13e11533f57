//! The host's own interfaces, as far as a component must find them: nobody listens, and nobody answers.

use wasmtime::component::{HasSelf, Linker};

use super::State;
use super::bindings::packhost::pack::ask::{self, Answer, AskError, Prompt, Question};
use super::bindings::packhost::pack::progress;
use super::bindings::wasi::logging::logging::{self, Level};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    progress::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    ask::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    logging::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

impl progress::Host for State {
    async fn report(&mut self, _: f64, _: Option<f64>, _: Option<String>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl ask::Host for State {
    async fn user(&mut self, _: Question) -> wasmtime::Result<Result<Answer, AskError>> {
        Ok(Err(AskError::Unsupported))
    }

    async fn model(&mut self, _: Prompt) -> wasmtime::Result<Result<String, AskError>> {
        Ok(Err(AskError::Unsupported))
    }
}

impl logging::Host for State {
    async fn log(&mut self, _: Level, _: String, _: String) -> wasmtime::Result<()> {
        Ok(())
    }
}
