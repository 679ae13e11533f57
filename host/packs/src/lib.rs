//! The shipped packs, inside the binary: one that is copied alone to another machine serves them all.
//!
//! Owns: the components built from `packs-wasm/`, stamped with their descriptions. Refuses: running them, and packs
//! from anywhere else.

/// A pack that travels inside the binary.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// The pack's name, such as `text.stats`.
    pub name: &'static str,
    /// `sha256:` and 64 lower-case hex digits, of [`bytes`](Self::bytes). The same from every folder and machine that
    /// builds the same sources with the same toolchain.
    pub digest: &'static str,
    /// The component.
    pub bytes: &'static [u8],
}

/// All shipped packs, sorted by name.
pub static SHIPPED: &[Shipped] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The shipped pack of that name.
pub fn find(name: &str) -> Option<&'static Shipped> {
    SHIPPED.binary_search_by(|shipped| shipped.name.cmp(name)).ok().and_then(|at| SHIPPED.get(at))
}

#[cfg(test)]
mod tests {
    use packhost_core::Digest;
    use packhost_package::{Description, Outline};

    use super::*;

    #[test]
    fn every_pack_is_what_the_table_says() {
        assert!(find("text.stats").is_some());
        assert!(find("text.stat").is_none());
        assert!(SHIPPED.is_sorted_by(|a, b| a.name < b.name));
        for pack in SHIPPED {
            let description = Description::read(pack.bytes).expect("readable").expect("stamped");
            assert_eq!(description.name.as_str(), pack.name);
            assert_eq!(Digest::of(pack.bytes).to_string(), pack.digest);
        }
    }

    #[test]
    fn a_pack_imports_no_more_than_it_asks_for() {
        for pack in SHIPPED {
            let description = Description::read(pack.bytes).expect("readable").expect("stamped");
            let outline = Outline::read(pack.bytes).expect("a component");
            let imports = |prefix: &str| outline.imports.iter().any(|name| name.starts_with(prefix));
            assert_eq!(imports("wasi:http/"), description.wants.http.is_some(), "{}: http", pack.name);
            // jq's time functions look for the system's time zones; without a grant there are none, and UTC it is.
            let needless = pack.name == "json.query";
            let wants = &description.wants;
            assert_eq!(imports("packhost:pack/session"), wants.session.is_some(), "{}: session", pack.name);
            // A pack that runs programs has its workspace as a directory.
            let files = wants.fs.is_some() || wants.session.is_some() || needless;
            assert_eq!(imports("wasi:filesystem/"), files, "{}: fs", pack.name);
            assert!(!imports("wasi:sockets/"), "{}: sockets", pack.name);
            assert!(!outline.uses_async, "{}: needs WASI 0.3", pack.name);
            assert!(
                outline.exports.iter().any(|name| name.starts_with("packhost:pack/handler@")),
                "{}",
                pack.name
            );
        }
    }

    #[test]
    fn no_build_path_is_inside() {
        for pack in SHIPPED {
            for path in [env!("CARGO_MANIFEST_DIR"), ".cargo/registry", ".rustup/", "/packs-wasm/"] {
                let inside = pack.bytes.windows(path.len()).any(|window| window == path.as_bytes());
                assert!(!inside, "{} names {path}", pack.name);
            }
        }
    }
}
