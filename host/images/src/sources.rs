//! Where packages come from: the mirrors that this machine's apt uses for the release, and its keys.

use std::path::Path;

/// The entries of this machine for a release and its updates, one line each as in sources.list(5). Empty where it has none,
/// such as on another distribution: mmdebstrap then takes Debian's own.
pub(crate) fn lines(apt: &Path, suite: &str) -> Vec<String> {
    let mut files: Vec<_> = std::fs::read_dir(apt.join("sources.list.d"))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    files.push(apt.join("sources.list"));
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => found.extend(stanzas(&text, suite)),
            Some("list") => found.extend(one_liners(&text, suite)),
            _ => {}
        }
    }
    found.dedup();
    found
}

/// A release, what it was mended with, and nothing else.
fn wanted(named: &str, suite: &str) -> bool {
    named.strip_prefix(suite).is_some_and(|rest| ["", "-updates", "-security"].contains(&rest))
}

fn one_liners<'a>(text: &'a str, suite: &str) -> impl Iterator<Item = String> + 'a {
    let suite = suite.to_owned();
    text.lines()
        .map(str::trim)
        .filter(move |line| {
            let Some(rest) = line.strip_prefix("deb ") else { return false };
            let rest = rest.trim_start();
            let rest = match rest.strip_prefix('[') {
                Some(options) => options.split_once(']').map_or("", |(_, rest)| rest),
                None => rest,
            };
            rest.split_whitespace().nth(1).is_some_and(|named| wanted(named, &suite))
        })
        .map(str::to_owned)
}

/// The deb822 format.
fn stanzas(text: &str, suite: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for stanza in text.split("\n\n") {
        let field = |name: &str| {
            stanza.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        let is = |name, value: &str| {
            field(name).is_some_and(|text| text.split_whitespace().any(|word| word == value))
        };
        let (Some(uris), Some(suites), Some(components)) =
            (field("URIs"), field("Suites"), field("Components"))
        else {
            continue;
        };
        if !is("Types", "deb") || is("Enabled", "no") {
            continue;
        }
        // A key in the stanza itself has no place on one line; apt's own directory has Debian's.
        let signed = field("Signed-By").filter(|path| path.starts_with('/'));
        let options = signed.map(|path| format!("[signed-by={path}] ")).unwrap_or_default();
        for named in suites.split_whitespace().filter(|named| wanted(named, suite)) {
            lines.extend(
                uris.split_whitespace().map(|uri| format!("deb {options}{uri} {named} {components}")),
            );
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_give_the_releases_own_lines_and_no_others() {
        let apt = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(apt.path().join("sources.list.d")).expect("a directory");
        let write = |name: &str, text: &str| std::fs::write(apt.path().join(name), text).expect("written");
        write(
            "sources.list",
            "# deb http://x bookworm main\ndeb [arch=amd64 signed-by=/k] http://mirror/debian bookworm main\n\
             deb-src http://mirror/debian bookworm main\ndeb http://mirror/debian trixie main\n",
        );
        write(
            "sources.list.d/debian.sources",
            "Types: deb deb-src\nURIs: http://a http://b\nSuites: bookworm bookworm-updates bookworm-backports\n\
             Components: main contrib\nSigned-By: /usr/share/keyrings/k.gpg\n\nTypes: deb\nURIs: http://c\n\
             Suites: bookworm-security\nComponents: main\nEnabled: no\n",
        );
        write("sources.list.d/node.list", "deb https://deb.nodesource.com/node_20.x nodistro main\n");
        let signed = "[signed-by=/usr/share/keyrings/k.gpg]";
        assert_eq!(
            lines(apt.path(), "bookworm"),
            [
                "deb [arch=amd64 signed-by=/k] http://mirror/debian bookworm main".to_owned(),
                format!("deb {signed} http://a bookworm main contrib"),
                format!("deb {signed} http://b bookworm main contrib"),
                format!("deb {signed} http://a bookworm-updates main contrib"),
                format!("deb {signed} http://b bookworm-updates main contrib"),
            ]
        );
        assert!(lines(Path::new("/nonexistent"), "bookworm").is_empty());
    }
}
