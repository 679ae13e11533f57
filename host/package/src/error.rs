//! Why bytes are not a pack.

use wasmparser::BinaryReaderError;

/// Why some bytes cannot be read as a component, or their description not as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// The bytes do not start as WebAssembly does.
    #[error("not WebAssembly: it does not start with \\0asm and a version")]
    NotWasm,
    /// WebAssembly, but a core module.
    #[error(
        "a core WebAssembly module, not a component; build it for wasm32-wasip2 or wrap it with wasm-tools"
    )]
    CoreModule,
    /// A component that ends too early or breaks the binary format.
    #[error("a broken component: {reason} (at byte {offset})")]
    Malformed {
        /// Where, in bytes from the start.
        offset: usize,
        /// What is wrong there.
        reason: String,
    },
    /// Types inside types, deeper than any tool writes them; reading them would exhaust the stack.
    #[error("a broken component: types nest too deeply (at byte {offset})")]
    TooDeep {
        /// Where, in bytes from the start.
        offset: usize,
    },
    /// The `packhost:pack` section is longer than [`Description::MAX`](crate::Description::MAX).
    #[error("the section packhost:pack has {0} bytes; at most {max} are read", max = crate::Description::MAX)]
    SectionTooLarge(usize),
    /// There are two `packhost:pack` sections.
    #[error("the section packhost:pack is there twice")]
    DuplicateSection,
    /// The `packhost:pack` section is not a description.
    #[error("the section packhost:pack is not a description: {0}")]
    Section(String),
}

impl PackageError {
    /// The parser's messages may repeat what it read: no more than a line of it.
    pub(crate) fn section(reason: impl ToString) -> Self {
        let text = reason.to_string();
        let short = text.chars().take(200).collect();
        Self::Section(short)
    }
}

impl From<BinaryReaderError> for PackageError {
    fn from(error: BinaryReaderError) -> Self {
        Self::Malformed { offset: error.offset(), reason: error.message().chars().take(200).collect() }
    }
}
