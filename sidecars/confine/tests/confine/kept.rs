//! Walls one after the other: each is what one that is prepared afresh would be.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{lchown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use packhost_confine::{ConfineError, KEPT, Wall, Walls};
use packhost_session_protocol::message::Confinement;

use super::scene::{House, Outcome, Scene, USER, scene};

pub(crate) const SCENES: &[Scene] = &[
    scene("the_same_confinement_holds_one_program_after_the_other", again),
    scene("a_confinement_is_not_taken_for_another_one", another),
    scene("a_path_that_was_replaced_is_granted_as_what_it_is_now", replaced),
    scene("a_path_that_came_or_went_meanwhile_is_looked_at_again", came_and_went),
    scene("a_path_that_a_program_replaced_by_its_link_is_not_followed", linked).for_root(),
    scene("what_was_prepared_for_a_user_is_not_for_one_who_is_trusted_less", trusted_less).for_root(),
    scene("no_more_walls_are_kept_than_there_is_room_for", bounded),
];

fn granting(house: &House, path: &Path) -> Confinement {
    let mut confinement = house.confinement();
    confinement.read_only.push(path.as_os_str().as_bytes().to_vec().into());
    confinement
}

/// What a program behind this wall reads there; none where it may not.
fn read(wall: Wall, path: &Path) -> io::Result<Option<String>> {
    let mut wall = Some(wall);
    let raise = move || wall.take().map_or(Ok(()), Wall::raise).map_err(io::Error::other);
    let mut cat = Command::new("/bin/cat");
    // SAFETY: this process has one thread, so the child may do what its parent could.
    let output = unsafe { cat.arg(path).pre_exec(raise) }.output()?;
    Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn again(house: &House) -> Outcome {
    let mut walls = Walls::default();
    for _ in 0..3 {
        assert_eq!(
            read(walls.prepare(&house.confinement())?, &house.read.join("f"))?.as_deref(),
            Some("read")
        );
        assert_eq!(read(walls.prepare(&house.confinement())?, &house.outside.join("f"))?, None);
    }
    Ok(())
}

fn another(house: &House) -> Outcome {
    let (narrow, wide) = (house.confinement(), granting(house, &house.outside));
    let mut to_write = house.confinement();
    std::mem::swap(&mut to_write.read_only, &mut to_write.read_write);
    let (mut walls, file) = (Walls::default(), house.outside.join("f"));
    for _ in 0..3 {
        assert_eq!(read(walls.prepare(&wide)?, &file)?.as_deref(), Some("outside"));
        assert_eq!(read(walls.prepare(&narrow)?, &file)?, None);
    }
    walls.prepare(&to_write)?;
    walls.prepare(&narrow)?.raise()?;
    fs::write(house.write.join("f"), "written")?;
    super::scene::denied(libc::EACCES, fs::write(house.read.join("f"), "written"));
    Ok(())
}

fn replaced(house: &House) -> Outcome {
    let (granted, moved) = (house.outside.join("granted"), house.outside.join("moved"));
    fs::create_dir(&granted)?;
    fs::write(granted.join("f"), "first")?;
    let confinement = granting(house, &granted);
    let mut walls = Walls::default();
    assert_eq!(read(walls.prepare(&confinement)?, &granted.join("f"))?.as_deref(), Some("first"));

    fs::rename(&granted, &moved)?;
    fs::create_dir(&granted)?;
    fs::write(granted.join("f"), "second")?;
    assert_eq!(read(walls.prepare(&confinement)?, &granted.join("f"))?.as_deref(), Some("second"));
    assert_eq!(read(walls.prepare(&confinement)?, &moved.join("f"))?, None);

    // A number of a file that is gone may be given to the next one.
    fs::remove_dir_all(&granted)?;
    fs::write(&granted, "third")?;
    assert_eq!(read(walls.prepare(&confinement)?, &granted)?.as_deref(), Some("third"));
    Ok(())
}

fn came_and_went(house: &House) -> Outcome {
    let granted = house.outside.join("granted");
    let confinement = granting(house, &granted);
    let mut walls = Walls::default();
    for _ in 0..3 {
        assert_eq!(read(walls.prepare(&confinement)?, &granted)?, None);
        fs::write(&granted, "here")?;
        assert_eq!(read(walls.prepare(&confinement)?, &granted)?.as_deref(), Some("here"));
        fs::remove_file(&granted)?;
    }
    Ok(())
}

fn linked(house: &House) -> Outcome {
    let (granted, moved) = (house.write.join("granted"), house.write.join("moved"));
    fs::create_dir(&granted)?;
    let confinement = granting(house, &granted);
    let mut walls = Walls::default();
    walls.prepare(&confinement)?;

    fs::rename(&granted, &moved)?;
    symlink(&house.outside, &granted)?;
    lchown(&granted, Some(USER.uid), Some(USER.gid))?;
    for _ in 0..2 {
        let refusal = walls.prepare(&confinement).expect_err("the link is the program's");
        assert!(matches!(&refusal, ConfineError::Path { path, .. } if *path == granted), "{refusal}");
    }

    fs::remove_file(&granted)?;
    fs::rename(&moved, &granted)?;
    assert_eq!(read(walls.prepare(&confinement)?, &house.outside.join("f"))?, None);

    // Not even to where the directory is now: whoever moved it there may not want it granted.
    fs::rename(&granted, &moved)?;
    symlink(&moved, &granted)?;
    lchown(&granted, Some(USER.uid), Some(USER.gid))?;
    assert!(matches!(walls.prepare(&confinement), Err(ConfineError::Path { .. })));
    Ok(())
}

fn trusted_less(house: &House) -> Outcome {
    let link = house.write.join("link");
    symlink(&house.outside, &link)?;
    lchown(&link, Some(USER.uid), Some(USER.gid))?;
    let confinement = granting(house, &link);
    let root = Confinement { user: None, ..confinement.clone() };
    let mut walls = Walls::default();
    assert_eq!(read(walls.prepare(&root)?, &house.outside.join("f"))?.as_deref(), Some("outside"));
    let refusal = walls.prepare(&confinement).expect_err("the link is the program's");
    assert!(matches!(&refusal, ConfineError::Path { path, .. } if *path == link), "{refusal}");
    Ok(())
}

fn bounded(house: &House) -> Outcome {
    let open = || Ok::<_, io::Error>(fs::read_dir("/proc/self/fd")?.count());
    let before = open()?;
    let mut walls = Walls::default();
    for number in 0..3 * KEPT {
        walls.prepare(&granting(house, &house.outside.join(number.to_string())))?;
    }
    assert_eq!(open()?, before + KEPT);
    drop(walls);
    assert_eq!(open()?, before);
    Ok(())
}
