//! The state database as rooms use it.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use packhost_state::{Database, StateError};
use tempfile::TempDir;

const FIRST: &str = "CREATE TABLE notes (text TEXT NOT NULL)";
const SECOND: &str = "ALTER TABLE notes ADD COLUMN page BIGINT NOT NULL DEFAULT 1";

fn place() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn note(database: &Database, text: &str) -> Result<(), StateError> {
    database.write(|sql| {
        sql.execute("INSERT INTO notes (text) VALUES (?1)", [text])?;
        Ok(())
    })
}

fn notes(database: &Database) -> Vec<String> {
    let read = database.read::<_, StateError>(|sql| {
        let mut statement = sql.prepare("SELECT text FROM notes ORDER BY text")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    read.expect("the table is there")
}

#[test]
fn what_was_written_is_there_for_the_next_process() {
    let dir = place();
    {
        let database = Database::open(dir.path()).expect("a fresh directory");
        database.migrate("notes", &[FIRST]).expect("a fresh table");
        note(&database, "one").expect("a good row");
    }
    let again = Database::open(dir.path()).expect("our own file");
    again.migrate("notes", &[FIRST]).expect("nothing to do");
    assert_eq!(notes(&again), ["one"]);
}

#[test]
fn a_step_is_taken_once_and_in_order() {
    let dir = place();
    let database = Database::open(dir.path()).expect("a fresh directory");
    database.migrate("notes", &[FIRST]).expect("the first version");
    note(&database, "old").expect("a good row");
    for _ in 0..2 {
        database.migrate("notes", &[FIRST, SECOND]).expect("the second version");
    }
    let pages: Result<i64, StateError> =
        database.read(|sql| Ok(sql.query_row("SELECT page FROM notes", [], |row| row.get(0))?));
    assert_eq!(pages.expect("the column is there"), 1);
}

#[test]
fn a_step_that_fails_changes_nothing() {
    let dir = place();
    let database = Database::open(dir.path()).expect("a fresh directory");
    database.migrate("notes", &[FIRST]).expect("the first version");
    let broken = "CREATE TABLE half (a TEXT); NOT SQL";
    database.migrate("notes", &[FIRST, broken]).expect_err("a broken step");
    let half = database.read::<i64, StateError>(|sql| {
        Ok(sql.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'half'", [], |row| row.get(0))?)
    });
    assert_eq!(half.expect("the database is in order"), 0);
    database.migrate("notes", &[FIRST, SECOND]).expect("the mended step");
}

#[test]
fn tables_of_a_newer_host_are_left_alone() {
    let dir = place();
    let database = Database::open(dir.path()).expect("a fresh directory");
    database.migrate("notes", &[FIRST, SECOND]).expect("the newer host");
    let refused = database.migrate("notes", &[FIRST]).expect_err("the older host");
    assert!(matches!(refused, StateError::Newer { room: "notes", found: 2, known: 1 }), "{refused}");
    database.migrate("others", &[]).expect("another room is not concerned");
}

#[test]
fn a_write_that_fails_leaves_nothing() {
    let dir = place();
    let database = Database::open(dir.path()).expect("a fresh directory");
    database.migrate("notes", &[FIRST]).expect("a fresh table");
    let failed = database.write::<(), StateError>(|sql| {
        sql.execute("INSERT INTO notes (text) VALUES ('half')", [])?;
        sql.execute("INSERT INTO nowhere VALUES (1)", [])?;
        Ok(())
    });
    failed.expect_err("there is no such table");
    assert!(notes(&database).is_empty());
}

#[test]
fn two_processes_write_in_turns() {
    let dir = place();
    let open = || Database::open(dir.path()).expect("our own file");
    open().migrate("notes", &[FIRST]).expect("a fresh table");
    std::thread::scope(|scope| {
        for name in ["a", "b"] {
            let database = open();
            scope.spawn(move || {
                for number in 0..50 {
                    note(&database, &format!("{name}{number}")).expect("the other one is soon done");
                }
            });
        }
    });
    assert_eq!(notes(&open()).len(), 100);
}

#[test]
fn the_file_is_this_users_alone() {
    let dir = place();
    drop(Database::open(dir.path()).expect("a fresh directory"));
    let file = dir.path().join("state.db");
    let mode = |mode| std::fs::set_permissions(&file, Permissions::from_mode(mode)).expect("our own file");
    assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    mode(0o640);
    assert!(matches!(Database::open(dir.path()), Err(StateError::Exposed { mode: 0o640, .. })));
    mode(0o600);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&file, Some(65_534), None).expect("root may");
        let refused = Database::open(dir.path()).err().expect("another user's");
        assert!(refused.to_string().contains("is user 65534's, and this is user 0"), "{refused}");
        std::os::unix::fs::chown(&file, Some(0), None).expect("root may");
    }
    let elsewhere = place();
    symlink(&file, elsewhere.path().join("state.db")).expect("a fresh name");
    assert!(
        matches!(Database::open(elsewhere.path()), Err(StateError::File { .. })),
        "a link is no file of ours"
    );
}

#[test]
fn a_stamp_is_that_of_one_state_alone() {
    let dir = TempDir::new().expect("a directory");
    let (here, there) =
        (Database::open(dir.path()).expect("open"), Database::open(dir.path()).expect("open"));
    let run = |database: &Database, sql: &str| {
        let done: Result<(), StateError> = database.write(|to| Ok(to.execute_batch(sql)?));
        done.expect("written");
    };
    run(&there, "CREATE TABLE t (n BIGINT)");
    let count = || -> i64 {
        let read: Result<i64, StateError> =
            here.glance(|sql| Ok(sql.query_row("SELECT COUNT(*) FROM t", [], |row| row.get(0))?));
        read.expect("readable")
    };
    let mut seen = Vec::new();
    for n in 0..200 {
        assert_eq!(count(), n);
        let stamp = here.stamp().expect("the log is in use");
        assert_eq!(there.stamp(), Some(stamp), "both see the same");
        assert_eq!(here.stamp(), Some(stamp), "to look changes nothing");
        assert!(!seen.contains(&stamp), "{n}");
        seen.push(stamp);
        // The log begins anew now and then, and what is thrown away is no state.
        match n % 5 {
            0 => there.scrub().expect("emptied"),
            1 => {
                let thrown: Result<(), StateError> = there.write(|sql| {
                    sql.execute_batch("INSERT INTO t VALUES (0)")?;
                    Err(StateError::Newer { room: "t", found: 1, known: 0 })
                });
                thrown.expect_err("it was thrown away");
                assert_eq!(here.stamp(), Some(stamp));
            }
            _ => {}
        }
        run(if n % 2 == 0 { &here } else { &there }, "INSERT INTO t VALUES (1)");
    }
}
