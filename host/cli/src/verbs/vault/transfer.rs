//! `packhost vault export` and `import`.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read, Write};
use std::path::Path;

use age::{IdentityFile, secrecy::SecretString};
use packhost_core::{ErrorCode, Failure};
use packhost_vault::{Vault, VaultError};
use serde_json::json;

use super::document;
use super::lock::{self, Opener, Readers};
use super::typed::{self, Passphrase};
use crate::args::{Export, Import, Place};
use crate::dirs::Dirs;
use crate::exit::{Error, sentence};
use crate::host::{Clients, Prepared};
use crate::output::{BOLD, GOOD, Output, eprintln, println};
use crate::record::{Act, Acts};

/// The largest file that is read, in bytes.
const FILE: u64 = 64 << 20;

pub(super) fn export(dirs: &Dirs, vault: &Vault, args: &Export, output: Output) -> Result<(), Error> {
    if args.to.is_stream() && io::stdout().is_terminal() {
        return Err(Error::failed(
            "an encrypted file is not for a terminal; `--to FILE`, or redirect stdout",
        ));
    }
    let readers = if args.passphrase {
        Readers::Passphrase(typed::passphrase(Passphrase::New, false)?)
    } else {
        Readers::Keys(args.recipient.clone())
    };
    let act = Act::new("vault.export", shown(&args.to, "stdout"));
    let act = match args.passphrase {
        true => act.with("opens_with", "a passphrase"),
        false => act.with_names("opens_with", &args.recipient),
    };
    let begun = Acts::open(dirs)?.begin(act)?;
    let written = carry(vault, &args.to, readers, output);
    let (to, names) = begun.end_with(written, |act, (_, names)| act.with_names("credentials", names))?;
    output.answer(&json!({ "to": to, "credentials": names }), || {
        let place = to.as_deref().unwrap_or("stdout");
        eprintln!("{GOOD}ok{GOOD:#}  {} in {BOLD}{place}{BOLD:#}", count(names.len()));
    });
    Ok(())
}

/// Writes all of the vault to its place, and says where that is, where it is a file, and the names of what is in it.
fn carry(
    vault: &Vault,
    to: &Place,
    readers: Readers,
    output: Output,
) -> Result<(Option<String>, Vec<String>), Error> {
    let carried = vault.export()?;
    let names = carried.iter().map(|one| one.name.to_string()).collect();
    let plain = document::write(&carried)?;
    let closed = watched(output, "encrypting", move || lock::close(&plain, &readers))??;
    let to = match to {
        Place::File(path) => {
            make(path, &closed).map_err(|error| not_made(path, error))?;
            Some(path.display().to_string())
        }
        Place::Stream => {
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(&closed).and_then(|()| stdout.flush());
            written.map_err(|error| Error::file("stdout".as_ref(), error))?;
            None
        }
    };
    Ok((to, names))
}

/// A place as the record has it.
fn shown(place: &Place, stream: &str) -> String {
    match place {
        Place::File(path) => path.display().to_string(),
        Place::Stream => stream.into(),
    }
}

/// Makes a file that only this user may read, as a whole or not at all.
fn make(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(".".as_ref());
    let mut file = tempfile::Builder::new().prefix(".packhost-vault").tempfile_in(parent)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    File::open(parent)?.sync_all()
}

fn not_made(path: &Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::AlreadyExists {
        let path = path.display();
        return Error::failed(format!("{path} is there already and is not replaced; name another file"));
    }
    Error::file(path, error)
}

pub(super) fn import(dirs: &Dirs, vault: &Vault, args: &Import, output: Output) -> Result<(), Error> {
    let closed = match &args.from {
        Place::File(path) => File::open(path).and_then(read).map_err(|error| Error::file(path, error))?,
        Place::Stream => read(io::stdin().lock()).map_err(|error| Error::file("stdin".as_ref(), error))?,
    };
    if closed.len() as u64 > FILE {
        return Err(Error::failed(format!("the file is larger than {FILE} bytes")));
    }
    let opener = match &args.identity {
        Some(path) => Opener::Keys(identities(path)?),
        None => Opener::Passphrase(known(args)?),
    };
    let plain = watched(output, "decrypting", move || lock::open(&closed, &opener))??;
    let carried = document::read(&plain)?;
    let act = Act::new("vault.import", shown(&args.from, "stdin"));
    let act = act.with_names("credentials", carried.iter().map(|one| &one.name));
    let import = || vault.import(&carried, args.replace).map_err(not_replaced);
    let arrived = Acts::open(dirs)?.record(act, import)?;
    output.answer(&json!({ "credentials": arrived }), || {
        for one in &arrived {
            let how = if one.replaced { "replaced" } else { "new" };
            println!("{GOOD}ok{GOOD:#}  {BOLD}{}{BOLD:#} version {}, {how}", one.name, one.version);
        }
        println!("{} imported", count(arrived.len()));
    });
    Ok(())
}

fn known(args: &Import) -> Result<SecretString, Error> {
    typed::passphrase(Passphrase::Known, args.from.is_stream())
}

fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn identities(path: &Path) -> Result<Vec<Box<dyn age::Identity + Send + Sync>>, Error> {
    let file = File::open(path).map_err(|error| Error::file(path, error))?;
    let read = IdentityFile::from_buffer(BufReader::new(file)).map_err(|error| Error::file(path, error))?;
    let keys = read.into_identities();
    let keys = keys.map_err(|_| Error::failed(format!("{}: not a file of age-keygen", path.display())))?;
    if keys.is_empty() {
        return Err(Error::failed(format!("{}: there is no key in it", path.display())));
    }
    Ok(keys)
}

fn not_replaced(error: VaultError) -> Error {
    let VaultError::Taken(_) = &error else { return error.into() };
    Failure::new(ErrorCode::InvalidInput, format!("Nothing was imported: {}", sentence(&error.to_string())))
        .fix("With --replace, what comes in takes the place of what is here.")
        .into()
}

fn count(credentials: usize) -> String {
    match credentials {
        1 => "1 credential".into(),
        n => format!("{n} credentials"),
    }
}

/// Does what may take seconds, and shows that it goes on.
fn watched<T: Send + 'static>(
    output: Output,
    what: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let runtime = Prepared::runtime(Clients::One)?;
    let working = async { output.progress(what).watch(tokio::task::spawn_blocking(work)).await };
    let done = runtime.block_on(working);
    done.map_err(|panic| Error::failed(format!("{what}: {panic}")))
}
