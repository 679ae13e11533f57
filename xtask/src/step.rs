//! One step: a command that is shown, timed, and has to succeed.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

pub(crate) type Done = Result<(), String>;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}

/// A cargo command at the root. What cargo says about this program's own package is not handed on.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command.args(words).current_dir(root());
    command
}

/// Runs a command; what it prints is seen.
pub(crate) fn run(what: &str, command: &mut Command) -> Done {
    eprintln!("\n── {what}");
    let since = Instant::now();
    let status = command.status().map_err(|error| format!("{what}: {:?}: {error}", command.get_program()))?;
    if status.success() {
        eprintln!("── {what}: ok, {:.0} s", since.elapsed().as_secs_f64());
        Ok(())
    } else {
        Err(format!("── {what}: failed ({status})\n   {command:?}"))
    }
}

/// Whether a command runs at all.
pub(crate) fn works(program: &str, words: &[&str]) -> bool {
    Command::new(program).args(words).output().is_ok_and(|output| output.status.success())
}
