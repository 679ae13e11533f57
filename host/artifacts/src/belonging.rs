//! Whether a store and a database belong together. Each has the id of the pair, and the database knows where its store is: who
//! names another place by mistake neither writes there nor removes anything.

use std::collections::HashSet;
use std::sync::Arc;

use futures::TryStreamExt as _;
use packhost_state::Database;

use crate::artifacts::blocking;
use crate::error::ArtifactError;
use crate::id::random;
use crate::store::Store;
use crate::table::known::{self, Known};
use crate::table::objects;

/// Whether the store is the one that the database knows. The first time, they are told of each other.
pub(crate) async fn belong_together(store: &Store, database: &Arc<Database>) -> Result<(), ArtifactError> {
    match are_told_of_each_other(store, database).await {
        // Another process may have been about to tell them. By now it has.
        Err(ArtifactError::Foreign | ArtifactError::Emptied) => are_told_of_each_other(store, database).await,
        told => told,
    }
}

async fn are_told_of_each_other(store: &Store, database: &Arc<Database>) -> Result<(), ArtifactError> {
    // A store that is not the one is not even asked.
    expected(store, database).await?;
    let mark = store.mark().await?;
    let (known, has_objects) = expected(store, database).await?;
    match (known, mark) {
        (Some(known), Some(mark)) if known.id == mark => Ok(()),
        (Some(known), None) if !has_objects => store.set_mark(&known.id).await,
        (None, None) => {
            // A bucket that is not there is not the one from now on.
            store.list().try_next().await?;
            let (of, place) = (Arc::clone(database), store.place().to_owned());
            let adopted = blocking(move || of.write(|sql| known::adopt(sql, random(), place))).await?;
            adopted.is_at(store.place())?;
            store.set_mark(&adopted.id).await
        }
        (Some(_), None) => Err(ArtifactError::Emptied),
        (_, Some(_)) => Err(ArtifactError::Foreign),
    }
}

/// What the database knows of its store, where that is this one or none yet, and whether it has objects.
async fn expected(store: &Store, database: &Arc<Database>) -> Result<(Option<Known>, bool), ArtifactError> {
    let (of, place) = (Arc::clone(database), store.place().to_owned());
    let expected = move || {
        of.read(|sql| {
            known::stays(sql, &place)?;
            Ok((known::store(sql)?, objects::are_there(sql)?))
        })
    };
    blocking(expected).await
}

/// The database knows this store from now on, if that has a copy of every object. How many objects that are.
pub(crate) async fn moved(store: &Store, database: &Arc<Database>) -> Result<u64, ArtifactError> {
    let of = Arc::clone(database);
    let Some(known) = blocking(move || of.read(known::store)).await? else {
        return belong_together(store, database).await.map(|()| 0);
    };
    let mark = store.mark().await?;
    if mark.as_ref().is_some_and(|mark| *mark != known.id) {
        return Err(ArtifactError::Foreign);
    }
    let mut there = HashSet::new();
    let mut listed = store.list();
    while let Some(places) = listed.try_next().await? {
        there.extend(places);
    }
    let (of, place) = (Arc::clone(database), store.place().to_owned());
    let objects = blocking(move || of.write(|sql| known::moves(sql, &place, &there))).await?;
    if mark.is_none() {
        store.set_mark(&known.id).await?;
    }
    Ok(objects)
}
