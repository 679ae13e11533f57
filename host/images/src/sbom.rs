//! The list of what is in an image: CycloneDX 1.5 as JSON, the same for the same packages.

use serde_json::{Value, json};

use crate::EPOCH_TEXT;
use crate::packages::Package;
use crate::recipe::Recipe;

/// The document.
pub(crate) fn document(recipe: &Recipe, digest: &str, packages: &[Package]) -> Value {
    let components: Vec<Value> = packages.iter().map(|package| component(package, &recipe.suite)).collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": EPOCH_TEXT,
            "component": {
                "type": "container",
                "bom-ref": "image",
                "name": recipe.image(),
                "version": digest,
                "description": recipe.summary,
            },
        },
        "components": components,
    })
}

fn component(package: &Package, suite: &str) -> Value {
    let Package { name, version, architecture, source, licences } = package;
    let address =
        format!("pkg:deb/debian/{}@{}?arch={architecture}&distro={suite}", escaped(name), escaped(version));
    let mut component = json!({
        "type": "library",
        "bom-ref": address,
        "name": name,
        "version": version,
        "purl": address,
    });
    if !licences.is_empty() {
        // Debian's names, which are not always SPDX identifiers.
        let named: Vec<Value> = licences.iter().map(|name| json!({ "license": { "name": name } })).collect();
        component["licenses"] = Value::Array(named);
    }
    if let Some(source) = source {
        component["properties"] = json!([{ "name": "debian:source", "value": source }]);
    }
    component
}

/// Percent-encoded as a package URL has it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_by_its_url() {
        let package = Package {
            name: "libstdc++6".into(),
            version: "1:12.2.0-14+deb12u1".into(),
            architecture: "amd64".into(),
            source: Some("gcc-12".into()),
            licences: vec!["GPL-3+".into()],
        };
        let component = component(&package, "bookworm");
        assert_eq!(
            component["purl"],
            "pkg:deb/debian/libstdc%2B%2B6@1%3A12.2.0-14%2Bdeb12u1?arch=amd64&distro=bookworm"
        );
        assert_eq!(component["licenses"][0]["license"]["name"], "GPL-3+");
    }
}
