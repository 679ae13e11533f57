//! Runs mmdebstrap: packages from mirrors into one tar, with the list of what is in it.

use std::io;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::EPOCH;
use crate::build::Progress;
use crate::error::ImageError;
use crate::recipe::Recipe;

/// Where the tar has what the packages say of themselves; never part of an image.
pub(crate) const NOTES: &str = ".packhost-build";
/// Debian's merged /usr, which is otherwise made by a package's script.
const MERGE: &str = r#"for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d" && ln -s "usr/$d" "$1/$d"; done"#;
/// Each package's control fields and files, while they are still at hand.
const NOTE: &str = r#"set -e; notes="$1/.packhost-build"; mkdir "$notes"; n=0
for deb in "$1"/var/cache/apt/archives/*.deb; do
  n=$((n+1)); dpkg-deb --field "$deb" > "$notes/$n.control"; dpkg-deb --fsys-tarfile "$deb" | tar -t > "$notes/$n.files"
done"#;
/// Lines of what it said that an error shows.
const SHOWN: usize = 12;

/// Unpacks the recipe's packages into a tar at `output`.
pub(crate) async fn run(
    recipe: &Recipe,
    sources: &[String],
    output: &Path,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(), ImageError> {
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--variant=extract", "--format=tar"])
        .arg(format!("--include={}", recipe.packages.join(",")))
        .arg(format!("--setup-hook={MERGE}"))
        .arg(format!("--extract-hook={NOTE}"));
    for prepare in &recipe.prepare {
        command.arg(format!(
            "--extract-hook=chroot \"$1\" /usr/bin/env -i {}",
            words(&prepare.env, &prepare.command)?
        ));
    }
    command.arg(&recipe.suite).arg(output);
    if !sources.is_empty() {
        command.arg("-");
    }
    command.env("SOURCE_DATE_EPOCH", EPOCH.to_string()).env("LC_ALL", "C.UTF-8");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ImageError::NoBuilder,
        _ => ImageError::Packages(error.to_string()),
    })?;
    let failed = |error: io::Error| ImageError::Packages(error.to_string());
    if let Some(mut stdin) = child.stdin.take() {
        // It may not read them where it refuses something else first, and says so.
        let _ = stdin.write_all(format!("{}\n", sources.join("\n")).as_bytes()).await;
    }
    let mut last = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let mut lines = BufReader::new(stderr).lines();
        while let Some(line) = lines.next_line().await.map_err(failed)? {
            match line.strip_prefix("I: ").filter(|said| is_step(said)) {
                Some(said) => progress(Progress::Packages(said.trim_end_matches('.').to_owned())),
                None => tracing::debug!(target: "packhost_images::mmdebstrap", "{line}"),
            }
            last.push(line);
            let over = last.len().saturating_sub(SHOWN);
            last.drain(..over);
        }
    }
    let status = child.wait().await.map_err(failed)?;
    if status.success() {
        Ok(())
    } else {
        Err(ImageError::Packages(format!("{status}; it said last:\n{}", last.join("\n"))))
    }
}

fn is_step(said: &str) -> bool {
    ["running apt-get update", "downloading packages", "extracting archives", "creating tarball"]
        .iter()
        .any(|step| said.starts_with(step))
}

fn words(env: &[String], command: &[String]) -> Result<String, ImageError> {
    shlex::try_join(env.iter().chain(command).map(String::as_str))
        .map_err(|error| ImageError::Recipe(format!("a command cannot be written for the shell: {error}")))
}
