//! Values that look like each other and like escapes, and texts with their spellings in them, cut anywhere. The redactor does
//! what the oracle of its tests does, and no decoder brings a value out of what is left.
//!
//! The input is a list of choices: which values, which cuts, which text.

#[path = "../../host/redact/tests/redact/decoders.rs"]
mod decoders;
#[path = "../../host/redact/tests/redact/oracle.rs"]
mod oracle;
#[path = "../../host/redact/tests/redact/scene.rs"]
mod scene;

use scene::{Choices, Scene};

pub(crate) fn fuzz(choices: &[u8]) {
    Scene::new(&mut Choices(choices)).check();
}
