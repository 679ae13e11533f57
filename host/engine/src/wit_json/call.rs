//! The call itself.

use wasmtime::AsContextMut;
use wasmtime::component::{Instance, Val};

use super::Signature;

impl Signature {
    /// Calls the function. An export that is lifted as async runs on an engine with concurrency support only; a store
    /// of such an engine takes both kinds.
    ///
    /// # Errors
    /// When the instance is not of the component that this signature was read from, when the values do not fit, or
    /// when the guest traps or is stopped.
    pub(crate) async fn call(
        &self,
        instance: &Instance,
        mut store: impl AsContextMut<Data: Send>,
        params: &[Val],
    ) -> wasmtime::Result<Vec<Val>> {
        let func = instance
            .get_func(&mut store, self.export)
            .ok_or_else(|| wasmtime::format_err!("the instance has no function {}", self.name))?;
        let mut results = vec![Val::Bool(false); usize::from(self.result.is_some())];
        func.call_async(&mut store, params, &mut results).await?;
        Ok(results)
    }
}
