//! `packhost vault`: credentials, and where each may be used. A value goes in and is never shown.

mod bindings;
mod document;
mod list;
mod lock;
mod terminal;
mod transfer;
mod typed;
pub(crate) mod uses;
mod verify;

use std::io::{IsTerminal, Write};

use packhost_core::CredentialName;
use packhost_vault::{Binding, Vault};
use serde_json::json;

use crate::args::{Bind, Global, Rm, Rotate, Set, Vault as Args};
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::{BOLD, DIM, GOOD, Output, println};
use crate::record::{Act, Acts};
use crate::state::{open_state, open_vault};
use crate::walls::make_dirs;

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let dirs = Dirs::of(global)?;
    make_dirs(global, &dirs)?;
    let vault = open_vault(global, &dirs, open_state(&dirs)?)?;
    match args {
        Args::Set(args) => set(&dirs, &vault, args, output),
        Args::List => list::list(&vault, output),
        Args::Show { name } => list::show(&vault, name, output),
        Args::Bind(args) => bind(&dirs, &vault, args, output),
        Args::Rm(args) => remove(&dirs, &vault, args, output),
        Args::Rotate(args) => rotate(&dirs, &vault, args, output),
        Args::Uses { name } => uses::run(global, &vault, name.as_ref(), output),
        Args::Verify => verify::run(&vault, output),
        Args::Export(args) => transfer::export(&dirs, &vault, args, output),
        Args::Import(args) => transfer::import(&dirs, &vault, args, output),
    }
}

/// Whatever can be refused is refused before a person is asked for the value.
fn set(dirs: &Dirs, vault: &Vault, args: &Set, output: Output) -> Result<(), Error> {
    let bindings = bindings::read(&args.bindings)?;
    if bindings.is_empty() {
        let known = vault.list()?.into_iter().any(|about| about.name == args.name);
        if !known {
            return Err(bindings::none(&format!("set {}", args.name), " < FILE"));
        }
    }
    let value = typed::value(&args.name)?;
    on_record(dirs, bound(Act::new("vault.set", &args.name), &bindings), || match bindings.is_empty() {
        true => Ok(vault.rotate(&args.name, &value)?),
        false => Ok(vault.set(&args.name, &value, &bindings)?),
    })?;
    kept(vault, &args.name, output)
}

fn bind(dirs: &Dirs, vault: &Vault, args: &Bind, output: Output) -> Result<(), Error> {
    let bindings = bindings::read(&args.bindings)?;
    if bindings.is_empty() {
        return Err(bindings::none(&format!("bind {}", args.name), ""));
    }
    let act = bound(Act::new("vault.bind", &args.name), &bindings);
    on_record(dirs, act, || Ok(vault.bind(&args.name, &bindings)?))?;
    kept(vault, &args.name, output)
}

fn rotate(dirs: &Dirs, vault: &Vault, args: &Rotate, output: Output) -> Result<(), Error> {
    let Some(name) = &args.name else { return rotate_master(dirs, vault, output) };
    vault.about(name)?;
    let value = typed::value(name)?;
    on_record(dirs, Act::new("vault.rotate", name), || Ok(vault.rotate(name, &value)?))?;
    kept(vault, name, output)
}

fn rotate_master(dirs: &Dirs, vault: &Vault, output: Output) -> Result<(), Error> {
    let begun = Acts::open(dirs)?.begin(Act::new("vault.rotate_master", "master key"))?;
    let told = |act: Act, (key, count): &(_, usize)| act.with("key", key).with("sealed_anew", count);
    let (key, count) = begun.end_with(vault.rotate_master().map_err(Error::from), told)?;
    output.answer(&json!({ "master_key": key, "sealed_anew": count }), || {
        println!("{GOOD}ok{GOOD:#}  master key {BOLD}{key}{BOLD:#}; sealed anew: {count}");
        if count == 0 {
            println!("  {DIM}nothing was sealed with another key{DIM:#}");
        }
    });
    Ok(())
}

/// Does what makes another version of a credential, and has that on record.
fn on_record(dirs: &Dirs, act: Act, work: impl FnOnce() -> Result<u64, Error>) -> Result<(), Error> {
    let begun = Acts::open(dirs)?.begin(act)?;
    begun.end_with(work(), |act, version| act.with("version", version)).map(|_| ())
}

/// With what it is bound to, in words.
fn bound(act: Act, bindings: &[Binding]) -> Act {
    bindings
        .iter()
        .enumerate()
        .fold(act, |act, (index, binding)| act.with(&format!("binding_{}", index + 1), binding))
}

/// Says how a credential is now.
fn kept(vault: &Vault, name: &CredentialName, output: Output) -> Result<(), Error> {
    let about = vault.about(name)?;
    output.answer(&about, || {
        println!("{GOOD}ok{GOOD:#}  {BOLD}{name}{BOLD:#} version {}", about.version);
        about.bindings.iter().for_each(|binding| println!("  {DIM}for{DIM:#} {binding}"));
    });
    Ok(())
}

fn remove(dirs: &Dirs, vault: &Vault, args: &Rm, output: Output) -> Result<(), Error> {
    let Rm { name, yes } = args;
    vault.about(name)?;
    if !yes && !is_confirmed(name)? {
        return Err(Error::failed(format!("{name} is still there")));
    }
    Acts::open(dirs)?.record(Act::new("vault.rm", name), || Ok(vault.remove(name)?))?;
    output.answer(&json!({ "name": name, "removed": true }), || {
        println!("{GOOD}ok{GOOD:#}  {BOLD}{name}{BOLD:#} is forgotten");
    });
    Ok(())
}

fn is_confirmed(name: &CredentialName) -> Result<bool, Error> {
    if !std::io::stdin().is_terminal() {
        let sentence = format!("nobody is here to be asked; `packhost vault rm {name} --yes` does not ask");
        return Err(Error::failed(sentence));
    }
    let mut stderr = std::io::stderr().lock();
    let asked =
        write!(stderr, "Forget {name}? Its value cannot be had back. [y/N] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    let answered = asked.and_then(|()| std::io::stdin().read_line(&mut answer));
    answered.map_err(|error| Error::failed(format!("the terminal: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
