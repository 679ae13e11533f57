//! Names are labels. The corpora of traversals and of naughty strings, as names of artifacts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use packhost_artifacts::{InvalidName, MediaType, Name};
use packhost_core::RunId;

use crate::truth::Truth;
use crate::{Scene, ada, draft, read, write};

/// Lists of the corpora. They are kept beside the repository; where they are not, there is nothing to run.
fn corpus(file: &str) -> Option<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora").join(file);
    let Ok(bytes) = std::fs::read(&file) else {
        assert!(std::env::var_os("CI").is_none(), "the corpus is not there: {}", file.display());
        eprintln!("not run: the corpus is not there ({})", file.display());
        return None;
    };
    Some(bytes)
}

fn naughty() -> Option<Vec<String>> {
    let strings: Vec<String> = serde_json::from_slice(&corpus("blns/blns.json")?).expect("a list of strings");
    assert!(strings.len() > 500, "the corpus is not whole");
    Some(strings)
}

fn traversals() -> Option<Vec<String>> {
    let mut lines = Vec::new();
    for file in ["deep_traversal.txt", "directory_traversal.txt", "traversals-8-deep-exotic-encoding.txt"] {
        let text = corpus(&format!("traversal/{file}"))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        lines.extend(text.split('\n').map(str::to_owned));
    }
    // As they are, and with the place that they are made for.
    let filled = lines.iter().map(|line| line.replace("{FILE}", "etc/passwd")).collect::<Vec<_>>();
    lines.extend(filled);
    assert!(lines.len() > 1_800, "the corpus is not whole");
    Some(lines)
}

/// Every path below the directory, and next to it.
fn paths(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).expect("ours") {
            let path = entry.expect("ours").path();
            if path.is_dir() {
                open.push(path.clone());
            }
            found.insert(path);
        }
    }
    found
}

#[tokio::test]
async fn a_name_is_given_back_as_it_was_or_refused_and_never_a_path() {
    let (Some(naughty), Some(traversals)) = (naughty(), traversals()) else { return };
    let outer = tempfile::tempdir().expect("a temporary directory");
    let state = outer.path().join("a/b/c/state");
    std::fs::create_dir_all(&state).unwrap();
    let mut settings = Scene::new().settings();
    settings.limits.run_artifacts = u32::MAX;
    let artifacts = crate::opened(&state, settings).await.expect("it opens");
    let (run, mut kept, mut refused) = (RunId::fresh(), 0, 0);
    let names: BTreeSet<String> = naughty.into_iter().chain(traversals).collect();
    for (number, text) in names.iter().enumerate() {
        match text.parse::<Name>() {
            Ok(name) => {
                assert_eq!(name.as_str(), text);
                // One content for all: what is looked at here are the names.
                let one = write(&artifacts, draft(&ada(), run, text), b"content").await.expect("kept");
                if number % 8 == 0 {
                    let again = artifacts.get(&ada(), &one.id).await.expect("there");
                    assert_eq!(
                        (again.name.as_str(), &read(&artifacts, &again).await.unwrap()[..]),
                        (&**text, &b"content"[..])
                    );
                }
                kept += 1;
            }
            Err(error) => {
                is_refused_for_a_reason(text, &error);
                refused += 1;
            }
        }
    }
    assert!(kept > 1_500 && refused > 5, "{kept} were kept and {refused} refused");
    let manifest = artifacts.seal(&crate::run_of(&ada(), run)).await.expect("signed").expect("there is one");
    let keys = crate::keys(&state).unwrap().public().unwrap();
    let report = artifacts.verify(&ada(), &manifest.id, &keys).await.expect("there");
    assert!(report.is_sound() && report.is_signed(), "every name is in it as it is: {report:?}");
    assert_eq!(Truth::swept(&state).files.len(), 2);
    // Nothing but what is documented, and nothing outside.
    let state_files = ["state.db", "state.db-shm", "state.db-wal", "keys", "artifacts"];
    for path in paths(outer.path()) {
        let known = state.starts_with(&path)
            || path
                .strip_prefix(&state)
                .is_ok_and(|path| state_files.iter().any(|known| path.starts_with(known)));
        assert!(known, "{} was made", path.display());
    }
    let below: Vec<_> = paths(&state.join("artifacts")).into_iter().collect();
    assert_eq!(below.len(), 4, "{below:?}");
}

fn is_refused_for_a_reason(text: &str, error: &InvalidName) {
    match error {
        InvalidName::Empty => assert!(text.is_empty()),
        InvalidName::TooLong(length) => assert!(*length == text.len() && text.len() > Name::MAX),
        InvalidName::Control(c) => {
            let turns = matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
            assert!(text.contains(*c) && (c.is_control() || turns), "{text:?}: {error}");
        }
    }
    let said = error.to_string();
    assert!(!said.chars().any(char::is_control) && said.len() < 100, "{said:?}");
}

#[test]
fn a_name_is_as_long_as_it_may_be() {
    let most = "é".repeat(127) + "x";
    assert_eq!(most.parse::<Name>().map(String::from), Ok(most.clone()));
    assert_eq!((most + "x").parse::<Name>(), Err(InvalidName::TooLong(256)));
    assert_eq!("a\0b".parse::<Name>(), Err(InvalidName::Control('\0')));
    assert_eq!("invoice\u{202E}fdp.exe".parse::<Name>(), Err(InvalidName::Control('\u{202E}')));
    for good in ["a", " ", ".", "..", "/", "../../etc/passwd", "🦀", "con", "a\u{200E}b"] {
        assert_eq!(good.parse::<Name>().expect("a label").as_str(), good);
    }
}

#[test]
fn a_media_type_stays_in_its_header() {
    for good in ["text/plain", "image/svg+xml", "text/csv; charset=utf-8", "application/vnd.a.b+json;v=\"1\""]
    {
        assert_eq!(good.parse::<MediaType>().expect("one").as_str(), good);
    }
    let long = format!("text/{}", "x".repeat(MediaType::MAX));
    for bad in [
        "",
        "text",
        "/",
        "text/",
        "/plain",
        "te xt/plain",
        "text/plain\r\nx: y",
        "text/plain; a=é",
        "text/a/b",
        &long,
    ] {
        bad.parse::<MediaType>().expect_err(bad);
    }
    assert_eq!("Text/CSV ; a=b".parse::<MediaType>().expect("one").essence(), "text/csv");
}
