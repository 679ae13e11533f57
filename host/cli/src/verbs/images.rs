//! `packhost images`: what sandboxes are made of.

use packhost_core::{ErrorCode, Failure};
use packhost_images::{ImageError, Progress, Recipe, Store, build, import_into_docker, recipe, recipes};
use serde_json::json;
use tokio::runtime::Builder;

use super::sessions::state;
use crate::args::{Global, Images as Args};
use crate::exit::Error;
use crate::output::{BOLD, DIM, NOTE, Output, println};
use crate::record::{Act, Acts};
use crate::sessions::{docker_socket, images};

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let dirs = state(global)?;
    let store = Store::at(images(&dirs.state));
    match args {
        Args::Ls => list(&store, output),
        Args::Build { name } => {
            let recipe = recipe(name)?;
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Error::failed(format!("no threads: {error}")))?;
            let begun = Acts::open(&dirs)?.begin(Act::new("images.build", recipe.image()))?;
            let built = runtime.block_on(async {
                tokio::select! {
                    built = make(&recipe, &store, output) => built,
                    _ = tokio::signal::ctrl_c() => Err(Error::Interrupted),
                }
            });
            begun.end_with(built, |act, digest| act.with("digest", digest)).map(|_| ())
        }
    }
}

/// The digest of what was built.
async fn make(recipe: &Recipe, store: &Store, output: Output) -> Result<String, Error> {
    let work = output.progress("building");
    let said = work.clone();
    let tell = move |progress: Progress| said.say(progress.to_string());
    let built = work.watch(build(recipe, store, &tell)).await?;
    let image = built.installed;
    let docker = match docker_socket() {
        Some(socket) => {
            work.say("loading into Docker".into());
            Some(work.watch(import_into_docker(store, &image, &socket)).await?)
        }
        None => None,
    };
    let (size, sbom, rootfs) = (image.size, image.sbom(), image.rootfs());
    let answer = json!({
        "image": recipe.image(), "digest": image.digest, "unchanged": built.unchanged, "bytes": size,
        "packages": image.packages.len(), "sbom": sbom, "rootfs": rootfs, "docker": docker,
    });
    output.answer(&answer, || {
        let news = if built.unchanged { "as before" } else { "built" };
        println!(
            "{BOLD}{}{BOLD:#} {news}: {} MiB, {} packages",
            recipe.image(),
            size >> 20,
            image.packages.len()
        );
        println!("  pin it with  image: {}@{}", recipe.image(), image.digest);
        println!("  {DIM}what is in it: {}{DIM:#}", sbom.display());
        match docker {
            Some(id) => println!("  loaded into Docker as {id}"),
            None => println!("  {NOTE}no Docker here; the process backend uses it{NOTE:#}"),
        }
    });
    Ok(image.digest.to_string())
}

fn list(store: &Store, output: Output) -> Result<(), Error> {
    let mut rows = Vec::new();
    for recipe in recipes()? {
        let installed = store.find(&recipe.name)?;
        rows.push((recipe, installed));
    }
    let answer: Vec<_> = rows
        .iter()
        .map(|(recipe, installed)| {
            json!({
                "image": recipe.image(), "summary": recipe.summary,
                "digest": installed.as_ref().map(|image| &image.digest),
                "bytes": installed.as_ref().map(|image| image.size),
            })
        })
        .collect();
    output.answer(&json!({ "images": answer }), || {
        for (recipe, installed) in &rows {
            let found = match installed {
                Some(image) => format!("{} MiB  {DIM}{}{DIM:#}", image.size >> 20, image.digest),
                None => format!("{NOTE}not built{NOTE:#}: packhost images build {}", recipe.name),
            };
            println!("{BOLD}{:18}{BOLD:#} {:40} {found}", recipe.image(), recipe.summary);
        }
    });
    Ok(())
}

impl From<ImageError> for Error {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Unknown(..) => {
                let message = crate::exit::sentence(&error.to_string());
                Failure::new(ErrorCode::NotFound, message).fix("`packhost images ls` has them all.").into()
            }
            error => Self::failed(error.to_string()),
        }
    }
}
