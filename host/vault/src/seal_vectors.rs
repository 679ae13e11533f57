//! The AES-GCM vectors of Wycheproof, through the function that opens every sealed value.

use std::path::Path;

use serde::Deserialize;

use super::{NONCE, NotOurs, decrypt};
use crate::keys::KEY;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Corpus {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    /// Bits of the nonce, of the key and of the tag.
    iv_size: usize,
    key_size: usize,
    tag_size: usize,
    tests: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    tc_id: u32,
    key: String,
    iv: String,
    aad: String,
    msg: String,
    ct: String,
    tag: String,
    result: Outcome,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Valid,
    Invalid,
}

/// The vectors. The corpus is kept beside the repository; where it is not, there is nothing to run.
fn corpus() -> Option<Corpus> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = file.join("../../../shared/corpora/wycheproof/aes_gcm_test.json");
    let Ok(bytes) = std::fs::read(&file) else {
        assert!(std::env::var_os("CI").is_none(), "the corpus is not there: {}", file.display());
        eprintln!("not run: the vectors of Wycheproof are not there ({})", file.display());
        return None;
    };
    Some(serde_json::from_slice(&bytes).expect("the schema of Wycheproof"))
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).expect("ASCII"));
    digits.map(|two| u8::from_str_radix(two, 16).expect("hex")).collect()
}

impl Vector {
    /// Opens it as a stored value: nonce, ciphertext, tag.
    fn open(&self) -> Result<Vec<u8>, NotOurs> {
        let sealed = [bytes(&self.iv), bytes(&self.ct), bytes(&self.tag)].concat();
        decrypt(&bytes(&self.key), &bytes(&self.aad), &sealed).map(|plain| plain.to_vec())
    }
}

#[test]
fn every_vector_of_wycheproof_opens_or_fails_as_it_should() {
    let Some(corpus) = corpus() else { return };
    let (mut valid, mut invalid, mut other) = (0, 0, 0);
    for group in &corpus.test_groups {
        let ours = (group.iv_size, group.key_size, group.tag_size) == (NONCE * 8, KEY * 8, 128);
        for vector in &group.tests {
            let expected = if ours && vector.result == Outcome::Valid {
                valid += 1;
                Ok(bytes(&vector.msg))
            } else {
                // A key or a nonce of another size is none of the vault's: it opens nothing, whatever the vector says.
                *if ours { &mut invalid } else { &mut other } += 1;
                Err(NotOurs)
            };
            assert_eq!(vector.open(), expected, "vector {}", vector.tc_id);
        }
    }
    eprintln!("{valid} valid and {invalid} invalid vectors; {other} of other sizes, which open nothing");
    assert_eq!(valid + invalid + other, corpus.number_of_tests, "the corpus is not whole");
    assert!(valid > 30 && invalid > 20, "{valid} valid, {invalid} invalid");
}
