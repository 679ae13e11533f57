//! Which image of the engine a sandbox is made from. Nothing is ever pulled.

use bollard::models::ImageInspect;

use super::engine::{Engine, Known, is_missing};
use crate::error::RuntimeError;
use crate::spec::Image;

/// Images that packhost builds itself.
const OWN: &str = "packhost/";

/// The engine's id of the image, which names the same content for ever.
pub(super) async fn find(engine: &Engine, known: &Known, image: &Image) -> Result<String, RuntimeError> {
    let (name, digest) = match image {
        Image::Host(_) => {
            return Err(RuntimeError::Unsupported(
                "a container cannot be made from the machine's own files: name an image, or choose the process backend".into(),
            ));
        }
        Image::Named { name, digest } => (name, digest.as_deref()),
    };
    if !is_name(name) {
        return Err(RuntimeError::Image(format!("\"{name}\" is not the name of an image")));
    }
    let found = match known.client.inspect_image(name).await {
        Ok(found) => found,
        Err(error) if is_missing(&error) => return Err(missing(name)),
        Err(error) => return Err(engine.failed(error)),
    };
    if let Some(digest) = digest
        && !is_pinned(&found, digest)
    {
        return Err(RuntimeError::Image(format!(
            "the image \"{name}\" is {} here and pinned to {digest}: build or load the pinned one, or change the pin",
            found.id.as_deref().unwrap_or("without an id")
        )));
    }
    let volumes = found.config.as_ref().and_then(|config| config.volumes.as_ref());
    if let Some(volume) = volumes.and_then(|volumes| volumes.first()) {
        return Err(RuntimeError::Image(format!(
            "the image \"{name}\" declares a volume at {volume}, which would be disk without a limit: use one without VOLUME"
        )));
    }
    found
        .id
        .ok_or_else(|| RuntimeError::Failed(format!("the Docker Engine gave no id for the image \"{name}\"")))
}

/// An image may be pinned by the engine's id, by a registry's digest, or by the digest of its one layer, which is what
/// `packhost images build` says and what stays the same whatever an engine makes of it.
fn is_pinned(found: &ImageInspect, digest: &str) -> bool {
    let by_registry =
        found.repo_digests.iter().flatten().filter_map(|text| text.split_once('@')).map(|(_, digest)| digest);
    let layers = found.root_fs.as_ref().and_then(|files| files.layers.as_deref()).unwrap_or_default();
    let by_layer = match layers {
        [only] => Some(only.as_str()),
        _ => None,
    };
    found.id.as_deref().into_iter().chain(by_registry).chain(by_layer).any(|known| known == digest)
}

fn missing(name: &str) -> RuntimeError {
    RuntimeError::Image(match name.strip_prefix(OWN) {
        Some(own) => {
            format!("the Docker Engine has no image \"{name}\": run `packhost images build {own}`")
        }
        None => format!(
            "the Docker Engine has no image \"{name}\", and packhost pulls none: run `docker pull {name}`"
        ),
    })
}

/// A reference as the engine reads it (path, tag, digest), which cannot leave its place in a URL.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte))
}

#[cfg(test)]
mod tests {
    use bollard::models::ImageInspectRootFs;

    use super::*;

    #[test]
    fn a_pin_is_an_id_a_registrys_digest_or_the_one_layer() {
        let layers = |layers: &[&str]| {
            Some(ImageInspectRootFs {
                layers: Some(layers.iter().map(|&text| text.to_owned()).collect()),
                ..ImageInspectRootFs::default()
            })
        };
        let mut found = ImageInspect {
            id: Some("sha256:id".into()),
            repo_digests: Some(vec!["python@sha256:registry".into()]),
            root_fs: layers(&["sha256:layer"]),
            ..ImageInspect::default()
        };
        for pin in ["sha256:id", "sha256:registry", "sha256:layer"] {
            assert!(is_pinned(&found, pin), "{pin}");
        }
        assert!(!is_pinned(&found, "sha256:other"));
        found.root_fs = layers(&["sha256:layer", "sha256:more"]);
        assert!(!is_pinned(&found, "sha256:layer"));
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_a_url() {
        assert!(is_name("packhost/python") && is_name("localhost:5000/a/b:tag"));
        for bad in ["", "../containers/x", "a/../../b", "a?x=1", "a b", "a//b", "a#b", "%2e%2e/x"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
