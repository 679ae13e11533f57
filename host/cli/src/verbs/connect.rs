//! `packhost connect`: how to connect an agent.

use serde_json::{Value, json};

use crate::args::{Agent, Connect as Args, Global};
use crate::binary::{self, quote};
use crate::exit::Error;
use crate::output::{DIM, Output, println};

/// One way to connect: a command to run, or text to put into a file.
#[derive(Debug, PartialEq)]
struct Way {
    command: Option<String>,
    file: Option<(&'static str, String)>,
}

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let binary = binary::path()?;
    let binary = binary.to_string_lossy();
    let stdio = stdio(global);
    let way = way(args.agent, &binary, &stdio);
    let shown = json!({
        "command": way.command,
        "file": way.file.as_ref().map(|(file, _)| file),
        "content": way.file.as_ref().map(|(_, content)| content),
        "stdio": { "command": binary, "args": stdio },
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

/// The arguments of the host that the agent starts: the same host as this one.
fn stdio(global: &Global) -> Vec<String> {
    let again = global.again().into_iter().map(|word| word.to_string_lossy().into_owned());
    std::iter::once("mcp".to_owned()).chain(again).collect()
}

fn way(agent: Agent, binary: &str, args: &[String]) -> Way {
    let server = json!({ "command": binary, "args": args });
    let file = |file, content: Value| Some((file, format!("{content:#}")));
    let words = |args: &[String]| {
        std::iter::once(binary)
            .chain(args.iter().map(String::as_str))
            .map(quote)
            .collect::<Vec<_>>()
            .join(" ")
    };
    match agent {
        Agent::ClaudeCode => Way {
            command: Some(format!("claude mcp add packhost -- {}", words(args))),
            file: file(".mcp.json", json!({ "mcpServers": { "packhost": server } })),
        },
        Agent::Cursor => Way {
            command: None,
            file: file("~/.cursor/mcp.json", json!({ "mcpServers": { "packhost": server } })),
        },
        Agent::Vscode => {
            let whole = json!({ "name": "packhost", "command": binary, "args": args }).to_string();
            let server = json!({ "type": "stdio", "command": binary, "args": args });
            Way {
                command: Some(format!("code --add-mcp {}", quote(&whole))),
                file: file(".vscode/mcp.json", json!({ "servers": { "packhost": server } })),
            }
        }
        Agent::Codex => Way {
            command: Some(format!("codex mcp add packhost -- {}", words(args))),
            // A JSON string, and a list of them, are TOML as they stand.
            file: Some((
                "~/.codex/config.toml",
                format!("[mcp_servers.packhost]\ncommand = {}\nargs = {}", json!(binary), json!(args)),
            )),
        },
        Agent::Gemini => {
            // Its command line would take our options for its own.
            let command = match args {
                [mcp, options @ ..] if !options.is_empty() => {
                    let options = options.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
                    format!("gemini mcp add packhost {} {mcp} -- {options}", quote(binary))
                }
                args => format!("gemini mcp add packhost {}", words(args)),
            };
            Way {
                command: Some(command),
                file: file("~/.gemini/settings.json", json!({ "mcpServers": { "packhost": server } })),
            }
        }
        Agent::Opencode => {
            let command: Vec<&str> = std::iter::once(binary).chain(args.iter().map(String::as_str)).collect();
            let server = json!({ "type": "local", "command": command, "enabled": true });
            Way { command: None, file: file("opencode.json", json!({ "mcp": { "packhost": server } })) }
        }
        Agent::Generic => Way {
            command: None,
            file: file("your client's list of MCP servers", json!({ "mcpServers": { "packhost": server } })),
        },
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_agent_starts_the_host_that_was_asked_about() {
        let args = ["mcp", "--state", "/my files"].map(String::from);
        for agent in Agent::value_variants() {
            let way = way(*agent, "/opt/packhost", &args);
            let (_, content) = way.file.as_ref().expect("every agent reads a file");
            for word in ["/opt/packhost", "mcp", "--state", "/my files"] {
                assert!(content.contains(&format!("\"{word}\"")), "{agent:?}: {content}");
            }
            if let Some(command) = &way.command {
                assert!(command.contains("/my files"), "{agent:?}: {command}");
            }
        }
    }

    #[test]
    fn options_of_the_host_are_not_taken_for_those_of_the_agent() {
        let args = ["mcp", "--state", "/s"].map(String::from);
        let command = |agent| way(agent, "/opt/packhost", &args).command.unwrap_or_default();
        assert_eq!(command(Agent::ClaudeCode), "claude mcp add packhost -- /opt/packhost mcp --state /s");
        assert_eq!(command(Agent::Codex), "codex mcp add packhost -- /opt/packhost mcp --state /s");
        assert_eq!(command(Agent::Gemini), "gemini mcp add packhost /opt/packhost mcp -- --state /s");
    }
}
