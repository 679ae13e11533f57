//! The pack `same_name`: one of two whose tool names are the same.

use guests::Saw;
use packhost_sdk::{Deserialize, Error, JsonSchema};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {}

packhost_sdk::pack! {
    name: "same_name",
    title: "Same name",
    description: "Has a twin. For tests.",
    effects: [read_only, idempotent],
    examples: [{}],
    run: who,
}

fn who(_: Input) -> Result<Saw, Error> {
    Ok(Saw::one("same_name"))
}
