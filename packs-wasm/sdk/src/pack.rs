//! The `pack!` macro and the call that it leads to.

use serde::de::DeserializeOwned;

use crate::bindings::packhost::pack::types::{Output, PackError};
use crate::{Error, Reply};

/// One call: JSON in, `run`, JSON out.
///
/// # Errors
///
/// `invalid-input` where the input is not an `I`; otherwise what `run` says.
pub fn run<I: DeserializeOwned, R: Reply>(
    input: &str,
    run: impl Fn(I) -> Result<R, Error>,
) -> Result<Output, PackError> {
    let input = serde_json::from_str(input)
        .map_err(|error| Error::invalid_input(format!("The input does not match the schema: {error}.")))?;
    let answer = run(input)?.into_answer();
    let structured = serde_json::to_string(&answer.data)
        .map_err(|error| Error::failed(format!("The answer could not be written as JSON: {error}.")))?;
    // As in `describe`: what can only be null promises nothing and says nothing.
    let structured = (size_of::<R::Data>() > 0 || structured != "null").then_some(structured);
    Ok(Output { structured, content: answer.blocks.into_iter().map(Into::into).collect() })
}

/// Declares the pack that this crate is: who it is, what it wants, and the function that is called.
///
/// `effects` is any of `read_only`, `destructive`, `idempotent`. `wants` names capabilities (`http`, `fs`, `ask`,
/// `env`, `session`), each with a sentence that tells an operator why. `run` is a `fn(Input) -> Result<Output, Error>`, or one
/// that returns an [`Answer`](crate::Answer); with `Answer<()>` a pack answers in content blocks alone. The version is
/// the crate's.
#[macro_export]
macro_rules! pack {
    (
        name: $name:literal,
        title: $title:literal,
        description: $description:expr,
        effects: [$($effect:ident),* $(,)?],
        $(wants: { $($want:ident: $reason:literal),* $(,)? },)?
        examples: [$($example:tt),* $(,)?],
        run: $run:path $(,)?
    ) => {
        const _: () = {
            use $crate::macro_support::{Effects, Pack, Wants, bindings};

            struct Component;

            impl bindings::exports::packhost::pack::handler::Guest for Component {
                fn run(
                    input: String,
                ) -> Result<bindings::packhost::pack::types::Output, bindings::packhost::pack::types::PackError> {
                    $crate::macro_support::run(&input, $run)
                }
            }

            bindings::export!(Component with_types_in bindings);

            // The build calls this once, on its own machine, to write the description into the component.
            #[unsafe(no_mangle)]
            extern "C" fn packhost_describe() -> u64 {
                #[allow(unused_mut, clippy::needless_update, reason = "a pack may want nothing or all there is")]
                let pack = Pack {
                    name: $name,
                    version: env!("CARGO_PKG_VERSION"),
                    title: $title,
                    description: $description,
                    effects: Effects { $($effect: true,)* ..Default::default() },
                    wants: Wants { $($($want: Some($reason),)*)? ..Default::default() },
                    examples: vec![$($crate::json!($example)),*],
                };
                $crate::macro_support::describe(pack, $run)
            }
        };
    };
}
