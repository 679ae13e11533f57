//! The pack `asker`: asks the agent's user or its model, as often as it is told.

use guests::Saw;
use packhost_sdk::{Deserialize, Error, JsonSchema, ask};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// Whom to ask.
    whom: Whom,
    /// What to ask.
    text: String,
    /// How many questions.
    #[serde(default = "one")]
    times: u32,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Whom {
    /// The person.
    User,
    /// The client's model.
    Model,
}

#[derive(Deserialize, JsonSchema)]
struct Form {
    /// Whether to go on.
    yes: bool,
}

packhost_sdk::pack! {
    name: "asker",
    title: "Asker",
    description: "Asks the user or the model. For tests.",
    effects: [],
    wants: { ask: "To ask what it is told to ask." },
    examples: [{ "whom": "user", "text": "Go on?" }],
    run: ask,
}

fn ask(input: Input) -> Result<Saw, Error> {
    let mut saw = Vec::new();
    for turn in 0..input.times {
        let id = format!("question-{turn}");
        saw.push(match input.whom {
            Whom::User => match ask::user::<Form>(&id, &input.text)? {
                Some(form) => format!("accepted: {}", form.yes),
                None => "not accepted".into(),
            },
            Whom::Model => ask::model(&id, &input.text, 100)?,
        });
    }
    Ok(Saw { saw })
}
