//! The pack `json.query`: a jq filter over JSON. Asks for nothing; answers a bounded number of results.

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use jaq_json::{Val, read, write};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, Value, serde_json};

type Filter = jaq_core::compile::Filter<jaq_core::Native<data::JustLut<Val>>>;

/// Bytes of JSON that all results may have together: an answer may have 4 MiB as shipped.
const LARGEST: usize = 3 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The jq filter, such as ".items[] | select(.price < 10) | .name".
    query: String,
    /// The JSON to query. Any JSON: an object, an array, or JSON written as text.
    json: Value,
    /// How many results to return at most.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 10_000))]
    limit: usize,
}

fn thousand() -> usize {
    1000
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// What the filter produced, in order. One filter can produce none, one or many.
    results: Vec<Value>,
    /// How many results are listed.
    count: usize,
    /// There are more results than were listed.
    truncated: bool,
}

packhost_sdk::pack! {
    name: "json.query",
    title: "Query JSON with jq",
    description: "Runs a jq filter on JSON and returns the results: pick fields, filter, count, sort, reshape.",
    effects: [read_only, idempotent],
    examples: [
        { "query": ".name", "json": { "name": "Ada" } },
        { "query": "map(.price) | add", "json": [{ "price": 2 }, { "price": 3 }] },
    ],
    run: query,
}

fn query(input: Input) -> Result<Output, Error> {
    let filter = compile(&input.query)?;
    let value = match input.json {
        Value::String(text) => serde_json::from_str(&text).map_err(|error| {
            Error::invalid_input(format!("The text is not JSON: {error}.")).pointer("/json")
        })?,
        value => value,
    };
    let text = serde_json::to_vec(&value).map_err(|error| Error::failed(error.to_string()))?;
    let value = read::parse_single(&text).map_err(|error| Error::failed(format!("{error:?}")))?;
    let mut output = Output { results: Vec::new(), count: 0, truncated: false };
    let mut size = 0;
    let context = Ctx::<data::JustLut<Val>>::new(&filter.lut, Vars::new([]));
    for result in filter.id.run((context, value)).map(unwrap_valr) {
        let result = result.map_err(|error| {
            let message: String = error.to_string().chars().take(500).collect();
            Error::invalid_input(format!("The filter failed on this JSON: {message}.")).pointer("/query")
        })?;
        let mut text = Vec::new();
        write::write(&mut text, &write::Pp::default(), 0, &result)
            .map_err(|error| Error::failed(error.to_string()))?;
        size += text.len();
        if output.results.len() == input.limit || size > LARGEST {
            output.truncated = true;
            break;
        }
        output.results.push(serde_json::from_slice(&text).map_err(|_| {
            Error::invalid_input("A result of the filter cannot be written as JSON.").pointer("/query")
        })?);
    }
    output.count = output.results.len();
    Ok(output)
}

fn compile(query: &str) -> Result<Filter, Error> {
    let wrong = |what: &str, found: Vec<String>| {
        let found = found.join(", ").chars().take(300).collect::<String>();
        Error::invalid_input(format!("The jq filter {what}: {found}."))
            .fix("Write a filter that jq 1.7 takes, such as .items[] | .name.")
            .pointer("/query")
    };
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let modules =
        Loader::new(definitions).load(&arena, File { code: query, path: () }).map_err(|errors| {
            use jaq_core::load::Error as Load;
            let found = errors.into_iter().flat_map(|(_, error)| match error {
                Load::Io(all) => {
                    all.into_iter().map(|(path, _)| format!("module {path}")).collect::<Vec<_>>()
                }
                Load::Lex(all) => all.into_iter().map(|(expected, at)| near(expected.as_str(), at)).collect(),
                Load::Parse(all) => {
                    all.into_iter().map(|(expected, at)| near(expected.as_str(), at)).collect()
                }
            });
            wrong("cannot be read", found.collect())
        })?;
    Compiler::default().with_funs(functions).compile(modules).map_err(|errors| {
        let unknown = errors.into_iter().flat_map(|(_, all)| all).map(|(name, _)| format!("{name:?}"));
        wrong("uses something that is not defined", unknown.collect())
    })
}

fn near(expected: &str, at: &str) -> String {
    match at {
        "" => format!("expected {expected} at the end"),
        at => format!("expected {expected} at \"{}\"", at.chars().take(40).collect::<String>()),
    }
}
