//! Files: what the plan names works, everything else is EACCES.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libc::EACCES;
use packhost_walls::{Plan, Requirement, WallsError, raise};
use tempfile::TempDir;

use super::{Outcome, Scene, c, denied, scene, up};

pub(crate) const SCENES: &[Scene] = &[
    scene("files_outside_the_plan_are_out_of_reach", outside),
    scene("readable_files_are_only_readable", read_only),
    scene("writable_directories_work_fully", read_write),
    scene("writable_directories_take_no_sockets_pipes_or_devices", no_nodes),
    scene("a_replaced_file_is_readable_through_its_directory", replaced),
    scene("missing_paths_are_reported_or_refused", missing),
];

/// Three directories: readable, writable, outside; each with a file `f`.
struct House {
    _root: TempDir,
    read: PathBuf,
    write: PathBuf,
    outside: PathBuf,
}

fn house() -> std::io::Result<House> {
    let root = TempDir::new()?;
    let room = |name: &str| -> std::io::Result<PathBuf> {
        let room = root.path().join(name);
        fs::create_dir(&room)?;
        fs::write(room.join("f"), name)?;
        Ok(room)
    };
    let house = House { read: room("read")?, write: room("write")?, outside: room("outside")?, _root: root };
    symlink(house.outside.join("f"), house.write.join("way-out"))?;
    Ok(house)
}

fn plan(house: &House) -> Plan {
    Plan {
        read: vec![house.read.clone(), "/proc/self".into()],
        read_write: vec![house.write.clone()],
        ..Plan::default()
    }
}

fn truncate(path: &Path) -> std::io::Result<i64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path is a C string that lives through the call.
    c(unsafe { libc::truncate(path.as_ptr(), 0) })
}

fn outside() -> Outcome {
    let house = house()?;
    fs::read("/etc/passwd")?;
    fs::read_dir("/")?;
    up(&plan(&house))?;
    let file = house.outside.join("f");
    denied(EACCES, fs::read("/etc/passwd"));
    denied(EACCES, fs::read("/etc/shadow"));
    denied(EACCES, fs::read_dir("/"));
    denied(EACCES, fs::read(&file));
    denied(EACCES, fs::read(house.write.join("way-out")));
    denied(EACCES, fs::read(house.read.join("../outside/f")));
    denied(EACCES, fs::read(Path::new("/proc/self/root").join(file.strip_prefix("/")?)));
    denied(EACCES, fs::write(&file, "x"));
    denied(EACCES, File::create(house.outside.join("new")));
    denied(EACCES, fs::remove_file(&file));
    denied(EACCES, truncate(&file));
    denied(EACCES, fs::read("/proc/1/status"));
    assert!(fs::rename(house.write.join("f"), house.outside.join("moved")).is_err());
    assert!(fs::rename(&file, house.write.join("fetched")).is_err());
    assert!(fs::hard_link(&file, house.write.join("linked")).is_err());
    Ok(())
}

fn read_only() -> Outcome {
    let house = house()?;
    up(&plan(&house))?;
    let file = house.read.join("f");
    assert_eq!(fs::read_to_string(&file)?, "read");
    assert_eq!(fs::read_dir(&house.read)?.count(), 1);
    denied(EACCES, fs::write(&file, "x"));
    denied(EACCES, OpenOptions::new().append(true).open(&file));
    denied(EACCES, truncate(&file));
    denied(EACCES, OpenOptions::new().read(true).custom_flags(libc::O_TRUNC).open(&file));
    denied(EACCES, File::create(house.read.join("new")));
    denied(EACCES, fs::create_dir(house.read.join("new")));
    denied(EACCES, fs::remove_file(&file));
    denied(EACCES, symlink("/", house.read.join("new")));
    denied(EACCES, fs::rename(&file, house.read.join("g")));
    assert!(fs::hard_link(&file, house.write.join("linked")).is_err());
    assert_eq!(fs::read_to_string(&file)?, "read");
    Ok(())
}

fn read_write() -> Outcome {
    let house = house()?;
    up(&plan(&house))?;
    let file = house.write.join("f");
    fs::write(&file, "long text")?;
    truncate(&file)?;
    assert_eq!(fs::metadata(&file)?.len(), 0);
    let open = OpenOptions::new().write(true).open(&file)?;
    open.set_len(10)?;
    open.lock()?;
    open.sync_all()?;
    let deep = house.write.join("a/b");
    fs::create_dir_all(&deep)?;
    fs::rename(&file, deep.join("g"))?;
    fs::hard_link(deep.join("g"), house.write.join("h"))?;
    symlink("h", house.write.join("s"))?;
    assert_eq!(fs::read(house.write.join("s"))?.len(), 10);
    fs::remove_dir_all(house.write.join("a"))?;
    Ok(())
}

fn no_nodes() -> Outcome {
    let house = house()?;
    up(&plan(&house))?;
    for kind in [libc::S_IFIFO, libc::S_IFSOCK, libc::S_IFCHR, libc::S_IFBLK] {
        let path = CString::new(house.write.join("node").as_os_str().as_bytes())?;
        // SAFETY: the path is a C string that lives through the call.
        denied(EACCES, c(unsafe { libc::mknod(path.as_ptr(), kind | 0o600, 0) }));
    }
    Ok(())
}

/// The other process is what a launcher or an editor is: started before the walls, and outside of them.
fn replaced() -> Outcome {
    let house = house()?;
    let alone = house.outside.join("f");
    let mut editor = Command::new("/bin/sh")
        .args([
            "-c",
            "read go; for d in read outside; do echo new > $d/new && mv $d/new $d/f; done; echo done",
        ])
        .current_dir(house.read.join(".."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    up(&Plan { read: vec![house.read.clone(), alone.clone()], ..Plan::default() })?;
    assert_eq!(fs::read_to_string(&alone)?, "outside");
    drop(editor.stdin.take());
    let mut said = String::new();
    editor.stdout.take().ok_or("no output")?.read_to_string(&mut said)?;
    assert_eq!(said, "done\n");
    assert_eq!(fs::read_to_string(house.read.join("f"))?, "new\n");
    denied(EACCES, fs::read(&alone));
    assert!(editor.wait()?.success());
    Ok(())
}

fn missing() -> Outcome {
    let house = house()?;
    let nowhere = house.read.join("nowhere");
    let refused =
        raise(&Plan { read_write: vec![nowhere.clone()], ..Plan::default() }, Requirement::BestEffort);
    assert!(matches!(refused, Err(WallsError::Path { path, .. }) if path == nowhere));
    let mut plan = plan(&house);
    plan.read.push(nowhere.clone());
    assert_eq!(up(&plan)?.skipped, [nowhere]);
    Ok(())
}
