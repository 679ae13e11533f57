//! What calls have made: where it is, and who takes away what is no longer needed.

mod store;

pub(crate) use store::store;

use std::sync::Arc;
use std::time::Duration;

use packhost_artifacts::{ArtifactError, Artifacts, Operator, Settings, Store};
use packhost_core::{ErrorCode, Failure};

use crate::dirs::Dirs;
use crate::exit::Error;
use crate::record;
use crate::state::open_state;

/// How often it is looked for what is no longer needed.
const SWEEP: Duration = Duration::from_secs(600);

/// Opens the artifacts in this store, and makes the keys where they are missing. The state directory must be there.
pub(crate) async fn open(store: Store, dirs: &Dirs) -> Result<Artifacts, Error> {
    open_as(store, dirs, Settings::default()).await
}

/// The same, with as much room as these settings say.
pub(crate) async fn open_as(store: Store, dirs: &Dirs, settings: Settings) -> Result<Artifacts, Error> {
    let keyring = Arc::new(record::keyring(dirs)?);
    Ok(Artifacts::open(store, open_state(dirs)?, keyring, settings).await?)
}

/// The same where the store is lost, for an operator who looks at what is missing.
pub(crate) async fn open_emptied(store: Store, dirs: &Dirs) -> Result<Artifacts, Error> {
    let keyring = Arc::new(record::keyring(dirs)?);
    Ok(Artifacts::open_emptied(store, open_state(dirs)?, keyring, Settings::default()).await?)
}

/// Removes what is no longer needed, for as long as this is polled.
pub(crate) async fn sweep(artifacts: Artifacts) {
    let operator = Operator::of(&artifacts);
    let mut beat = tokio::time::interval(SWEEP);
    loop {
        beat.tick().await;
        match operator.sweep().await {
            Ok(swept) if swept.expired + swept.abandoned > 0 => {
                tracing::info!(target: "packhost", expired = swept.expired, abandoned = swept.abandoned, "artifacts that were no longer needed are gone");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(target: "packhost", %error, "artifacts that are no longer needed cannot be removed");
            }
        }
    }
}

impl From<ArtifactError> for Error {
    fn from(error: ArtifactError) -> Self {
        match error {
            ArtifactError::NotFound => Failure::new(ErrorCode::NotFound, "There is no such artifact.")
                .fix("`packhost artifacts ls` has them all.")
                .into(),
            ArtifactError::Range(_) => Failure::from(error).into(),
            ArtifactError::State(error) => error.into(),
            // The operator may know what an agent may not.
            error => Self::failed(error.to_string()),
        }
    }
}
