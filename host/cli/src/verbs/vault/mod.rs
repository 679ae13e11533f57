//! `packhost vault`: credentials, and where each may be used. A value goes in and is never shown.

mod bindings;
mod document;
mod list;
mod lock;
mod terminal;
mod transfer;
mod typed;
mod uses;

use std::io::{IsTerminal, Write};

use anstream::println;
use packhost_core::CredentialName;
use packhost_vault::Vault;
use serde_json::json;

use crate::args::{Bind, Global, Rm, Rotate, Set, Vault as Args};
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::{BOLD, DIM, GOOD, Output};
use crate::state::{open_state, open_vault};
use crate::walls::make_dirs;

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let dirs = Dirs::of(global)?;
    make_dirs(global, &dirs)?;
    let vault = open_vault(global, &dirs, open_state(&dirs)?)?;
    match args {
        Args::Set(args) => set(&vault, args, output),
        Args::List => list::list(&vault, output),
        Args::Show { name } => list::show(&vault, name, output),
        Args::Bind(args) => bind(&vault, args, output),
        Args::Rm(args) => remove(&vault, args, output),
        Args::Rotate(args) => rotate(&vault, args, output),
        Args::Uses { name } => uses::run(global, &vault, name.as_ref(), output),
        Args::Export(args) => transfer::export(&vault, args, output),
        Args::Import(args) => transfer::import(&vault, args, output),
    }
}

/// Whatever can be refused is refused before a person is asked for the value.
fn set(vault: &Vault, args: &Set, output: Output) -> Result<(), Error> {
    let bindings = bindings::read(&args.bindings)?;
    if bindings.is_empty() {
        let known = vault.list()?.into_iter().any(|about| about.name == args.name);
        if !known {
            return Err(bindings::none(&format!("set {}", args.name), " < FILE"));
        }
    }
    let value = typed::value(&args.name)?;
    if bindings.is_empty() {
        vault.rotate(&args.name, &value)?;
    } else {
        vault.set(&args.name, &value, &bindings)?;
    }
    kept(vault, &args.name, output)
}

fn bind(vault: &Vault, args: &Bind, output: Output) -> Result<(), Error> {
    let bindings = bindings::read(&args.bindings)?;
    if bindings.is_empty() {
        return Err(bindings::none(&format!("bind {}", args.name), ""));
    }
    vault.bind(&args.name, &bindings)?;
    kept(vault, &args.name, output)
}

fn rotate(vault: &Vault, args: &Rotate, output: Output) -> Result<(), Error> {
    let Some(name) = &args.name else { return rotate_master(vault, output) };
    vault.about(name)?;
    let value = typed::value(name)?;
    vault.rotate(name, &value)?;
    kept(vault, name, output)
}

fn rotate_master(vault: &Vault, output: Output) -> Result<(), Error> {
    let (key, count) = vault.rotate_master()?;
    output.answer(&json!({ "master_key": key, "sealed_anew": count }), || {
        println!("{GOOD}ok{GOOD:#}  master key {BOLD}{key}{BOLD:#}; sealed anew: {count}");
    });
    Ok(())
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

fn remove(vault: &Vault, args: &Rm, output: Output) -> Result<(), Error> {
    let Rm { name, yes } = args;
    vault.about(name)?;
    if !yes && !is_confirmed(name)? {
        return Err(Error::failed(format!("{name} is still there")));
    }
    vault.remove(name)?;
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
