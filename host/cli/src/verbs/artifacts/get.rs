//! The bytes of one.

use std::io::{ErrorKind, IsTerminal as _, Write};
use std::path::Path;

use futures::StreamExt as _;
use packhost_artifacts::{ArtifactId, ByteRange, Operator, Reading};
use serde_json::json;
use tempfile::NamedTempFile;

use crate::exit::Error;
use crate::output::{BOLD, Output, Work, println};

pub(super) async fn get(
    operator: &Operator,
    id: &ArtifactId,
    file: Option<&Path>,
    range: ByteRange,
    output: Output,
) -> Result<(), Error> {
    let reading = operator.read(id, range).await.map_err(|error| super::about(id, error))?;
    let artifact = reading.artifact.clone();
    let work = output.progress("reading");
    let Some(file) = file.filter(|file| file.as_os_str() != "-") else {
        let stdout = std::io::stdout();
        let essence = artifact.media_type.essence();
        if stdout.is_terminal() && !essence.starts_with("text/") && essence != "application/json" {
            return Err(Error::failed(format!(
                "{} is {essence}, which a terminal does not show; name a file: packhost artifacts get {id} FILE",
                artifact.name
            )));
        }
        return match copy(reading, &mut stdout.lock(), Path::new("stdout"), &work).await {
            // Whoever reads has enough.
            Err(Error::File { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
            copied => copied,
        };
    };
    // All of it under its name, or nothing.
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = NamedTempFile::new_in(dir).map_err(|source| Error::file(dir, source))?;
    copy(reading, &mut beside, file, &work).await?;
    beside.persist_noclobber(file).map_err(|error| Error::file(file, error.error))?;
    output.answer(&json!({ "artifact": artifact, "file": file }), || {
        println!("{BOLD}{}{BOLD:#} is in {}", artifact.id, file.display());
    });
    Ok(())
}

async fn copy(mut from: Reading, to: &mut impl Write, name: &Path, work: &Work) -> Result<(), Error> {
    work.watch(async {
        while let Some(piece) = from.next().await {
            to.write_all(&piece?).map_err(|source| Error::file(name, source))?;
        }
        to.flush().map_err(|source| Error::file(name, source))
    })
    .await
}
