//! A corpus of paths that lead out of a directory, in every encoding that somebody somewhere decodes: as a guest hands them
//! to the host, as an agent hands them to the file packs, and as names in an archive.
//!
//! As in `files`, the hosts here run without the walls.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use packhost_tests::host::Setup;
use packhost_tests::rpc::Rpc;
use serde_json::{Value, json};

use crate::files::{SECRET, Yard, tries};
use crate::scene::connect;

/// What the corpus has where an attacker writes a file's name.
const FILE: &str = "{FILE}";

/// Paths, each once. The corpus is kept beside the repository; where it is not, there is nothing to run.
fn corpus() -> Option<BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora/traversal");
    let Ok(entries) = fs::read_dir(&folder) else {
        assert!(std::env::var_os("CI").is_none(), "the corpus is not there: {}", folder.display());
        eprintln!("not run: the corpus of traversals is not there ({})", folder.display());
        return None;
    };
    let files = entries.map(|entry| entry.expect("readable").path());
    let lists = files.filter(|file| file.extension().is_some_and(|kind| kind == "txt"));
    let texts: Vec<String> = lists.map(|file| fs::read_to_string(file).expect("readable")).collect();
    let lines = texts.iter().flat_map(|text| text.lines()).filter(|line| !line.is_empty());
    let lines: BTreeSet<String> = lines.map(String::from).collect();
    assert!(lines.len() > 1400, "the corpus is not whole");
    Some(lines)
}

/// The paths that lead to what is there: the file beside the granted directory, and one of the system.
fn readable(paths: &BTreeSet<String>) -> impl Iterator<Item = String> {
    let targets = ["outside/secret.txt", "etc/passwd"];
    let named = |path: &String| targets.map(|target| path.replace(FILE, target));
    paths.iter().flat_map(named).collect::<BTreeSet<String>>().into_iter()
}

/// The paths that lead to nothing. Only those: were one of them to lead out, no file of this machine would be lost.
fn writable<'a>(paths: &'a BTreeSet<String>, mark: &'a str) -> impl Iterator<Item = String> + 'a {
    paths.iter().filter(|path| path.contains(FILE)).map(move |path| path.replace(FILE, mark))
}

/// A name that no other test and no earlier run has.
fn mark(test: &str) -> String {
    format!("packhost-tests-{test}-{}", std::process::id())
}

/// No directory above this one has an entry with the mark in its name.
fn nothing_is_above(inside: &Path, mark: &str) {
    for above in inside.ancestors().skip(1) {
        for entry in fs::read_dir(above).expect("the test may read it") {
            let name = entry.expect("readable").file_name();
            assert!(!name.to_string_lossy().contains(mark), "{name:?} is in {}", above.display());
        }
    }
}

#[test]
fn no_path_of_the_corpus_leads_a_guest_out() {
    let Some(paths) = corpus() else { return };
    let yard = Yard::new("", "read-write");
    let mut host = yard.connect();
    for path in readable(&paths) {
        let seen = tries(&mut host, "read", &path, "");
        assert!(seen.starts_with("refused: "), "{path}: {seen}");
    }
    // A name in which somebody else would decode a slash is a name: the file may come to be, inside.
    let mark = mark("guest");
    for path in writable(&paths, &mark) {
        tries(&mut host, "write", &path, "escaped");
    }
    yard.is_untouched();
    nothing_is_above(&yard.inside, &mark);
}

/// A host with the shipped packs that read, write and extract, and the directory that they have.
fn shipped() -> (Setup, PathBuf) {
    let setup = Setup::new().args(["--walls", "off"]);
    let (inside, outside) = (setup.root().join("granted"), setup.root().join("outside"));
    fs::create_dir(&inside).expect("the directory is ours");
    fs::create_dir(&outside).expect("the directory is ours");
    fs::write(outside.join("secret.txt"), SECRET).expect("the directory is ours");
    let rule = format!("fs: [{{ host: \"{}\", guest: /files, mode: read-write }}]", inside.display());
    let entries = ["fs.read", "fs.write", "archive.extract"].map(|pack| format!("  {pack}: {{ {rule} }}\n"));
    let setup = setup.policy(&format!("version: 1\npacks:\n{}", entries.concat()));
    (setup.warmed(), inside)
}

fn call(host: &mut Rpc, tool: &str, input: Value) -> Value {
    let result = host.call(tool, input);
    assert!(!result.to_string().contains(SECRET), "{result}");
    result
}

#[test]
fn no_path_of_the_corpus_leads_a_file_pack_out() {
    let Some(paths) = corpus() else { return };
    let (setup, inside) = shipped();
    let mut host = connect(&setup);
    for path in readable(&paths) {
        let result = call(&mut host, "fs_read", json!({ "path": path }));
        assert_eq!(result["isError"], true, "{path}: {result}");
    }
    let mark = mark("pack");
    for path in writable(&paths, &mark) {
        call(&mut host, "fs_write", json!({ "path": path, "content": "escaped" }));
    }
    nothing_is_above(&inside, &mark);
    assert_eq!(fs::read_to_string(inside.join("../outside/secret.txt")).expect("it is there"), SECRET);
}

#[test]
fn no_name_of_the_corpus_leads_an_archive_out() {
    let Some(paths) = corpus() else { return };
    let (setup, inside) = shipped();
    let mut host = connect(&setup);
    let mark = mark("archive");
    let mut refused = 0;
    for path in writable(&paths, &mark) {
        fs::write(inside.join("a.tar"), tar(&path, b"escaped")).expect("the directory is ours");
        let input = json!({ "path": "a.tar", "destination": "out", "overwrite": true });
        let result = call(&mut host, "archive_extract", input);
        let steps = path.contains('\\') || path.starts_with('/') || path.split('/').any(|part| part == "..");
        assert!(!steps || result["isError"] == true, "{path}: {result}");
        refused += usize::from(result["isError"] == true);
    }
    assert!(refused > 200, "{refused} were refused");
    nothing_is_above(&inside.join("out"), &mark);
    let names: BTreeSet<_> = fs::read_dir(&inside)
        .expect("it is there")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    assert!(names.iter().all(|name| name == "a.tar" || name == "out"), "{names:?}");
}

/// A tar file (POSIX.1-2024, pax, "ustar Interchange Format") with one file of this name; a long one in an entry of its own
/// before it, as GNU tar has it.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    if name.len() > 100 {
        member(&mut archive, "././@LongLink", b'L', name.as_bytes());
    }
    member(&mut archive, name, b'0', content);
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn member(archive: &mut Vec<u8>, name: &str, kind: u8, content: &[u8]) {
    let mut head = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name.as_bytes()[..name.len().min(100)]);
    put(100, b"0000644\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive.extend(head);
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(512), 0);
}
