//! The pack `node.run`: JavaScript in a workspace.

use packhost_program::{Around, Output, VALUE, run, value};
use packhost_sdk::session::{self, Command};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, Value};

/// Where the code goes, outside of the workspace.
const CODE: &str = "/tmp/.packhost/main.js";
const RUNNER: &str = include_str!("run.js");

#[derive(Deserialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
struct Input {
    /// JavaScript source, run by Node.js. The value of its last expression is answered; a promise is waited for.
    code: String,
    /// Arguments, as the code finds them in process.argv.
    #[serde(default)]
    args: Vec<String>,
    #[serde(flatten)]
    around: Around,
}

#[derive(Serialize, JsonSchema)]
struct Ran {
    /// The value of the last expression as JSON, or as text; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(flatten)]
    output: Output,
}

packhost_sdk::pack! {
    name: "node.run",
    title: "Run JavaScript",
    description: "Runs JavaScript with Node.js in a sandbox and returns what it prints, the value of its last expression, and \
                  the files that it made. Files stay in the workspace: pass its name to go on with them.",
    effects: [destructive],
    wants: { session: "to run the code that it is given" },
    examples: [{ "code": "[3, 1, 2].sort()" }, { "code": "console.log(require('fs').readFileSync('a.txt', 'utf8'))", "files": [{ "path": "a.txt", "content": "hello" }] }],
    run: run_node,
}

fn run_node(input: Input) -> Result<Ran, Error> {
    session::write(CODE, input.code.as_bytes(), false)?;
    let command = Command::new("node").args(["-e", RUNNER, "--", CODE, VALUE]).args(input.args);
    let (finished, output) = run(input.around, command)?;
    Ok(Ran { value: value(&finished), output })
}
