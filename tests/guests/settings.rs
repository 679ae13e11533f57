//! The pack `settings`: tells the `wasi:config` values and the environment that it was given.

use guests::Saw;
use packhost_sdk::{Deserialize, Error, JsonSchema};

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package wasi:config@0.2.0-rc.1;

            interface store {
                variant error { upstream(string), io(string) }
                get: func(key: string) -> result<option<string>, error>;
                get-all: func() -> result<list<tuple<string, string>>, error>;
            }

            world settings { import store; }
        ",
        generate_all,
    });
}

use bindings::wasi::config::store;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The value to look up; all of them without it.
    key: Option<String>,
}

packhost_sdk::pack! {
    name: "settings",
    title: "Settings",
    description: "Tells its configuration and its environment. For tests.",
    effects: [read_only],
    wants: { env: "To tell what is in it." },
    examples: [{}],
    run: tell,
}

fn tell(input: Input) -> Result<Saw, Error> {
    let failed = |error| Error::failed(format!("{error:?}"));
    if let Some(key) = input.key {
        let value = store::get(&key).map_err(failed)?;
        return Ok(Saw { saw: value.into_iter().collect() });
    }
    let config =
        store::get_all().map_err(failed)?.into_iter().map(|(name, value)| format!("config {name}={value}"));
    let env = std::env::vars().map(|(name, value)| format!("env {name}={value}"));
    Ok(Saw { saw: config.chain(env).collect() })
}
