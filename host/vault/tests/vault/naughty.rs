//! The big list of naughty strings, as values and as names.

use std::path::Path;

use packhost_core::CredentialName;
use packhost_vault::{Carried, Secret, SecretError};

use crate::{Scene, Tried, github, name};

/// The strings. The corpus is kept beside the repository; where it is not, there is nothing to run.
fn corpus() -> Option<Vec<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/blns/blns.json");
    let Ok(bytes) = std::fs::read(&file) else {
        assert!(std::env::var_os("CI").is_none(), "the corpus is not there: {}", file.display());
        eprintln!("not run: the naughty strings are not there ({})", file.display());
        return None;
    };
    let strings: Vec<String> = serde_json::from_slice(&bytes).expect("a list of strings");
    assert!(strings.len() > 500, "the corpus is not whole");
    Some(strings)
}

#[test]
fn a_naughty_value_comes_back_byte_for_byte_or_is_refused_and_not_repeated() {
    let Some(strings) = corpus() else { return };
    // A short one has its turn as a part of a longer one.
    let longer: Vec<String> = strings.iter().map(|text| format!("{text} and {text}")).collect();
    let (mut carried, mut texts, mut refused) = (Vec::new(), Vec::new(), 0);
    for text in strings.iter().chain(&longer) {
        match Secret::new(text.as_bytes()) {
            Ok(value) => {
                let name = name(&format!("N{}", texts.len()));
                carried.push(Carried { name, value, bindings: vec![github()] });
                texts.push(text);
            }
            Err(error) => {
                is_refused_for_a_reason(text, &error);
                refused += 1;
            }
        }
    }
    let scene = Scene::new();
    scene.vault().import(&carried, false).expect("kept");
    let vault = scene.vault();
    for (Carried { name, .. }, text) in carried.iter().zip(&texts) {
        let opened = vault.open_for(name, &Tried::good().of()).expect("bound");
        assert_eq!(opened.value.expose(), text.as_bytes());
        assert!(text.len() >= Secret::MIN && !text.chars().any(char::is_control), "{text:?}");
        assert!(!format!("{opened:?}").contains(text.as_str()));
    }
    assert!(texts.len() > 700 && refused > 50, "{} were kept and {refused} refused", texts.len());
}

fn is_refused_for_a_reason(text: &str, error: &SecretError) {
    let said = format!("{error} {error:?}");
    assert!(text.len() < Secret::MIN || !said.contains(text), "{said}");
    match error {
        SecretError::Empty => assert!(text.trim().is_empty(), "{text:?}"),
        SecretError::TooShort => assert!(text.len() < Secret::MIN, "{text:?}"),
        SecretError::Control => assert!(text.chars().any(char::is_control), "{text:?}"),
        error => panic!("{text:?}: {error}"),
    }
}

#[test]
fn a_naughty_name_is_exact_or_refused() {
    let Some(strings) = corpus() else { return };
    let scene = Scene::new();
    let vault = scene.vault();
    let secret = Secret::new(b"12345678").expect("a good value");
    let (mut kept, mut refused) = (std::collections::BTreeSet::new(), 0);
    for text in &strings {
        let Ok(name) = text.parse::<CredentialName>() else {
            refused += 1;
            continue;
        };
        assert_eq!(name.as_str(), text);
        vault.set(&name, &secret, &[github()]).expect("kept");
        kept.insert(text.clone());
    }
    let list = scene.vault().list().expect("readable");
    assert_eq!(
        list.into_iter().map(|about| String::from(about.name)).collect::<Vec<_>>(),
        Vec::from_iter(kept)
    );
    for about in vault.list().expect("readable") {
        scene.vault().open_for(&about.name, &Tried::good().of()).expect("bound");
    }
    assert!(refused > 400, "{refused} were refused");
}
