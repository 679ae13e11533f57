//! Workspaces as the engine and an operator use them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use packhost_core::Caller;
use packhost_state::Database;
use packhost_workspaces::{Bounds, Measured, WorkspaceError, WorkspaceName, Workspaces, measure};
use tempfile::TempDir;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn open(state: &Path, bounds: Bounds) -> Workspaces {
    let database = Arc::new(Database::open(state).expect("a database"));
    Workspaces::open(database, state.join("workspaces"), bounds).expect("workspaces")
}

fn state() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn a_workspace_is_found_again_by_its_owner_alone() {
    let state = state();
    let (ada, bob) = (Caller::local(), Caller::token("bob"));
    let made = open(state.path(), Bounds::default()).fresh(&ada, at(0)).expect("a workspace");
    let mode = |dir: &Path| fs::metadata(dir).expect("there").permissions().mode() & 0o777;
    // The group's bits show the mask of its list, which names no group.
    assert_eq!(mode(&made.dir) & 0o707, 0o700);
    assert_eq!(mode(&state.path().join("workspaces")), 0o700, "nobody else comes as far as a workspace");
    fs::write(made.dir.join("a"), "kept").expect("writable");
    let again = open(state.path(), Bounds::default());
    assert_eq!(again.find(&ada, made.name.as_str(), at(1)).expect("found"), made);
    let foreign = again.find(&bob, made.name.as_str(), at(1));
    assert!(matches!(foreign, Err(WorkspaceError::NotFound(_))), "{foreign:?}");
    for bad in ["", "ws-", "../../etc", "ws-../../../../../etc", "ws-0000000000000000"] {
        assert!(matches!(again.find(&ada, bad, at(1)), Err(WorkspaceError::NotFound(_))), "{bad}");
    }
}

#[test]
fn a_caller_has_as_many_as_it_may() {
    let state = state();
    let workspaces = open(state.path(), Bounds { per_caller: 2, ..Bounds::default() });
    let first = workspaces.fresh(&Caller::local(), at(0)).expect("one");
    workspaces.fresh(&Caller::local(), at(0)).expect("two");
    let third = workspaces.fresh(&Caller::local(), at(0));
    assert!(matches!(third, Err(WorkspaceError::TooMany { most: 2 })), "{third:?}");
    workspaces.fresh(&Caller::token("bob"), at(0)).expect("another's do not count");
    assert!(workspaces.remove(&first.name).expect("removed"));
    assert!(!first.dir.exists());
    workspaces.fresh(&Caller::local(), at(0)).expect("a place is free again");
}

#[test]
fn a_reserved_workspace_is_found_by_nobody_until_it_is_given_to_one_caller() {
    let state = state();
    let workspaces = open(state.path(), Bounds::default());
    let (ada, bob) = (Caller::local(), Caller::token("bob"));
    let reserved = workspaces.reserve(at(0)).expect("reserved");
    let finds = |who: &Caller| workspaces.find(who, reserved.name.as_str(), at(1)).is_ok();
    assert!(!finds(&ada) && !finds(&bob));
    assert_eq!(workspaces.list(None).expect("listed")[0].owner, None);
    assert_eq!(workspaces.list(Some(&ada)).expect("listed"), []);
    workspaces.give(&reserved.name, &ada, at(2)).expect("given");
    assert_eq!(workspaces.find(&ada, reserved.name.as_str(), at(3)).expect("found"), reserved);
    assert!(!finds(&bob));
    for who in [&ada, &bob] {
        let again = workspaces.give(&reserved.name, who, at(3));
        assert!(matches!(again, Err(WorkspaceError::NotFound(_))), "{again:?}");
    }
    let unknown = workspaces.give(&WorkspaceName::fresh(), &bob, at(3));
    assert!(matches!(unknown, Err(WorkspaceError::NotFound(_))), "{unknown:?}");
}

#[test]
fn a_reserved_workspace_counts_when_it_is_given() {
    let state = state();
    let bounds = Bounds { per_caller: 1, unused: Duration::from_secs(100) };
    let workspaces = open(state.path(), bounds);
    let reserved: Vec<_> = (0..3).map(|_| workspaces.reserve(at(50)).expect("reserved")).collect();
    workspaces.give(&reserved[0].name, &Caller::local(), at(50)).expect("given");
    let more = workspaces.give(&reserved[1].name, &Caller::local(), at(60));
    assert!(matches!(more, Err(WorkspaceError::TooMany { most: 1 })), "{more:?}");
    workspaces.give(&reserved[1].name, &Caller::token("bob"), at(60)).expect("still there for another");
    workspaces.give(&reserved[2].name, &Caller::local(), at(151)).expect("in place of the old one");
    assert!(!reserved[0].dir.exists() && reserved[2].dir.exists());
}

#[test]
fn a_reserved_workspace_that_was_left_behind_goes_with_the_unused() {
    let state = state();
    let workspaces = open(state.path(), Bounds { unused: Duration::from_secs(100), ..Bounds::default() });
    let (left, young) = (workspaces.reserve(at(0)).expect("one"), workspaces.reserve(at(150)).expect("two"));
    assert_eq!(workspaces.sweep(at(200), |_| false).expect("swept"), 1);
    assert!(!left.dir.exists() && young.dir.exists());
}

#[test]
fn the_unused_are_swept_and_those_in_use_are_not_and_a_stray_is_when_nobody_knew_it_for_so_long() {
    let state = state();
    let workspaces = open(state.path(), Bounds { unused: Duration::from_secs(100), ..Bounds::default() });
    let make = |seconds| workspaces.fresh(&Caller::local(), at(seconds)).expect("a workspace");
    let (old, busy, touched, young) = (make(0), make(0), make(0), make(150));
    workspaces.find(&Caller::local(), touched.name.as_str(), at(140)).expect("found");
    let stray = state.path().join("workspaces").join(WorkspaceName::fresh().as_str());
    fs::create_dir(&stray).expect("made");
    let foreign = state.path().join("workspaces").join("not-ours");
    fs::create_dir(&foreign).expect("made");
    assert_eq!(workspaces.sweep(at(200), |name| *name == busy.name).expect("swept"), 1);
    assert!(!old.dir.exists() && stray.exists());
    assert!(busy.dir.exists() && touched.dir.exists() && young.dir.exists() && foreign.exists());
    // The rest goes at its own time.
    assert_eq!(workspaces.sweep(at(300), |_| false).expect("swept"), 3);
    assert!(!young.dir.exists() && stray.exists());
    assert_eq!(workspaces.sweep(at(301), |_| false).expect("swept"), 1);
    assert!(!stray.exists() && foreign.exists());
}

#[test]
fn a_workspace_that_an_older_database_does_not_know_is_nobodys_and_is_found_again_with_the_newer_one() {
    let state = state();
    let bounds = Bounds { unused: Duration::from_secs(100), ..Bounds::default() };
    let made = open(state.path(), bounds).fresh(&Caller::local(), at(0)).expect("a workspace");
    fs::write(made.dir.join("a"), "kept").expect("writable");
    // One without anything is as old as can be.
    fs::create_dir(state.path().join("older")).expect("made");
    let older = Arc::new(Database::open(&state.path().join("older")).expect("a database"));
    let older = Workspaces::open(older, state.path().join("workspaces"), bounds).expect("workspaces");
    for seconds in [10, 110] {
        assert_eq!(older.sweep(at(seconds), |_| false).expect("swept"), 0);
        let listed = older.list(None).expect("listed");
        assert_eq!(
            listed.iter().map(|one| (&one.name, &one.owner)).collect::<Vec<_>>(),
            [(&made.name, &None)]
        );
        let found = older.find(&Caller::local(), made.name.as_str(), at(seconds));
        assert!(matches!(found, Err(WorkspaceError::NotFound(_))), "{found:?}");
    }
    open(state.path(), bounds).find(&Caller::local(), made.name.as_str(), at(110)).expect("found");
    assert_eq!(fs::read_to_string(made.dir.join("a")).expect("there"), "kept");
}

#[test]
fn a_workspace_that_is_used_while_it_is_swept_is_kept() {
    let state = state();
    let workspaces = open(state.path(), Bounds { unused: Duration::from_secs(100), ..Bounds::default() });
    let made = workspaces.fresh(&Caller::local(), at(0)).expect("a workspace");
    fs::write(made.dir.join("a"), "kept").expect("writable");
    let used_now = |name: &WorkspaceName| {
        workspaces.find(&Caller::local(), name.as_str(), at(200)).expect("found");
        false
    };
    assert_eq!(workspaces.sweep(at(200), used_now).expect("swept"), 0);
    assert_eq!(fs::read_to_string(made.dir.join("a")).expect("there"), "kept");
}

#[test]
fn a_caller_who_has_as_many_as_it_may_gets_the_place_of_one_that_was_not_used_for_long() {
    let state = state();
    let bounds = Bounds { per_caller: 2, unused: Duration::from_secs(100) };
    let workspaces = open(state.path(), bounds);
    let old = workspaces.fresh(&Caller::local(), at(0)).expect("one");
    let foreign = workspaces.fresh(&Caller::token("bob"), at(0)).expect("another's");
    let young = workspaces.fresh(&Caller::local(), at(150)).expect("two");
    workspaces.fresh(&Caller::local(), at(200)).expect("in place of the old one");
    assert!(!old.dir.exists() && young.dir.exists() && foreign.dir.exists());
    let more = workspaces.fresh(&Caller::local(), at(200));
    assert!(matches!(more, Err(WorkspaceError::TooMany { most: 2 })), "{more:?}");
}

/// A chain of directories, each in the one before: longer than a path may be.
fn chain(top: &Path, levels: usize) {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
    let open = |at: std::os::fd::BorrowedFd<'_>, path: &Path| {
        openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("opened")
    };
    let mut at = open(CWD, top);
    for _ in 0..levels {
        mkdirat(&at, "d", Mode::RWXU).expect("made");
        at = open(std::os::fd::AsFd::as_fd(&at), Path::new("d"));
    }
}

#[test]
fn a_tree_of_any_depth_is_removed() {
    // In memory: so many directories take a disk half a minute.
    let state = tempfile::tempdir_in("/dev/shm").expect("a directory");
    let workspaces = open(state.path(), Bounds::default());
    let made = workspaces.fresh(&Caller::local(), at(0)).expect("a workspace");
    // The standard library's way needs a descriptor and a piece of stack for each: it fails, or ends the process.
    chain(&made.dir, 20_000);
    fs::write(made.dir.join(".removed-1"), "in the way").expect("written");
    fs::create_dir_all(made.dir.join("d/d/beside/below")).expect("made");
    symlink(state.path(), made.dir.join("d/link")).expect("linked");
    assert!(workspaces.remove(&made.name).expect("removed"));
    assert!(!made.dir.exists() && state.path().exists());
}

#[test]
fn a_directory_that_was_closed_hides_nothing_and_is_removed() {
    let closed = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o000)).expect("closed");
    let state = state();
    let workspaces = open(state.path(), Bounds::default());
    let made = workspaces.fresh(&Caller::local(), at(0)).expect("a workspace");
    fs::create_dir_all(made.dir.join("a/b")).expect("made");
    fs::write(made.dir.join("a/b/c"), vec![1; 100_000]).expect("written");
    closed(&made.dir.join("a/b"));
    closed(&made.dir.join("a"));
    // Root looks into it all the same.
    let found = measure(&made.dir, Measured { bytes: 1 << 40, entries: 1 << 40 }).expect("measured");
    assert!(found.bytes >= 100_000, "{found:?}");
    assert!(workspaces.remove(&made.name).expect("removed"));
    assert!(!made.dir.exists());
}

#[test]
fn a_directory_that_its_owner_has_closed_is_over_every_quota() {
    const NOBODY: u32 = 4242;
    let dir = state();
    for sub in ["top/sub", "below/sub/deep"] {
        fs::create_dir_all(dir.path().join(sub)).expect("made");
    }
    let [top, below] = ["top", "below"].map(|name| dir.path().join(name));
    let closed = [top.clone(), below.join("sub")];
    let shut = |mode| {
        for path in &closed {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
        }
    };
    let root = rustix::process::geteuid().is_root();
    if root {
        // They are of the one who measures, as where the host is a normal user.
        for path in [dir.path(), &top, &top.join("sub"), &below, &below.join("sub")] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
        }
    }
    let most = Measured { bytes: 1 << 40, entries: 1 << 40 };
    // Closed, and such that names can be read and what they stand for cannot.
    for mode in [0o000, 0o400] {
        shut(mode);
        let measured = std::thread::scope(|scope| {
            let measuring = scope.spawn(|| {
                if root {
                    // This thread alone, and its capabilities go with it.
                    let user = rustix::process::Uid::from_raw(NOBODY);
                    rustix::thread::set_thread_res_uid(user, user, user).expect("root may");
                }
                [&top, &below].map(|dir| measure(dir, most).expect("measured").bytes)
            });
            measuring.join().expect("measured")
        });
        shut(0o700);
        assert_eq!(measured, [u64::MAX, u64::MAX], "{mode:o}");
    }
}

#[test]
fn a_directory_that_was_lost_is_made_again() {
    let state = state();
    let workspaces = open(state.path(), Bounds::default());
    let made = workspaces.fresh(&Caller::local(), at(0)).expect("a workspace");
    fs::remove_dir(&made.dir).expect("removed");
    assert!(workspaces.find(&Caller::local(), made.name.as_str(), at(0)).expect("found").dir.is_dir());
}

#[test]
fn measuring_counts_what_is_there_and_follows_no_link() {
    let dir = state();
    let all = Measured { bytes: u64::MAX, entries: u64::MAX };
    assert_eq!(measure(dir.path(), all).expect("measured"), Measured::default());
    fs::create_dir_all(dir.path().join("a/b")).expect("made");
    fs::write(dir.path().join("a/b/c"), vec![1; 100_000]).expect("written");
    symlink("/usr", dir.path().join("link")).expect("linked");
    symlink(dir.path(), dir.path().join("a/loop")).expect("linked");
    let found = measure(dir.path(), all).expect("measured");
    assert_eq!(found.entries, 5);
    assert!((100_000..200_000).contains(&found.bytes), "{found:?}");
    let bounded = measure(dir.path(), Measured { bytes: 50_000, entries: u64::MAX }).expect("measured");
    assert!(bounded.bytes > 50_000);
    let few = measure(dir.path(), Measured { bytes: u64::MAX, entries: 2 }).expect("measured");
    assert_eq!(few.entries, 3);
}

#[test]
fn a_tree_that_is_too_deep_is_over_every_quota() {
    let dir = state();
    let mut at = dir.path().to_path_buf();
    for _ in 0..600 {
        at.push("d");
    }
    fs::create_dir_all(&at).expect("made");
    let found = measure(dir.path(), Measured { bytes: 1 << 40, entries: 1 << 40 }).expect("measured");
    assert_eq!(found.bytes, u64::MAX);
}

#[test]
fn what_the_host_and_a_programs_user_make_both_can_change() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can be both.
    }
    let state = state();
    let workspaces = open(state.path(), Bounds::default());
    let dir = workspaces.fresh(&Caller::local(), at(0)).expect("a workspace").dir;
    // A container has the workspace as a mount; here the user has to come through the directories above.
    for above in [state.path(), &state.path().join("workspaces")] {
        fs::set_permissions(above, fs::Permissions::from_mode(0o711)).expect("ours");
    }
    fs::create_dir(dir.join("sub")).expect("made");
    fs::write(dir.join("sub/host"), "from the host").expect("written");
    let shell = |script: &str, user: u32| {
        let mut shell = std::process::Command::new("sh");
        match shell.args(["-c", script]).current_dir(&dir).uid(user).gid(user).output() {
            Ok(done) => (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned()),
            // It could not even go there.
            Err(error) => (false, error.to_string()),
        }
    };
    let script = "cat sub/host && echo more >> sub/host && echo own > sub/own && mkdir sub/deep && umask";
    let (done, said) = shell(script, 1000);
    assert!(done && said.starts_with("from the host"), "{said}");
    assert!(!shell("ls", 4242).0 && !shell("cat sub/own", 4242).0, "another user gets nothing");
    assert_eq!(fs::read_to_string(dir.join("sub/host")).expect("read"), "from the hostmore\n");
    fs::write(dir.join("sub/deep/again"), "x").expect("written");
    assert!(shell("rm -r sub", 1000).0, "and each removes what the other has made");
}
