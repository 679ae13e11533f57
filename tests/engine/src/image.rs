//! Images that are made of what this machine has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Python, as Debian has it.
const PYTHON: &str = "/usr/bin/python3";
/// What no test imports, and what would make an image large.
const UNUSED: [&str; 7] = ["test", "unittest", "idlelib", "lib2to3", "ensurepip", "tkinter", "pydoc_data"];

/// A tar of these programs and of the libraries that they are linked with.
pub fn closure(programs: &[&str]) -> tar::Builder<Vec<u8>> {
    let mut files = BTreeSet::new();
    for program in programs {
        let path = ["/usr/bin", "/bin"].map(|directory| Path::new(directory).join(program));
        let path = path.into_iter().find(|path| path.exists()).expect("every machine has it");
        let linked = Command::new("ldd").arg(&path).output().expect("ldd runs");
        let linked = String::from_utf8_lossy(&linked.stdout).into_owned();
        let words = linked.split_whitespace().filter(|word| word.starts_with('/'));
        files.extend(words.map(|word| (PathBuf::from(word), PathBuf::from(word))));
        files.insert((Path::new("/bin").join(program), path));
    }
    let mut tar = tar::Builder::new(Vec::new());
    for (inside, host) in files {
        let inside = inside.strip_prefix("/").expect("absolute");
        tar.append_path_with_name(fs::canonicalize(&host).expect("it is there"), inside)
            .expect("it can be read");
    }
    for directory in ["tmp", "etc"] {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        tar.append_data(&mut header, directory, std::io::empty()).expect("a directory");
    }
    tar
}

/// With Python and its own library, without packages.
pub fn with_python(mut tar: tar::Builder<Vec<u8>>) -> tar::Builder<Vec<u8>> {
    let script = "import sysconfig; print(sysconfig.get_path('stdlib'))";
    let library = Command::new(PYTHON).args(["-I", "-c", script]).output();
    let library = library.expect("/usr/bin/python3 runs, which is Debian's package python3").stdout;
    let library = PathBuf::from(String::from_utf8(library).expect("UTF-8").trim());
    tar.follow_symlinks(true);
    let entries = fs::read_dir(&library).expect("it is there").flatten();
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let inside = path.strip_prefix("/").expect("absolute");
        if UNUSED.contains(&name.as_str()) || name.starts_with("config-") {
            continue;
        }
        // A link that leads nowhere is not needed either.
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => tar.append_dir_all(inside, &path).expect("it can be read"),
            Ok(_) => tar.append_path_with_name(&path, inside).expect("it can be read"),
            Err(_) => {}
        }
    }
    // What Python calls the C library with is linked with more than programs are.
    let linked = Command::new("ldd").args(files(&library.join("lib-dynload"), "_ctypes.")).output();
    let linked = String::from_utf8(linked.expect("ldd runs").stdout).expect("UTF-8");
    for path in linked.split_whitespace().filter(|word| word.starts_with('/') && word.contains("libffi")) {
        let inside = path.trim_start_matches('/');
        tar.append_path_with_name(fs::canonicalize(path).expect("it is there"), inside)
            .expect("it can be read");
    }
    // Under the name that it goes by wherever it is a program of the machine.
    tar.append_path_with_name(fs::canonicalize(PYTHON).expect("it is there"), "usr/bin/python3")
        .expect("it can be read");
    tar
}

/// The files of a directory whose names begin so.
fn files(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("it is there").flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect()
}
