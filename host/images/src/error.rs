//! Why there is no image.

use std::io;
use std::path::{Path, PathBuf};

/// Why an image was not built, found or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// There is no such recipe.
    #[error("there is no recipe \"{0}\"; there are: {1}")]
    Unknown(String, String),
    /// A recipe that cannot be read.
    #[error("a recipe cannot be read: {0}")]
    Recipe(String),
    /// What builds images is not installed.
    #[error(
        "`mmdebstrap` is not installed, which images are built with: run `apt-get install mmdebstrap` (Debian or Ubuntu)"
    )]
    NoBuilder,
    /// Packages could not be fetched or unpacked.
    #[error("mmdebstrap failed: {0}")]
    Packages(String),
    /// What was unpacked is not what an image is made from.
    #[error("the unpacked packages cannot be used: {0}")]
    Files(String),
    /// A file could not be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// The Docker Engine did not take the image.
    #[error("the Docker Engine at {0} did not take the image: {1}")]
    Docker(PathBuf, String),
}

impl ImageError {
    /// For `map_err`.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::File(path.to_owned(), error)
    }
}
