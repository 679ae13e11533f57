//! Images for sandboxes, built from Debian packages: no registry, no Dockerfile.
//!
//! Owns: the recipes, building one into a tree of files that comes out the same every time, the list of what is in it
//! (SBOM), and the store of built images on this machine. Refuses: running anything, and deciding who gets which image.
//!
//! Packages are unpacked by `mmdebstrap` and not installed: their scripts do not run, and what only those need is left out.
//! One tar is then made of what remains, sorted, with one time and one owner. Its SHA-256 names the image, whether it is
//! unpacked for the process backend or loaded into a Docker Engine.

mod bootstrap;
mod build;
mod docker;
mod error;
mod layer;
mod packages;
mod recipe;
mod sbom;
mod sources;
mod store;

pub use build::{Built, Progress, build};
pub use docker::import_into_docker;
pub use error::ImageError;
pub use packages::Package;
pub use recipe::{Recipe, recipe, recipes};
pub use store::{Installed, Store};

/// The time of every file and of every image: 2025-01-01T00:00:00Z. A build does not depend on when it is made.
const EPOCH: u64 = 1_735_689_600;
/// The same, for people and JSON.
const EPOCH_TEXT: &str = "2025-01-01T00:00:00Z";
