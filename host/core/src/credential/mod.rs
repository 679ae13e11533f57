//! What a placeholder such as `${vault:GITHUB_TOKEN}` names, and where in a request it stands.

mod name;
mod placement;

pub use name::{CredentialName, CredentialNameError};
pub use placement::Placement;
