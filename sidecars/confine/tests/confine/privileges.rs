//! Users and capabilities: none to be had.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::EPERM;
use packhost_confine::{ConfineError, Wall, landlock_abi};

use super::scene::{House, Outcome, Scene, USER, call, confine, denied, scene, with, works};

pub(crate) const SCENES: &[Scene] = &[
    scene("no_capability_is_left_in_any_set", capabilities),
    scene("root_is_not_to_be_had_again", root_again).for_root(),
    scene("a_set_user_id_file_gives_nothing", set_user_id).for_root(),
    scene("root_without_another_user_has_no_capabilities_either", still_root).for_root(),
    scene("a_wall_is_raised_between_fork_and_exec", between_fork_and_exec),
    scene("the_child_hides_its_memory_until_exec", hidden),
    scene("an_impossible_abi_is_refused_where_it_is_required", impossible),
    scene("a_relative_path_is_refused", relative),
    scene("a_circle_of_links_is_refused", circle),
    scene("a_supervisor_that_cannot_become_the_user_says_so", other_user),
];

fn capabilities(house: &House) -> Outcome {
    let mut confinement = house.confinement();
    confinement.read_only.push(b"/proc".to_vec().into());
    confine(&confinement)?;
    let status = works("/bin/cat", &["/proc/self/status"])?;
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    assert_eq!(field("NoNewPrivs"), "1");
    assert_eq!(field("Seccomp"), "2");
    if confinement.user.is_some() {
        assert_eq!(field("CapBnd"), "0000000000000000");
        assert_eq!(field("Uid"), "1000 1000 1000 1000");
        assert_eq!(field("Gid"), "1000 1000 1000 1000");
        assert_eq!(field("Groups"), "");
    }
    Ok(())
}

fn root_again(house: &House) -> Outcome {
    house.confine()?;
    denied(EPERM, call(libc::SYS_setuid, with([0])));
    denied(EPERM, call(libc::SYS_setgid, with([0])));
    denied(EPERM, call(libc::SYS_setresuid, with([-1, 0, 0])));
    denied(EPERM, call(libc::SYS_setgroups, with([0, 0])));
    let header = [0x2008_0522_u32, 0];
    let all = [u32::MAX; 6];
    denied(EPERM, call(libc::SYS_capset, with([header.as_ptr() as i64, all.as_ptr() as i64])));
    Ok(())
}

fn set_user_id(house: &House) -> Outcome {
    let id = house.read.join("id");
    fs::copy("/usr/bin/id", &id)?;
    fs::set_permissions(&id, fs::Permissions::from_mode(0o4755))?;
    house.confine()?;
    assert_eq!(works(&id.to_string_lossy(), &["-u"])?, USER.uid.to_string());
    Ok(())
}

fn still_root(house: &House) -> Outcome {
    let mut confinement = house.confinement();
    confinement.user = None;
    confinement.read_only.push(b"/proc".to_vec().into());
    confine(&confinement)?;
    // exec gives root its capabilities back, unless it may not.
    assert_eq!(works("/bin/grep", &["-c", "^Cap.*0000000000000000$", "/proc/self/status"])?, "5");
    denied(EPERM, call(libc::SYS_setresuid, with([1, 1, 1])));
    Ok(())
}

fn between_fork_and_exec(house: &House) -> Outcome {
    let mut wall = Some(Wall::prepare(&house.confinement())?);
    let raise = move || wall.take().map_or(Ok(()), Wall::raise).map_err(io::Error::other);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "cat f; cat ../outside/f; echo x > ../read/f"]).current_dir(&house.write);
    // SAFETY: this process has one thread, so the child may do what its parent could.
    let output = unsafe { command.pre_exec(raise) }.output()?;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "write");
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("denied").count(), 2);
    // Nobody else is confined.
    fs::read(house.outside.join("f"))?;
    Ok(())
}

fn hidden(house: &House) -> Outcome {
    house.confine()?;
    assert_eq!(call(libc::SYS_prctl, with([libc::PR_GET_DUMPABLE.into()]))?, 0);
    Ok(())
}

fn impossible(house: &House) -> Outcome {
    let mut confinement = house.confinement();
    confinement.landlock_abi = 99;
    let refusal = Wall::prepare(&confinement).expect_err("no kernel has it");
    assert!(matches!(refusal, ConfineError::Lacking(_)));
    let sentence = refusal.to_string();
    assert!(sentence.contains(&format!("ABI is {}; 99 is needed", landlock_abi())), "{sentence}");

    confinement.required = false;
    let wall = Wall::prepare(&confinement)?;
    assert_eq!(wall.lacking(), [sentence]);
    wall.raise()?;
    denied(libc::EACCES, fs::read(house.outside.join("f")));
    Ok(())
}

fn relative(house: &House) -> Outcome {
    for path in ["", "read", "./read"] {
        let mut confinement = house.confinement();
        confinement.read_only.push(path.as_bytes().to_vec().into());
        assert!(matches!(Wall::prepare(&confinement), Err(ConfineError::Relative(_))), "{path:?}");
    }
    Ok(())
}

fn circle(house: &House) -> Outcome {
    use std::os::unix::ffi::OsStrExt;

    let link = house.outside.join("circle");
    std::os::unix::fs::symlink("./circle", &link)?;
    let mut confinement = house.confinement();
    confinement.user = None;
    confinement.read_only.push(link.as_os_str().as_bytes().to_vec().into());
    let refusal = Wall::prepare(&confinement).expect_err("it leads nowhere");
    assert!(
        matches!(&refusal, ConfineError::Path { source, .. } if source.raw_os_error() == Some(libc::ELOOP)),
        "{refusal}"
    );
    Ok(())
}

fn other_user(house: &House) -> Outcome {
    house.confine()?;
    // The wall within a wall: this process has no capability left.
    let mut confinement = house.confinement();
    confinement.user = Some(USER);
    let refusal = confine(&confinement).expect_err("it may not").to_string();
    assert!(refusal.contains("user 1000, group 1000") && refusal.contains("CAP_SETUID"), "{refusal}");
    Ok(())
}
