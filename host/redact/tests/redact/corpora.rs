//! Text that was written to break things, none of which is a value: it passes unchanged.

use std::path::Path;

use bytes::Bytes;
use packhost_redact::Redactor;

/// The files of a corpus. It is kept beside the repository; where it is not, there is nothing to run.
fn files(name: &str, at_least: usize) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora").join(name);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        assert!(std::env::var_os("CI").is_none(), "the corpus is not there: {}", folder.display());
        eprintln!("not run: the corpus is not there ({})", folder.display());
        return Vec::new();
    };
    let files: Vec<Vec<u8>> = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_file())
        .map(|path| std::fs::read(path).expect("readable"))
        .collect();
    assert!(files.len() >= at_least, "the corpus is not whole");
    files
}

#[test]
fn every_file_passes_unchanged() {
    let values = ["q8Zr-2Lm0_vX41pTnB", "AKIA5Q7EXAMPLEKEY000", "f3a91c2e77b04d1b", "{\"key\":\"é\\/😀\"}"];
    let redactor = Redactor::new(values.iter().map(|value| ("A", value.as_bytes()))).expect("good values");
    for file in files("blns", 1).into_iter().chain(files("json/test_parsing", 270)) {
        assert!(!redactor.finds(&file));
        assert_eq!(redactor.bytes(&file), file);
        for cut in [1, 7, 4096] {
            let (mut stream, mut out) = (redactor.stream(), Vec::new());
            for part in file.chunks(cut) {
                out.extend_from_slice(&stream.push(Bytes::copy_from_slice(part)));
            }
            out.extend_from_slice(&stream.finish());
            assert_eq!(out, file);
        }
    }
}
