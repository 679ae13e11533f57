//! The pack `python.run`: Python in a workspace.

use packhost_program::{Around, Output, VALUE, run, value};
use packhost_sdk::session::{self, Command};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, Value};

/// Where the code goes, outside of the workspace.
const CODE: &str = "/tmp/.packhost/main.py";
const RUNNER: &str = include_str!("run.py");

#[derive(Deserialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
struct Input {
    /// Python source. The value of its last line is answered, as in a notebook.
    code: String,
    /// Arguments, as the code finds them in sys.argv.
    #[serde(default)]
    args: Vec<String>,
    #[serde(flatten)]
    around: Around,
}

#[derive(Serialize, JsonSchema)]
struct Ran {
    /// The value of the last line as JSON, or its repr; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(flatten)]
    output: Output,
}

packhost_sdk::pack! {
    name: "python.run",
    title: "Run Python",
    description: "Runs Python code in a sandbox and returns what it prints, the value of its last line, and the files that it \
                  made. Files stay in the workspace: pass its name to go on with them.",
    effects: [destructive],
    wants: { session: "to run the code that it is given" },
    examples: [{ "code": "sum(range(10))" }, { "code": "print(open('data.txt').read().upper())", "files": [{ "path": "data.txt", "content": "hello" }] }],
    run: run_python,
}

fn run_python(input: Input) -> Result<Ran, Error> {
    session::write(CODE, input.code.as_bytes(), false)?;
    let command = Command::new("python3").args(["-c", RUNNER, CODE, VALUE]).args(input.args);
    let command = command.env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    let (finished, output) = run(input.around, command)?;
    Ok(Ran { value: value(&finished), output })
}
