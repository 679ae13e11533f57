//! What the operator's pages show of `packaging/` is what is there.

use std::path::Path;

#[test]
fn the_book_shows_the_files_of_packaging_as_they_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |file: &str| std::fs::read_to_string(root.join(file)).expect("it is part of the repository");
    for (page, file) in [
        ("docs/src/operating/backup.md", "packaging/packhost-backup"),
        ("docs/src/operating/install.md", "packaging/packhost.service"),
    ] {
        let shown = format!("\n{}```\n", read(file));
        assert!(read(page).contains(&shown), "{page} shows another {file}");
    }
}
