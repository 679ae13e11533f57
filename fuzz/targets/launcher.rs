//! What a host that was taken over sends to the launcher of sandboxes, which is root: one packet of arbitrary bytes. Nothing
//! panics, a refusal stays short, and what is taken keeps the bounds of a recipe, leads nowhere by a path, and takes no more
//! memory than its packet.

use std::path::{Component, Path};

use packhost_launcher::fuzzing::request;
use packhost_launcher::{Files, Recipe, bounds};

use crate::within_memory;

/// The most that comes in one packet: `PACKET` of the launcher.
const PACKET: usize = 64 << 10;
/// What reading takes, whatever is read, and what one byte of it may cost: a place in a list.
const MEMORY: (usize, usize) = (64 << 10, 256);

pub(crate) fn fuzz(packet: &[u8]) {
    if packet.len() > PACKET {
        return;
    }
    match within_memory(MEMORY.0 + MEMORY.1 * packet.len(), || request(packet)) {
        Ok((recipe, again)) => {
            assert_eq!(request(&again).expect("what was written is read"), (recipe.clone(), again));
            recipe.iter().for_each(keeps_its_bounds);
        }
        Err(refusal) => assert!(!refusal.is_empty() && refusal.len() <= 2000, "{refusal}"),
    }
}

fn keeps_its_bounds(recipe: &Recipe) {
    let Recipe { id, owner, files, limits, mounts, scratch, env, labels, .. } = recipe;
    assert!(id.len() == bounds::ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    let lists = [mounts.len(), scratch.len(), env.len(), labels.len()];
    assert!(lists.into_iter().all(|list| list <= bounds::LIST) && owner.len() <= bounds::NAME);
    // Each becomes a C string of the supervisor's environment.
    assert!(env.iter().flat_map(|(name, value)| [name, value]).all(|text| !text.contains('\0')));
    assert!(
        limits.processes > 0 && i64::try_from(limits.memory).is_ok() && i64::try_from(limits.disk).is_ok()
    );
    match files {
        Files::Host(paths) => {
            assert!(paths.len() <= bounds::LIST);
            paths.iter().for_each(|path| stays(path));
        }
        // It is joined to the directory of images.
        Files::Image(name) => {
            assert!(!name.is_empty() && Path::new(name).components().all(is_name), "{name}");
        }
    }
    mounts.iter().for_each(|mount| stays(&mount.host));
    for inside in mounts.iter().map(|mount| &mount.inside).chain(scratch) {
        stays(inside);
        let own = ["/proc", "/dev", "/sys", "/etc"].iter().any(|own| inside.starts_with(own));
        assert!(!own && inside != Path::new("/"), "{inside:?}");
    }
}

/// Absolute, and what it says.
fn stays(path: &Path) {
    let mut parts = path.components();
    assert!(parts.next() == Some(Component::RootDir) && parts.all(is_name), "{path:?} leads elsewhere");
    let bytes = path.as_os_str().as_encoded_bytes();
    assert!(bytes.len() <= bounds::PATH && !bytes.contains(&0), "{path:?}");
}

fn is_name(part: Component<'_>) -> bool {
    matches!(part, Component::Normal(_))
}
