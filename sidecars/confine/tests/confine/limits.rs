//! Limits per process.

use std::fs::{self, File};
use std::io::Write;

use libc::{EAGAIN, EMFILE, ENOMEM, EPERM, SIGXCPU, SIGXFSZ};
use packhost_session_protocol::message::{Rlimits, User};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::scene::{House, Outcome, Scene, call, confine, denied, is_root, scene, with, works};

pub(crate) const SCENES: &[Scene] = &[
    scene("open_files_are_limited", open_files),
    scene("the_size_of_a_file_is_limited", file_size).ended_by(SIGXFSZ),
    scene("cpu_time_is_limited", cpu_seconds).ended_by(SIGXCPU),
    scene("data_is_limited", data),
    scene("processes_are_limited", processes).for_root(),
    scene("no_core_is_dumped_and_no_crash_handler_started", core),
    scene("a_limit_above_what_the_sandbox_has_leaves_what_it_has", clamped),
    scene("limits_are_not_raised_again", raised),
];

fn limited(house: &House, rlimits: Rlimits) -> Outcome {
    let mut confinement = house.confinement();
    confinement.rlimits = rlimits;
    confine(&confinement)?;
    Ok(std::env::set_current_dir(&house.write)?)
}

fn open_files(house: &House) -> Outcome {
    limited(house, Rlimits { open_files: Some(16), ..Rlimits::default() })?;
    let mut files = Vec::new();
    let error = loop {
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => break error,
        }
    };
    assert!(files.len() < 16);
    assert_eq!(error.raw_os_error(), Some(EMFILE));
    Ok(())
}

fn file_size(house: &House) -> Outcome {
    limited(house, Rlimits { file_size: Some(1000), ..Rlimits::default() })?;
    let mut file = File::create("big")?;
    file.write_all(&[0; 1000])?;
    file.write_all(&[0])?;
    Err("went past its limit".into())
}

fn cpu_seconds(house: &House) -> Outcome {
    limited(house, Rlimits { cpu_seconds: Some(1), ..Rlimits::default() })?;
    assert_eq!(getrlimit(Resource::Cpu), Rlimit { current: Some(1), maximum: Some(2) });
    loop {
        std::hint::spin_loop();
    }
}

fn data(house: &House) -> Outcome {
    const MIB: usize = 1 << 20;
    limited(house, Rlimits { data: Some(64 * MIB as u64), ..Rlimits::default() })?;
    let map = |bytes: usize| {
        let (flags, access) = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, libc::PROT_READ | libc::PROT_WRITE);
        call(libc::SYS_mmap, [0, bytes as i64, access.into(), flags.into(), -1, 0])
    };
    map(MIB)?;
    denied(ENOMEM, map(128 * MIB));
    Ok(())
}

fn processes(house: &House) -> Outcome {
    let mut confinement = house.confinement();
    // Counted per user number: one that nothing else runs as.
    let uid = 2_000_000_000 + std::process::id();
    confinement.user = Some(User { uid, gid: uid });
    confinement.rlimits.processes = Some(1);
    confine(&confinement)?;
    denied(EAGAIN, call(libc::SYS_clone, with([libc::SIGCHLD.into()])));
    Ok(())
}

fn core(house: &House) -> Outcome {
    house.confine()?;
    let one = Rlimit { current: Some(1), maximum: Some(1) };
    if is_root() {
        assert_eq!(getrlimit(Resource::Core), one);
    }
    // At 0 the handler would start; programs ask for 0 so that nothing is dumped, and must not fail for it.
    let before = getrlimit(Resource::Core);
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)?;
    let zeroes = [0_u64; 2];
    call(libc::SYS_setrlimit, with([libc::RLIMIT_CORE.into(), zeroes.as_ptr() as i64]))?;
    assert_eq!(getrlimit(Resource::Core), before);
    // Other limits are the program's to lower.
    setrlimit(Resource::Nofile, Rlimit { current: Some(8), maximum: Some(8) })?;
    assert_eq!(getrlimit(Resource::Nofile).current, Some(8));
    assert_eq!(works("/bin/sh", &["-c", "ulimit -c 0 && echo fine"])?, "fine");
    Ok(())
}

fn clamped(house: &House) -> Outcome {
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(128) })?;
    limited(house, Rlimits { open_files: Some(1 << 20), ..Rlimits::default() })?;
    assert_eq!(getrlimit(Resource::Nofile), Rlimit { current: Some(128), maximum: Some(128) });
    Ok(())
}

fn raised(house: &House) -> Outcome {
    limited(house, Rlimits { open_files: Some(16), ..Rlimits::default() })?;
    let more = Rlimit { current: Some(32), maximum: Some(32) };
    denied(EPERM, setrlimit(Resource::Nofile, more).map_err(Into::into));
    assert!(fs::exists("f")?);
    Ok(())
}
