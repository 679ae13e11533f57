//! What calls made, kept: files, images, tables, whatever is too large for an answer.
//!
//! Owns: the bytes, each content once (SHA-256); whose they are, how long they stay and how much there may be of them; the
//! signed manifest of a run; taking away what nobody refers to any more. Refuses: knowing what is in them, who may call, and
//! how they look at a door.
//!
//! [`Artifacts`] is for the one who calls: whatever is another caller's is not there. [`Operator`] sees all of it.
//!
//! ```no_run
//! # use packhost_artifacts::*;
//! # async fn doc(artifacts: Artifacts, run: packhost_core::RunId) -> Result<(), Box<dyn std::error::Error>> {
//! let ada = packhost_core::Caller::local();
//! let draft = Draft::new(ada.clone(), run, "chart.draw".parse()?, "chart.png".parse()?, "image/png".parse()?);
//! let mut writer = artifacts.writer(draft).await?;
//! writer.write("bytes".into()).await?;
//! let made = writer.finish().await?;
//! let reading = artifacts.read(&ada, &made.id, ByteRange::Suffix(2)).await?;
//! # Ok(()) }
//! ```

mod artifact;
mod artifacts;
mod belonging;
mod claim;
mod error;
mod hashing;
mod id;
mod label;
mod link;
mod manifest;
mod missing;
mod operator;
mod range;
mod reading;
mod seal;
mod settings;
mod store;
mod sweep;
mod table;
mod verify;
mod writer;

pub use artifact::{Artifact, Cursor, Draft, Filter, Kind, Listing, Page};
pub use artifacts::Artifacts;
pub use error::{ArtifactError, Limit};
pub use id::{ArtifactId, InvalidId};
pub use label::{InvalidMediaType, InvalidName, MediaType, Name};
pub use link::Linked;
pub use manifest::{Envelope, Made, Manifest, ManifestError};
pub use operator::Operator;
pub use range::{ByteRange, InvalidRange, Unsatisfiable};
pub use reading::Reading;
pub use seal::Run;
pub use settings::{Clock, Limits, Settings};
pub use store::Store;
#[cfg(feature = "s3")]
pub use store::{AccessKey, Bucket, BucketError, InvalidKey, S3, S3Error, ThroughEgress};
pub use sweep::Swept;
pub use verify::{Checked, Finding, Report, Signed};
pub use writer::Writer;
