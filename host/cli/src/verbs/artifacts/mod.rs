//! `packhost artifacts`: what calls have made, whoever made them.

mod get;
mod list;
mod verify;

use packhost_artifacts::{Artifact, ArtifactError, ArtifactId, Artifacts, Operator, Store};
use packhost_core::{ErrorCode, Failure};
use serde_json::json;
use tokio::runtime::Builder;

use crate::args::{Artifacts as Args, Global};
use crate::artifacts;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::output::{BOLD, Output, println};
use crate::record::{Act, Acts};
use crate::state::open_state;

pub(crate) fn run(global: &Global, args: &Args, output: Output) -> Result<(), Error> {
    let dirs = super::sessions::state(global)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("no threads: {error}")))?;
    let store = artifacts::store(global, &dirs)?;
    runtime.block_on(async {
        let opened = match args {
            Args::Moved => return moved(&dirs, &store, output).await,
            Args::Verify { .. } | Args::Rm { missing: true, .. } => {
                artifacts::open_emptied(store, &dirs).await?
            }
            _ => artifacts::open(store, &dirs).await?,
        };
        let operator = Operator::of(&opened);
        act(&dirs, &operator, args, output).await
    })
}

async fn act(dirs: &Dirs, operator: &Operator, args: &Args, output: Output) -> Result<(), Error> {
    match args {
        Args::Ls { owner, run, pack, most, after } => {
            let wanted = list::Wanted { owner: owner.as_ref(), run: *run, pack: pack.clone() };
            list::list(operator, wanted, *most, after.clone(), output).await
        }
        Args::Get { id, file, range } => {
            get::get(operator, id, file.as_deref(), range.unwrap_or_default(), output).await
        }
        Args::Verify { ids, keys } => {
            verify::verify(operator, ids, &verify::keys(dirs, keys.as_deref())?, output).await
        }
        Args::Rm { missing: true, .. } => rm_missing(dirs, operator, output).await,
        Args::Rm { ids, missing: false } => rm(dirs, operator, ids, output).await,
        Args::Gc => {
            let begun = Acts::open(dirs)?.begin(Act::new("artifacts.gc", "expired"))?;
            let swept = output.progress("removing what is no longer needed").watch(operator.sweep()).await;
            let swept = begun
                .end_with(swept.map_err(Error::from), |act, swept| act.with("expired", swept.expired))?;
            output.answer(&swept, || {
                println!(
                    "{} expired, {} abandoned, {} objects removed",
                    swept.expired, swept.abandoned, swept.objects
                );
                if swept.strays > 0 {
                    println!(
                        "{} objects that the state does not know are left alone, for a week each",
                        swept.strays
                    );
                }
                if swept.failed > 0 {
                    println!("{} objects could not be removed; the log says why", swept.failed);
                }
            });
            Ok(())
        }
        // Answered above: the store that is known is another one.
        Args::Moved => Ok(()),
    }
}

async fn moved(dirs: &Dirs, store: &Store, output: Output) -> Result<(), Error> {
    let begun = Acts::open(dirs)?.begin(Act::new("artifacts.moved", store))?;
    let database = open_state(dirs)?;
    let work = output.progress("looking whether all of it is there");
    let objects = work.watch(Artifacts::moved(store, &database)).await.map_err(Error::from);
    let objects = begun.end_with(objects, |act, objects| act.with("objects", objects))?;
    output.answer(&json!({ "store": store.to_string(), "objects": objects }), || {
        println!("artifacts are in {BOLD}{store}{BOLD:#} from now on, with {objects} objects");
    });
    Ok(())
}

async fn rm(dirs: &Dirs, operator: &Operator, ids: &[ArtifactId], output: Output) -> Result<(), Error> {
    let acts = Acts::open(dirs)?;
    let work = output.progress("removing artifacts");
    for id in ids {
        let begun = acts.begin(Act::new("artifacts.rm", id))?;
        begun.end(work.watch(operator.remove(id)).await.map_err(|error| about(id, error)))?;
    }
    output.answer(&json!({ "removed": ids }), || {
        for id in ids {
            println!("removed {BOLD}{id}{BOLD:#}");
        }
    });
    Ok(())
}

/// An error about this one: where several were named, it says which is not there.
fn about(id: &ArtifactId, error: ArtifactError) -> Error {
    match error {
        ArtifactError::NotFound => Failure::new(ErrorCode::NotFound, format!("There is no artifact {id}."))
            .fix("`packhost artifacts ls` has them all.")
            .into(),
        error => error.into(),
    }
}

async fn rm_missing(dirs: &Dirs, operator: &Operator, output: Output) -> Result<(), Error> {
    let begun = Acts::open(dirs)?.begin(Act::new("artifacts.rm", "missing"))?;
    let work = output.progress("looking for what is lost");
    let removed = work.watch(operator.remove_missing()).await.map_err(Error::from);
    let ids = |removed: &[Artifact]| removed.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    let removed = begun.end_with(removed, |act, removed| act.with_names("artifacts", ids(removed)))?;
    output.answer(&json!({ "removed": ids(&removed) }), || {
        if removed.is_empty() {
            println!("nothing is missing");
        }
        removed.iter().for_each(|one| println!("removed {BOLD}{}{BOLD:#}  {}", one.id, one.name));
    });
    Ok(())
}
