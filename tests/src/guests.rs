//! The components that the build made for the suites, from `guests/` and `conformance/`. What each does is said where
//! it is written; a component's file name is the name of its pack, where it has one of its own.

use std::path::Path;

macro_rules! guests {
    ($( $(#[doc = $doc:literal])+ $function:ident = $file:literal; )+) => {
        $(
            $(#[doc = $doc])+
            pub fn $function() -> &'static Path {
                Path::new(concat!(env!("OUT_DIR"), "/guests/", $file, ".wasm"))
            }
        )+

        #[cfg(test)]
        const ALL: &[fn() -> &'static Path] = &[$($function),+];
    };
}

guests! {
    /// The pack `misbehave`: attacks, by its input's `do`. Needs no grant to be loaded.
    misbehave = "misbehave";
    /// The pack `reach`: sends an HTTP request. Imports `wasi:http`, and says so.
    reach = "reach";
    /// The pack `liar`: imports `wasi:http` and says that it wants nothing.
    liar = "liar";
    /// The pack `asker`: asks the user or the model.
    asker = "asker";
    /// The pack `maker`: keeps artifacts.
    maker = "maker";
    /// The pack `settings`: tells its `wasi:config` values and its environment.
    settings = "settings";
    /// The pack `same.name`, whose tool name is that of [`same_underscore`].
    same_dot = "same-dot";
    /// The pack `same_name`, whose tool name is that of [`same_dot`].
    same_underscore = "same-underscore";
    /// A component that does not know packhost: `add`, `divide`, the interfaces `words` and `shapes`, and one of a
    /// resource that no tool can be made of.
    plain = "plain";
    /// A component of WASI 0.3 that does not know packhost: `add`, `add-later` and `spin`, all of them async.
    plain_async = "plain-async";
}

/// A directory with all of these guests.
pub fn dir() -> &'static Path {
    Path::new(concat!(env!("OUT_DIR"), "/guests"))
}

/// A directory with the tools that the official MCP conformance suite expects, as packs.
pub fn conformance_dir() -> &'static Path {
    Path::new(concat!(env!("OUT_DIR"), "/conformance"))
}

/// The manifest that grants those packs what they need.
pub fn conformance_policy() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/policy.yaml"))
}

/// What the conformance suite is expected to fail, and why, in the suite's format.
pub fn conformance_expected_failures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/expected-failures.yml"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use packhost_package::{Description, Outline};

    use super::*;

    fn outline(guest: &Path) -> Outline {
        Outline::read(&fs::read(guest).expect("the build wrote it")).expect("a component")
    }

    fn description(guest: &Path) -> Option<Description> {
        Description::read(&fs::read(guest).expect("the build wrote it")).expect("a readable section, or none")
    }

    fn imports(guest: &Path, prefix: &str) -> bool {
        outline(guest).imports.iter().any(|name| name.starts_with(prefix))
    }

    #[test]
    fn every_guest_has_a_function() {
        assert_eq!(fs::read_dir(dir()).expect("the build made it").count(), ALL.len());
        assert!(ALL.iter().all(|guest| guest().is_file()));
    }

    #[test]
    fn only_the_plain_ones_do_not_describe_themselves() {
        for guest in ALL.iter().map(|guest| guest()) {
            let plain = [plain(), plain_async()].contains(&guest);
            assert_eq!(description(guest).is_none(), plain, "{}", guest.display());
            assert_eq!(imports(guest, "packhost:"), !plain, "{}", guest.display());
            assert_eq!(outline(guest).uses_async, guest == plain_async(), "{}", guest.display());
        }
    }

    #[test]
    fn the_liar_lies_and_nobody_else_does() {
        for guest in ALL.iter().map(|guest| guest()) {
            let Some(description) = description(guest) else { continue };
            let honest = imports(guest, "wasi:http/") == description.wants.http.is_some();
            assert_eq!(honest, guest != liar(), "{}", guest.display());
        }
        assert!(imports(misbehave(), "wasi:sockets/"), "an attack on the network needs sockets");
    }

    #[test]
    fn the_two_of_the_same_name_collide() {
        let tool = |guest| description(guest).expect("described").name.tool();
        assert_eq!(tool(same_dot()), tool(same_underscore()));
    }

    #[test]
    fn a_fixture_is_the_tool_that_its_file_names() {
        let policy = fs::read_to_string(conformance_policy()).expect("it is beside the fixtures");
        for entry in fs::read_dir(conformance_dir()).expect("the build made it") {
            let file = entry.expect("readable").path();
            let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a name");
            let description = description(&file).expect("a fixture describes itself");
            assert_eq!(description.name.as_str(), name);
            assert_eq!(imports(&file, "packhost:pack/ask"), description.wants.ask.is_some(), "{name}");
            assert!(policy.contains(&format!("\n  {name}: {{")), "the manifest has no entry for {name}");
        }
    }
}
