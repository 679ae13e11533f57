//! What the unpacked packages say of themselves.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A package whose files are in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version, with epoch and revision.
    pub version: String,
    /// What it was built for: `amd64`, `all`.
    pub architecture: String,
    /// The source package, where it has another name.
    pub source: Option<String>,
    /// Licences by the names that its copyright file gives them, where that can be read by a machine.
    pub licences: Vec<String>,
}

impl Package {
    /// From the fields of a control file (deb-control(5)).
    pub(crate) fn parse(control: &str) -> Option<Self> {
        let field = |name: &str| {
            control
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .map(|value| value.trim().to_owned())
        };
        Some(Self {
            name: field("Package")?,
            version: field("Version")?,
            architecture: field("Architecture")?,
            source: field("Source"),
            licences: Vec::new(),
        })
    }
}

/// The paths of a package, as they are in the tree: without `./`, in the merged `/usr`.
pub(crate) fn files(list: &str) -> BTreeSet<String> {
    list.lines()
        .map(|line| line.trim_start_matches("./").trim_end_matches('/'))
        .filter(|path| !path.is_empty())
        .map(|path| match path.split('/').next() {
            Some("bin" | "sbin" | "lib" | "lib64") => format!("usr/{path}"),
            _ => path.to_owned(),
        })
        .collect()
}

/// The licences that a copyright file in the machine-readable format names; none for other formats.
pub(crate) fn licences(copyright: &str) -> Vec<String> {
    if !copyright.lines().take(3).any(|line| line.starts_with("Format:")) {
        return Vec::new();
    }
    let names = copyright.lines().filter_map(|line| line.strip_prefix("License:")).map(str::trim);
    let names: BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_read_with_its_files_and_licences() {
        let control = "Package: libgcc-s1\nSource: gcc-12\nVersion: 12.2.0-14\nArchitecture: amd64\nDescription: x\n y\n";
        let package = Package::parse(control).expect("a package");
        assert_eq!((package.name.as_str(), package.source.as_deref()), ("libgcc-s1", Some("gcc-12")));
        assert_eq!(Package::parse("Package: x\n"), None);
        let expected = ["usr", "usr/lib", "usr/lib/x/libgcc_s.so.1", "usr/share/doc"].map(str::to_owned);
        assert_eq!(
            files("./\n./lib/\n./lib/x/libgcc_s.so.1\n./usr/\n./usr/share/doc/\n"),
            BTreeSet::from(expected)
        );
        let copyright = "Format: https://x\n\nFiles: *\nLicense: GPL-2+\n\nFiles: a\nLicense: BSD-3-clause\n text\nLicense: GPL-2+\n";
        assert_eq!(licences(copyright), ["BSD-3-clause", "GPL-2+"]);
        assert!(licences("This package was debianized by …\nLicense: GPL").is_empty());
    }
}
