//! `packhost connect`: how to connect an agent.

use anstream::println;
use serde_json::{Value, json};

use crate::args::{Agent, Connect as Args};
use crate::exit::Error;
use crate::output::{DIM, Output};

/// One way to connect: a command to run, or text to put into a file.
struct Way {
    command: Option<String>,
    file: Option<(&'static str, String)>,
}

pub(crate) fn run(args: &Args, output: Output) -> Result<(), Error> {
    let binary =
        std::env::current_exe().map_err(|error| Error::failed(format!("where this binary is: {error}")))?;
    let binary = binary.to_string_lossy();
    let way = way(args.agent, &binary);
    let shown = json!({
        "command": way.command,
        "file": way.file.as_ref().map(|(file, _)| file),
        "content": way.file.as_ref().map(|(_, content)| content),
        "stdio": { "command": binary, "args": ["mcp"] },
    });
    output.answer(&shown, || {
        if let Some(command) = &way.command {
            println!("{DIM}run{DIM:#}\n{command}");
        }
        if let Some((file, content)) = &way.file {
            let put = if way.command.is_some() { "or put into" } else { "put into" };
            println!("{DIM}{put} {file}{DIM:#}\n{content}");
        }
    });
    Ok(())
}

fn way(agent: Agent, binary: &str) -> Way {
    let quoted = quote(binary);
    let server = json!({ "command": binary, "args": ["mcp"] });
    let file = |file, content: Value| Some((file, format!("{content:#}")));
    match agent {
        Agent::ClaudeCode => Way {
            command: Some(format!("claude mcp add packhost -- {quoted} mcp")),
            file: file(".mcp.json", json!({ "mcpServers": { "packhost": server } })),
        },
        Agent::Cursor => Way {
            command: None,
            file: file("~/.cursor/mcp.json", json!({ "mcpServers": { "packhost": server } })),
        },
        Agent::Vscode => Way {
            command: Some(format!(
                "code --add-mcp {}",
                quote(&json!({ "name": "packhost", "command": binary, "args": ["mcp"] }).to_string())
            )),
            file: file(
                ".vscode/mcp.json",
                json!({ "servers": { "packhost": { "type": "stdio", "command": binary, "args": ["mcp"] } } }),
            ),
        },
        Agent::Codex => Way {
            command: Some(format!("codex mcp add packhost -- {quoted} mcp")),
            file: Some((
                "~/.codex/config.toml",
                format!("[mcp_servers.packhost]\ncommand = {}\nargs = [\"mcp\"]", json!(binary)),
            )),
        },
        Agent::Gemini => Way {
            command: Some(format!("gemini mcp add packhost {quoted} mcp")),
            file: file("~/.gemini/settings.json", json!({ "mcpServers": { "packhost": server } })),
        },
        Agent::Opencode => Way {
            command: None,
            file: file(
                "opencode.json",
                json!({ "mcp": { "packhost": { "type": "local", "command": [binary, "mcp"], "enabled": true } } }),
            ),
        },
        Agent::Generic => Way {
            command: None,
            file: file("your client's list of MCP servers", json!({ "mcpServers": { "packhost": server } })),
        },
    }
}

/// A word for a POSIX shell.
fn quote(word: &str) -> String {
    let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+".contains(&b));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
