//! The pack `cmd.run`: a shell command in a workspace.

use packhost_program::{Around, Output, run};
use packhost_sdk::session::Command;
use packhost_sdk::{Deserialize, Error, JsonSchema};

#[derive(Deserialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
struct Input {
    /// The command, as a shell reads it: "ls -l | wc -l".
    command: String,
    #[serde(flatten)]
    around: Around,
}

packhost_sdk::pack! {
    name: "cmd.run",
    title: "Run a shell command",
    description: "Runs a shell command in a sandbox and returns its output and the files that it changed. Files stay in the \
                  workspace: pass its name to go on with them.",
    effects: [destructive],
    wants: { session: "to run the command that it is given" },
    examples: [{ "command": "uname -a" }, { "command": "sort names.txt", "files": [{ "path": "names.txt", "content": "b\na\n" }] }],
    run: run_command,
}

fn run_command(input: Input) -> Result<Output, Error> {
    if input.command.trim().is_empty() {
        return Err(Error::invalid_input("The command is empty.").pointer("/command"));
    }
    let command = Command::new("/bin/sh").args(["-c", input.command.as_str()]);
    Ok(run(input.around, command)?.1)
}
