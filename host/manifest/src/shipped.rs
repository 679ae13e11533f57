//! The manifests that come with the host.

use crate::parse::{Origin, Source};

const FILES: &[(&str, &str)] = &[
    ("policies/archive.yaml", include_str!("../../../policies/archive.yaml")),
    ("policies/cmd.yaml", include_str!("../../../policies/cmd.yaml")),
    ("policies/doc.yaml", include_str!("../../../policies/doc.yaml")),
    ("policies/email.yaml", include_str!("../../../policies/email.yaml")),
    ("policies/fs.yaml", include_str!("../../../policies/fs.yaml")),
    ("policies/github.yaml", include_str!("../../../policies/github.yaml")),
    ("policies/http.yaml", include_str!("../../../policies/http.yaml")),
    ("policies/json.yaml", include_str!("../../../policies/json.yaml")),
    ("policies/node.yaml", include_str!("../../../policies/node.yaml")),
    ("policies/python.yaml", include_str!("../../../policies/python.yaml")),
    ("policies/text.yaml", include_str!("../../../policies/text.yaml")),
    ("policies/web.yaml", include_str!("../../../policies/web.yaml")),
];

/// The files of `policies/`, as they were when the host was built.
pub fn shipped() -> Vec<Source> {
    let source = |(name, text): &(&str, &str)| Source {
        name: (*name).into(),
        text: (*text).into(),
        origin: Origin::Shipped,
    };
    FILES.iter().map(source).collect()
}
